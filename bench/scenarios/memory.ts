import { setTimeout as sleep } from 'node:timers/promises';
import { INSPECTABLE, inspect } from '../../test/support/inspector.ts';
import type { Inspector } from '../../test/support/inspector.ts';
import { gatherAudience } from '../support/audience.ts';
import { addGroups, addPeople, withPostgres } from '../support/data.ts';
import { graphqlTransportWs, NOBODYS_CHAT } from '../support/dialects.ts';
import type { Dialect } from '../support/dialects.ts';
import { startParley, startPeer } from '../support/parley.ts';
import type { Report } from '../support/report.ts';
import { measureInTurn } from '../support/samples.ts';
import type { Contestant, Figures } from '../support/samples.ts';
import { residentMemoryOf } from '../support/server.ts';
import type { Server } from '../support/server.ts';
import type { Stage } from '../support/stage.ts';
import type { Scenario } from './scenario.ts';

const MAX_MEMBERS = 1_000;
/** Of so many, those who come first and leave again, so that what is made once is there before anything is measured. */
const FORERUNNERS = 0.1;

export const memory: Scenario = {
  name: 'memory',
  title: 'Memory of idle subscribers',
  async run(stage): Promise<Report> {
    const subscribers = stage.size.isQuick ? 300 : 2_000;
    const title = `${subscribers} idle subscribers`;
    const contestants: Contestant[] = [
      parley(stage, title, subscribers),
      peer('bare ws', 'bare-ws', title, subscribers),
      peer('stock wiring', 'stock-wiring', title, subscribers),
    ];
    const figure = 'KiB/connection';
    return {
      about:
        'Each with a connection and a subscription of its own. What the process has resident, and what its heap ' +
        'holds, after a collection of garbage with them less that without them.',
      samples: await measureInTurn(contestants, stage),
      comparisons: ['bare ws', 'stock wiring'].map((to) => ({
        case: title,
        figure,
        of: 'Parley',
        to,
        lessIsBetter: true,
      })),
      bounds: [{ case: title, figure, of: 'Parley', atMost: 22 }],
    };
  },
};

function parley(stage: Stage, title: string, subscribers: number): Contestant {
  return {
    name: 'Parley',
    async measure() {
      const databaseUrl = await stage.createDatabase();
      const { people, chatId } = await withPostgres(databaseUrl, async (sql) => {
        const members = await addPeople(sql, Math.min(subscribers, MAX_MEMBERS));
        const [id] = await addGroups(sql, 1, members);
        return { people: members, chatId: id! };
      });
      const server = await startParley(stage, {
        DATABASE_URL: databaseUrl,
        REDIS_URL: await stage.redis(),
        ...INSPECTABLE,
      });
      const dialects = Array.from({ length: subscribers }, (_, index) =>
        graphqlTransportWs(chatId, people[index % people.length]!.token),
      );
      return { [title]: await measureMemory(server, dialects) };
    },
  };
}

function peer(name: string, file: string, title: string, subscribers: number): Contestant {
  return {
    name,
    async measure() {
      const server = await startPeer(file, INSPECTABLE);
      const dialect = graphqlTransportWs(NOBODYS_CHAT, 'nobody');
      return {
        [title]: await measureMemory(
          server,
          Array.from({ length: subscribers }, () => dialect),
        ),
      };
    },
  };
}

/** Stops the server at the end. */
async function measureMemory(server: Server, dialects: readonly Dialect[]): Promise<Figures> {
  const inspector = await inspect(server);
  try {
    const forerunners = await gatherAudience(server.port, dialects.slice(0, dialects.length * FORERUNNERS));
    forerunners.close();
    const before = await settle(server, inspector);
    const audience = await gatherAudience(server.port, dialects);
    const after = await settle(server, inspector);
    audience.close();
    return {
      'KiB/connection': (after.resident - before.resident) / dialects.length,
      'heap KiB/connection': (after.heap - before.heap) / dialects.length,
    };
  } finally {
    await inspector.detach();
    await server.stop();
  }
}

/** In KiB. */
async function settle(server: Server, inspector: Inspector): Promise<{ resident: number; heap: number }> {
  // What waits for a finalizer goes with the next collection; pages are given back a moment later.
  for (let round = 0; round < 3; round += 1) {
    await sleep(500);
    await inspector.collectGarbage();
  }
  await sleep(1_000);
  const heap = (await inspector.evaluate<number>('process.memoryUsage().heapUsed')) / 1024;
  return { resident: residentMemoryOf(server), heap };
}
