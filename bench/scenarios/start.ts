import { eventually } from '../../test/support/wait.ts';
import { startParley } from '../support/parley.ts';
import type { Report } from '../support/report.ts';
import { measureInTurn } from '../support/samples.ts';
import type { Contestant } from '../support/samples.ts';
import { withServer } from '../support/server.ts';
import type { Stage } from '../support/stage.ts';
import type { Scenario } from './scenario.ts';

const TITLE = 'From the start of the process to the first answer';
const ON_POSTGRES = 'on PostgreSQL';
const NEW = 'embedded, the first time';
const AGAIN = 'embedded, again';

export const start: Scenario = {
  name: 'start',
  title: 'Start',
  async run(stage): Promise<Report> {
    return {
      about: 'The built server, with its files in the cache of the system, until a query is answered over HTTP.',
      samples: await measureInTurn(contestants(stage), stage),
      comparisons: [],
      bounds: [
        { case: TITLE, figure: 'ms', of: ON_POSTGRES, atMost: 1_500 },
        { case: TITLE, figure: 'ms', of: NEW, atMost: 3_500 },
        { case: TITLE, figure: 'ms', of: AGAIN, atMost: 3_500 },
      ],
    };
  },
};

function contestants(stage: Stage): Contestant[] {
  let dataDir = '';
  const contestant = (name: string, settings: () => Promise<Record<string, string>>): Contestant => ({
    name,
    measure: async () => ({ [TITLE]: { ms: await timeStart(stage, await settings()) } }),
  });
  return [
    contestant(ON_POSTGRES, async () => ({ DATABASE_URL: await stage.createDatabase() })),
    contestant(NEW, async () => ({ DATA_DIR: (dataDir = await stage.directory()) })),
    contestant(AGAIN, async () => ({ DATA_DIR: dataDir })),
  ];
}

function timeStart(stage: Stage, env: Record<string, string>): Promise<number> {
  return withServer(startParley(stage, env), async (server) => {
    await eventually(
      async () => {
        const response = await fetch(`http://127.0.0.1:${server.port}/graphql`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: '{"query":"{ __typename }"}',
        });
        if (!response.ok) throw new Error(`HTTP ${response.status}`);
      },
      { everyMs: 5 },
    );
    return performance.now() - server.startedAt;
  });
}
