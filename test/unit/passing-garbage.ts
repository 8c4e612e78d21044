import { setImmediate as nextRound } from 'node:timers/promises';
import { Batch } from '../../src/features/batch.ts';
import { Shares } from '../../src/features/shares.ts';
import { stringCursors, toConnection } from '../../src/graphql/pagination.ts';
import { createCoalescer } from '../../src/persistence/coalescer.ts';
import { sayWhetherGone } from '../support/garbage.ts';

/*
 * Says of what the argument names whether thousands that pass through it, or are held by it, go with the quick collection
 * of garbage.
 */

const TIMES = 2_000;
const BYTES = 2_000;

interface Passing {
  nth: number;
  person: string;
  weight: unknown[];
}

const NUMBERS = stringCursors<number>('number', String, Number);

const make = (nth: number): Passing => ({
  nth,
  person: `person ${nth}`,
  weight: Array.from({ length: BYTES / 8 }, () => nth),
});

const passers: Record<string, () => (passing: Passing) => unknown> = {
  coalescer: () =>
    createCoalescer<Passing, number>({
      keyOf: ({ person }) => person,
      async run(jobs) {
        await nextRound();
        for (const job of jobs) job.resolve(job.entry.nth);
      },
      limit: 2,
      aloneMs: 25,
      maxBatchSize: 500,
      answerWithinMs: 4_500,
    }),
  batch() {
    const batch = new Batch<string, Passing, number>({
      shares: new Shares(4),
      maxAsks: 1_000,
      nameOf: (key) => key,
      read: (asks) => Promise.resolve(asks.map(({ by }) => by.nth)),
    });
    return (passing) => batch.load('the same', passing);
  },
  connection: () => (passing) =>
    toConnection({ items: [passing], hasNextPage: false, hasPreviousPage: false }, ({ nth }) => nth, NUMBERS),
};

const pass = passers[process.argv[2]!]!();
/** So many are under way at a time, as where people wait for their answers. */
const AT_ONCE = 20;
await sayWhetherGone(
  () =>
    Promise.all(
      Array.from({ length: AT_ONCE }, async (_, first) => {
        for (let nth = first; nth < TIMES; nth += AT_ONCE) await pass(make(nth));
      }),
    ),
  (TIMES * BYTES) / 4,
);
