import type { Reference } from '@apollo/client';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { joinLive, joinPage, keepNewest } from '../../src/history.ts';
import type { StoredEdge, StoredHistory } from '../../src/history.ts';

const seqOf = ({ __ref }: Reference) => Number(__ref.slice('Message:'.length));
const edge = (seq: number): StoredEdge => ({ cursor: `c${seq}`, node: { __ref: `Message:${seq}` } });
const range = (from: number, to: number) => Array.from({ length: Math.max(0, to - from + 1) }, (_, nth) => from + nth);

/** What the server answers of a history that is `head` long. */
function page(from: number, to: number, head: number): StoredHistory {
  const edges = range(Math.max(1, from), Math.min(to, head)).map(edge);
  return {
    __typename: 'MessageConnection',
    edges,
    pageInfo: {
      hasPreviousPage: from > 1,
      hasNextPage: to < head,
      startCursor: edges[0]?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
  };
}

const seqsIn = (list: StoredHistory | undefined) => list?.edges.map(({ node }) => seqOf(node)) ?? [];

type Step =
  | { kind: 'written'; count: number }
  | { kind: 'newestPage'; size: number }
  | { kind: 'olderPage'; size: number }
  /** Asked for by a view whose list has changed meanwhile. */
  | { kind: 'stalePage'; from: number; size: number }
  | { kind: 'live'; count: number }
  /** An answer to a send, with others before it that have not come. */
  | { kind: 'ahead'; by: number }
  | { kind: 'again'; seq: number }
  | { kind: 'trim'; count: number };

const size = fc.integer({ min: 1, max: 12 });
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('written' as const), count: size }),
    fc.record({ kind: fc.constant('newestPage' as const), size }),
    fc.record({ kind: fc.constant('olderPage' as const), size }),
    fc.record({ kind: fc.constant('stalePage' as const), from: fc.integer({ min: 1, max: 60 }), size }),
    fc.record({ kind: fc.constant('live' as const), count: size }),
    fc.record({ kind: fc.constant('ahead' as const), by: size }),
    fc.record({ kind: fc.constant('again' as const), seq: fc.integer({ min: 1, max: 60 }) }),
    fc.record({ kind: fc.constant('trim' as const), count: size }),
  ),
  { maxLength: 40 },
);

describe('the list of a chat', () => {
  it('is one piece of history in order, however its pages and live messages come', () => {
    fc.assert(
      fc.property(steps, (walk) => {
        let head = 5;
        let list: StoredHistory | undefined;
        const last = () => seqsIn(list).at(-1) ?? 0;
        for (const step of walk) {
          const before = seqsIn(list);
          if (step.kind === 'written') head += step.count;
          if (step.kind === 'newestPage') list = joinPage(list, page(head - step.size + 1, head, head), seqOf);
          if (step.kind === 'olderPage' && before.length > 0) {
            const first = before[0]!;
            list = joinPage(list, page(first - step.size, first - 1, head), seqOf);
            expect(seqsIn(list).at(-1)).toBe(before.at(-1));
            expect(seqsIn(list)[0]).toBe(Math.max(1, first - step.size));
          }
          if (step.kind === 'stalePage') list = joinPage(list, page(step.from, step.from + step.size - 1, head), seqOf);
          if (step.kind === 'live' && list) {
            const arriving = range(last() + 1, Math.min(head, last() + step.count));
            list = joinLive(list, arriving.toReversed().map(edge), seqOf);
            expect(seqsIn(list)).toEqual([...before, ...arriving]);
          }
          if (step.kind === 'ahead' && list) list = joinLive(list, [edge(last() + 1 + step.by)], seqOf);
          if (step.kind === 'again' && list && step.seq <= last()) list = joinLive(list, [edge(step.seq)], seqOf);
          if (step.kind === 'trim' && list) {
            list = keepNewest(list, step.count, seqOf);
            expect(seqsIn(list)).toEqual(before.slice(-step.count));
          }

          const seqs = seqsIn(list);
          expect(seqs).toEqual(range(seqs[0] ?? 1, seqs.at(-1) ?? 0));
          // What is newest never gets lost again.
          expect(last()).toBeGreaterThanOrEqual(before.at(-1) ?? 0);
          if (list && seqs.length > 0)
            expect(list.pageInfo).toMatchObject({
              hasPreviousPage: seqs[0]! > 1,
              startCursor: `c${seqs[0]}`,
              endCursor: `c${seqs.at(-1)}`,
            });
        }
      }),
      { numRuns: 500 },
    );
  });

  it('is whole once all pages and live messages are there, in any order in which a client asks for them', () => {
    const head = 40;
    fc.assert(
      fc.property(fc.integer({ min: 1, max: head }), size, fc.infiniteStream(fc.boolean()), (middle, size, isLive) => {
        let list = joinPage(undefined, page(middle - size + 1, middle, middle), seqOf);
        for (const live of isLive) {
          const [first = 1, last = 0] = [seqsIn(list)[0], seqsIn(list).at(-1)];
          if (first === 1 && last === head) break;
          if ((live && last < head) || first === 1) list = joinLive(list, [edge(last + 1)], seqOf);
          else list = joinPage(list, page(first - size, first - 1, head), seqOf);
        }
        expect(seqsIn(list)).toEqual(range(1, head));
        expect(list.pageInfo).toMatchObject({ hasPreviousPage: false, hasNextPage: false });
      }),
    );
  });

  it('restarts at a newer page that does not touch it, and takes no older one', () => {
    const list = joinPage(undefined, page(1, 10, 10), seqOf);
    const restarted = joinPage(list, page(31, 40, 40), seqOf);
    expect(seqsIn(restarted)).toEqual(range(31, 40));
    expect(seqsIn(joinPage(restarted, page(1, 10, 40), seqOf))).toEqual(range(31, 40));
  });

  it('begins with the first message of an empty chat', () => {
    const empty = joinPage(undefined, page(1, 0, 0), seqOf);
    expect(empty.pageInfo).toMatchObject({ hasPreviousPage: false, startCursor: null, endCursor: null });
    expect(seqsIn(joinLive(empty, [edge(2)], seqOf))).toEqual([]);
    expect(seqsIn(joinLive(empty, [edge(1)], seqOf))).toEqual([1]);
  });
});
