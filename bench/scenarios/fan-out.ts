import { addGroups, addPeople, countMessages, withPostgres } from '../support/data.ts';
import type { Person } from '../support/data.ts';
import { graphqlTransportWs, NOBODYS_CHAT, socketIo } from '../support/dialects.ts';
import type { Dialect } from '../support/dialects.ts';
import { fanOutTitle, measureFanOut } from '../support/fan-out.ts';
import { startParley, startPeer } from '../support/parley.ts';
import { LostMessageError, measureInTurn } from '../support/samples.ts';
import type { Contestant } from '../support/samples.ts';
import type { Stage } from '../support/stage.ts';
import type { Comparison, Report } from '../support/report.ts';
import type { Scenario } from './scenario.ts';

const MAX_MEMBERS = 1_000;

export const fanOut: Scenario = {
  name: 'fan-out',
  title: 'Fan-out',
  async run(stage): Promise<Report> {
    const sizes = stage.size.isQuick ? [200] : [1_000, 5_000];
    const contestants = sizes.flatMap((listeners) => contestantsFor(stage, listeners));
    const comparisons = sizes.flatMap((listeners): Comparison[] => [
      ...compare(fanOutTitle(listeners, 1), 'bare ws', 0.95),
      // Which executes for everybody before it writes to anybody: from its first delivery to its last is half the work.
      ...compare(fanOutTitle(listeners, 1), 'stock wiring', 4, 'deliveries/s'),
      ...compare(fanOutTitle(listeners, 4), 'bare ws', 2),
      ...compare(fanOutTitle(listeners, 4), 'stock wiring'),
      ...compare(fanOutTitle(listeners, 1), 'Socket.IO'),
      ...compare(fanOutTitle(listeners, 4), 'Socket.IO'),
    ]);
    return {
      about:
        'Everybody listens to one chat over a WebSocket of their own, with an operation id of their own; the next ' +
        'message is said when the last one has reached everybody. `fan-out/s` counts deliveries from the first to the ' +
        'last of a message; `deliveries/s` from the moment when it was sent, which for Parley holds the whole mutation ' +
        'and its commit to the disk, and for the others nothing of the kind. Processor time is that of the server, and ' +
        'hardly depends on what else the machine does; `send apart` is that less what the same sends cost Parley in a chat ' +
        'to which nobody listens; `busy` is its share of one processor. The stock wiring executes for everybody before it ' +
        'writes to anybody, so its `fan-out/s` is but half of its work, and the target beside it is for `deliveries/s`.',
      samples: await measureInTurn(contestants, stage),
      comparisons,
    };
  },
};

/** @param rate which of the two the target is for. */
function compare(title: string, to: string, atLeast?: number, rate = 'fan-out/s'): Comparison[] {
  const target = atLeast === undefined ? {} : { atLeast };
  return [
    ...['fan-out/s', 'deliveries/s'].map((figure): Comparison => ({
      case: title,
      figure,
      of: 'Parley',
      to,
      ...(figure === rate && target),
    })),
    { case: title, figure: 'CPU µs/delivery', of: 'Parley', to, lessIsBetter: true },
    { case: title, figure: 'send apart', of: 'Parley', to, lessIsBetter: true, ...target },
  ];
}

function contestantsFor(stage: Stage, listeners: number): Contestant[] {
  const peer = (name: string, file: string, dialect: Dialect): Contestant => ({
    name,
    async measure() {
      const server = await startPeer(file, { REDIS_URL: await stage.redis() });
      return measureFanOut(stage, server, {
        listeners: Array.from({ length: listeners }, () => dialect),
        speaker: dialect,
      });
    },
  });
  const anonymous = graphqlTransportWs(NOBODYS_CHAT, 'nobody');
  return [
    parleyFanningOut(stage, listeners),
    // All are given one id: whose it is, nobody can check.
    peer('bare ws', 'bare-ws', { ...anonymous, readSeq: (text) => anonymous.readSeq(text, text.slice(7, 43)) }),
    peer('stock wiring', 'stock-wiring', anonymous),
    peer('Socket.IO', 'socket-io', socketIo(NOBODYS_CHAT)),
  ];
}

export function parleyFanningOut(stage: Stage, listeners: number, start = startParley): Contestant {
  return {
    name: 'Parley',
    async measure() {
      const databaseUrl = await stage.createDatabase();
      const { people, chatId, silentChatId } = await withPostgres(databaseUrl, async (sql) => {
        const members = await addPeople(sql, Math.min(listeners, MAX_MEMBERS));
        const [id, silentId] = await addGroups(sql, 2, members);
        return { people: members, chatId: id!, silentChatId: silentId! };
      });
      const server = await start(stage, { DATABASE_URL: databaseUrl, REDIS_URL: await stage.redis() });
      const speakerToken = people[0]!.token;
      const dialectOf = ({ token }: Person) => graphqlTransportWs(chatId, token);
      const dialects = Array.from({ length: listeners }, (_, index) => dialectOf(people[index % people.length]!));
      let said = 0;
      const cases = await measureFanOut(stage, server, {
        listeners: dialects,
        speaker: graphqlTransportWs(chatId, speakerToken),
        aside: graphqlTransportWs(silentChatId, speakerToken),
        onSaid: () => (said += 1),
      });
      const kept = await withPostgres(databaseUrl, (sql) => countMessages(sql, [chatId]));
      if (kept !== said) throw new LostMessageError(`${said} messages were said, and ${kept} are kept`);
      return cases;
    },
  };
}
