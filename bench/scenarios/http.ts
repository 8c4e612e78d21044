import { addPeople, JWT_SECRET, withPostgres } from '../support/data.ts';
import type { Person } from '../support/data.ts';
import { startParley, startPeer } from '../support/parley.ts';
import { measureRequests } from '../support/requests.ts';
import type { Comparison, Report } from '../support/report.ts';
import { measureInTurn } from '../support/samples.ts';
import type { Contestant, Figures } from '../support/samples.ts';
import { withServer } from '../support/server.ts';
import type { Server } from '../support/server.ts';
import type { Stage } from '../support/stage.ts';
import type { Scenario } from './scenario.ts';

const CLIENTS = 64;
/** The first reads a row; the second shows what the way to an operation and back costs. */
const QUERIES = ['{ me { id firstName lastName } }', '{ __typename }'];

export const http: Scenario = {
  name: 'http',
  title: 'A small query over HTTP',
  async run(stage): Promise<Report> {
    const databaseUrl = await stage.createDatabase();
    const [person] = await withPostgres(databaseUrl, (sql) => addPeople(sql, 1));
    const env = { DATABASE_URL: databaseUrl, JWT_SECRET };
    const contestants = [
      contestant(stage, 'Parley', person!, () => startParley(stage, env)),
      contestant(stage, 'stock Yoga', person!, () => startPeer('stock-yoga', env)),
    ];
    return {
      about: `Queries of somebody who is signed in, by ${CLIENTS} clients. Stock Yoga has the same schema and services.`,
      samples: await measureInTurn(contestants, stage),
      comparisons: QUERIES.flatMap((query): Comparison[] => [
        { case: titleOf(query), figure: 'requests/s', of: 'Parley', to: 'stock Yoga', atLeast: 5 },
        {
          case: titleOf(query),
          figure: 'CPU µs/request',
          of: 'Parley',
          to: 'stock Yoga',
          lessIsBetter: true,
          atLeast: 5,
        },
      ]),
    };
  },
};

function contestant(stage: Stage, name: string, person: Person, start: () => Promise<Server>): Contestant {
  return {
    name,
    async measure() {
      const headers = { authorization: `Bearer ${person.token}` };
      return withServer(start(), async (server) => {
        const cases: Record<string, Figures> = {};
        for (const query of QUERIES) {
          const { count, perSecond, p50, p99, cpuTime } = await measureRequests(stage, server, {
            title: titleOf(query),
            target: { port: server.port, path: '/graphql', headers },
            clients: CLIENTS,
            body: JSON.stringify({ query }),
            isRight: (answer) => answer.startsWith('{"data":{') && !answer.includes('"errors"'),
          });
          cases[titleOf(query)] = {
            'requests/s': perSecond,
            'p50 ms': p50,
            'p99 ms': p99,
            'CPU µs/request': cpuTime / count,
          };
        }
        return cases;
      });
    },
  };
}

const titleOf = (query: string) => `\`${query}\``;
