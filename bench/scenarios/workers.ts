import { ALL_CPUS } from '../support/affinity.ts';
import { fanOutTitle } from '../support/fan-out.ts';
import { startParley } from '../support/parley.ts';
import type { Comparison, Report } from '../support/report.ts';
import { measureInTurn } from '../support/samples.ts';
import type { Contestant, Figures } from '../support/samples.ts';
import type { Stage } from '../support/stage.ts';
import { parleyFanningOut } from './fan-out.ts';
import type { Scenario } from './scenario.ts';
import { MANY, parleyOverHttp } from './sends.ts';

const ONE = '1 worker';
const TWO = '2 workers';

export const workers: Scenario = {
  name: 'workers',
  title: 'Workers',
  async run(stage): Promise<Report> {
    const listeners = stage.size.isQuick ? 200 : 1_000;
    return {
      about:
        'Parley with `WORKERS=1` and with `WORKERS=2`, both allowed on both processors; the load, PostgreSQL and Redis ' +
        'have one of them, as in every scenario. So a second worker has no processor of its own here: it gets what the ' +
        'others leave of theirs, and the more is sent the less that is. How near the throughput of two comes to twice ' +
        'that of one says more of this machine than of Parley. What says something of Parley is the processor time of ' +
        'all its processes for one operation: where each worker has a processor, throughput grows with their number, ' +
        'divided by how much dearer an operation has become. It is dearer because sends that arrive at different workers ' +
        'cannot share a statement, nor the messages a write to each socket, and because a worker that did not write a ' +
        'message reads it, its author and who may hear it: about four statements, however many listen there. `busy` is ' +
        'the share of one processor that all processes of Parley used.',
      samples: await measureInTurn([contestant(stage, ONE, 1, listeners), contestant(stage, TWO, 2, listeners)], stage),
      comparisons: [
        ...compare(MANY, ['sends/s'], 'CPU µs/send'),
        ...compare(fanOutTitle(listeners, 1), ['fan-out/s', 'deliveries/s'], 'CPU µs/delivery'),
        ...compare(fanOutTitle(listeners, 4), ['fan-out/s', 'deliveries/s'], 'CPU µs/delivery'),
      ],
    };
  },
};

function compare(title: string, figures: readonly string[], cpuFigure: string): Comparison[] {
  const pair = { case: title, of: TWO, to: ONE };
  return [
    ...figures.map((figure): Comparison => ({ ...pair, figure })),
    { ...pair, figure: cpuFigure, lessIsBetter: true },
  ];
}

function contestant(stage: Stage, name: string, count: number, listeners: number): Contestant {
  const start: typeof startParley = (at, env) => startParley(at, { ...env, WORKERS: String(count) }, ALL_CPUS);
  return {
    name,
    async measure() {
      const sends = await parleyOverHttp(stage, name, { start }).measure();
      const fanOut = await parleyFanningOut(stage, listeners, start).measure();
      return { [MANY]: withBusy(sends[MANY]!), ...fanOut };
    },
  };
}

const withBusy = (figures: Figures): Figures => ({
  ...figures,
  busy: (figures['sends/s']! * figures['CPU µs/send']!) / 1e6,
});
