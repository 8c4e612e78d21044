import { fanOutTitle } from '../support/fan-out.ts';
import { startParley } from '../support/parley.ts';
import type { Comparison, Report } from '../support/report.ts';
import { measureInTurn } from '../support/samples.ts';
import type { Contestant, Figures } from '../support/samples.ts';
import { withServer } from '../support/server.ts';
import type { Stage } from '../support/stage.ts';
import { parleyFanningOut } from './fan-out.ts';
import { fillHistory, measureHistory, MIDDLE } from './reads.ts';
import type { History } from './reads.ts';
import type { Scenario } from './scenario.ts';
import { MANY, parleyOverHttp } from './sends.ts';

/** Something that is doubled, and what is measured at each of its sizes. */
interface Series {
  title: string;
  noun: string;
  sizes: readonly number[];
  /** Of which more is better. */
  figure: string;
  cpuFigure: string;
  measure(size: number): Promise<Figures>;
}

export const growth: Scenario = {
  name: 'growth',
  title: 'Growth',
  async run(stage): Promise<Report> {
    const all = listSeries(stage);
    const contestants = all.flatMap(({ title, noun, sizes, measure }) =>
      sizes.map((size): Contestant => ({
        name: nameOf(size, noun),
        measure: async () => ({ [title]: await measure(size) }),
      })),
    );
    return {
      about:
        'Parley with twice as much, and twice as much again. What an operation costs should stay what it was: each ' +
        'line compares one size with half of it.',
      samples: await measureInTurn(contestants, stage),
      comparisons: all.flatMap(compareDoublings),
    };
  },
};

const nameOf = (size: number, noun: string) => `${size.toLocaleString('en')} ${noun}`;

function compareDoublings({ title, noun, sizes, figure, cpuFigure }: Series): Comparison[] {
  return sizes.slice(1).flatMap((size, index): Comparison[] => {
    const pair = { case: title, of: nameOf(size, noun), to: nameOf(sizes[index]!, noun) };
    return [
      { ...pair, figure, atLeast: 0.9 },
      { ...pair, figure: cpuFigure, lessIsBetter: true, atLeast: 0.9 },
    ];
  });
}

function listSeries(stage: Stage): Series[] {
  const sizesFrom = (first: number, quick: number) =>
    doublings(stage.size.isQuick ? quick : first, stage.size.isQuick ? 2 : 4);
  const sends = { figure: 'sends/s', cpuFigure: 'CPU µs/send' };
  const histories = new Map<number, Promise<History>>();

  async function readMiddle(messages: number): Promise<Figures> {
    const filling = histories.get(messages) ?? stage.createDatabase().then((url) => fillHistory(url, messages));
    histories.set(messages, filling);
    const history = await filling;
    const cases = await withServer(startParley(stage, { DATABASE_URL: history.databaseUrl }), (server) =>
      measureHistory(stage, server, history),
    );
    return cases[MIDDLE]!;
  }

  return [
    {
      title: 'Subscribers of a chat',
      noun: 'subscribers',
      sizes: sizesFrom(500, 100),
      figure: 'fan-out/s',
      cpuFigure: 'send apart',
      measure: async (size) => (await parleyFanningOut(stage, size).measure())[fanOutTitle(size, 1)]!,
    },
    {
      title: 'Chats in which people send',
      noun: 'chats',
      sizes: sizesFrom(50, 25),
      ...sends,
      measure: async (chats) => (await parleyOverHttp(stage, '', { chats }).measure())[MANY]!,
    },
    {
      title: 'Members of each chat',
      noun: 'members',
      sizes: sizesFrom(125, 64),
      ...sends,
      measure: async (members) => (await parleyOverHttp(stage, '', { members }).measure())[MANY]!,
    },
    {
      title: 'Messages of a chat, read in the middle',
      noun: 'messages',
      sizes: sizesFrom(125_000, 5_000),
      figure: 'pages/s',
      cpuFigure: 'CPU µs/page',
      measure: readMiddle,
    },
  ];
}

const doublings = (first: number, count: number) => Array.from({ length: count }, (_, index) => first * 2 ** index);
