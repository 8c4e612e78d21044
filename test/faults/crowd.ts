import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { Added, Chats, deleteMessage, editMessage, logOut, many, markRead, Updated } from '../realtime/operations.ts';
import { findFaults, Follower, readHistory, sendUntilKnown } from '../support/chat-history.ts';
import type { Known } from '../support/chat-history.ts';
import { GraphQLRequestError } from '../support/client.ts';
import type { Cluster } from '../support/cluster.ts';
import { signIn } from '../support/devices.ts';
import { addMember, leaveChat } from '../support/membership.ts';
import { openGroup, registerPerson, send } from '../support/people.ts';
import type { Person } from '../support/people.ts';
import { eventually, within } from '../support/wait.ts';

export interface CrowdOptions {
  /** Where people find the servers. */
  place: Cluster;
  people: number;
  chats: number;
  /** At a time, WebSockets and event streams together. */
  sockets: number;
  messagesPerSecond: number;
  /** How long somebody who comes and goes stays, at most. */
  stayMs: number;
}

export interface CrowdReport {
  sent: number;
  /** How often somebody came and went undisturbed. */
  visits: number;
  /** How often a follower had to come back. */
  reconnects: number;
  /** What was lost, doubled or out of order, and what should not have been refused. */
  faults: string[];
}

/** People who write, listen, come and go at all nodes, whatever becomes of the servers. */
export interface Crowd {
  readonly people: readonly Person[];
  /** Everybody is busy, in chats that are new, while `what` happens. Nobody is connected before or after. */
  during(what: () => Promise<void>): Promise<CrowdReport>;
}

const WRITERS = 10;
const TRADERS = 2;
const BODY = 'x'.repeat(500);
/** Of a database that is away, or of a first attempt that was not cut off before it was done. */
const EXPECTED_REFUSALS = ['SERVICE_UNAVAILABLE', 'CONFLICT', 'NOT_FOUND'];

interface Room {
  id: string;
  followers: Follower[];
  acknowledged: Known[];
}

export async function gatherCrowd(options: CrowdOptions): Promise<Crowd> {
  const { place, chats, sockets, messagesPerSecond, stayMs } = options;
  const people = await many(options.people, (nth) => registerPerson(place, { firstName: `Person ${nth}` }));
  const person = (nth: number): Person => people[nth % people.length]!;

  /** Where everything that was said must stand at the end, and be shown to three followers. */
  async function openRoom(nth: number): Promise<Room> {
    const members = people.filter((other) => other !== person(nth));
    const { id } = await openGroup(person(nth), members, `Room ${nth}`);
    const followers = [
      new Follower(person(nth), id, { node: 0 }),
      new Follower(person(nth + 1), id, { node: 1 }),
      new Follower(person(nth + 2), id, { node: nth, transport: 'sse' }),
    ];
    return { id, followers, acknowledged: [] };
  }

  async function findFaultsOf({ id, followers, acknowledged }: Room): Promise<string[]> {
    const history = await readHistory(person(0), id);
    const isComplete = () => followers.every(({ lastSeq }) => lastSeq >= history.length);
    await eventually(() => isComplete() || Promise.reject(new Error()), { deadlineMs: 30_000 }).catch(() => {});
    return findFaults({ acknowledged, followed: followers.map(({ seen }) => seen), history });
  }

  async function during(what: () => Promise<void>): Promise<CrowdReport> {
    const rooms = await many(chats, openRoom);
    const followers = rooms.flatMap((room) => room.followers);
    // Where messages change, and members come and go.
    const market = await openGroup(person(0), people.slice(1, 1 + TRADERS), 'The market');
    const visitors = people.slice(1 + TRADERS);
    const refusals = new Set<string>();
    const ending = new AbortController();
    setMaxListeners(0, ending.signal);
    let visits = 0;

    const pause = (ms: number) => delay(ms, undefined, { signal: ending.signal }).catch(() => {});

    /** From now to the end, at most so often. What fails is left, and the next is begun. */
    async function repeat(everyMs: number, act: (turn: number) => Promise<void>): Promise<void> {
      await pause(Math.random() * everyMs);
      for (let turn = 0; !ending.signal.aborted; turn += 1) {
        const next = pause(everyMs);
        await act(turn).catch((error: unknown) => {
          if (error instanceof GraphQLRequestError && !EXPECTED_REFUSALS.includes(String(error.code)))
            refusals.add(error.message);
          return pause(100 + Math.random() * 100);
        });
        await next;
      }
    }

    async function write(writer: number, turn: number): Promise<void> {
      const room = rooms[(writer + turn * WRITERS) % chats]!;
      const name = `writer ${writer}, message ${turn}`;
      const { message } = await sendUntilKnown(
        person(writer),
        { chatId: room.id, body: `${name} ${BODY}`, clientId: name },
        { firstNode: turn },
      );
      room.acknowledged.push(message);
    }

    async function trade(trader: number, turn: number): Promise<void> {
      const offer = await send(person(trader), market, 'for sale', { nodeIndex: turn });
      await editMessage(person(trader), offer, 'sold');
      await markRead(person(0), market, offer.seq, turn);
      if (turn % 2 === 0) await deleteMessage(person(trader), offer);
    }

    /** Comes with a new session, becomes a member and leaves, and signs out. */
    async function visitMarket(turn: number): Promise<void> {
      const visitor = visitors[turn % visitors.length]!;
      const device = await signIn(place, visitor, { nodeIndex: turn });
      const socket = await device.client(turn).openSocket();
      try {
        socket.subscribe(Chats, {});
        await addMember(person(0), market, visitor).catch((error: unknown) => {
          // The visit before this one was cut short.
          if (!(error instanceof GraphQLRequestError && error.code === 'CONFLICT')) throw error;
        });
        socket.subscribe(Added, { chatId: market.id, afterSeq: 0 });
        await pause(Math.random() * 500);
        await leaveChat(visitor, market);
        await logOut({ ...visitor, client: device.client });
        await within(socket.closed, 10_000, 'the end of a socket whose session has ended');
        visits += 1;
      } finally {
        await socket.close();
      }
    }

    async function visitRoom(guest: number, turn: number): Promise<void> {
      const { id: chatId, followers } = rooms[guest % chats]!;
      const client = person(guest + turn).client(guest + turn);
      const recent = { chatId, afterSeq: followers[0]!.lastSeq };
      if (guest % 4 === 0) {
        const stream = await client.subscribe(Added, recent, { transport: 'sse' });
        await pause(Math.random() * stayMs);
        await stream.close();
      } else {
        const socket = await client.openSocket();
        try {
          socket.subscribe(Updated, { chatId });
          // Everybody is in every room: this tells them of each message.
          if (guest % 8 === 1) socket.subscribe(Chats, {});
          const first = socket.subscribe(Added, recent);
          await pause((Math.random() * stayMs) / 2);
          await first.close();
          socket.subscribe(Added, recent);
          await pause((Math.random() * stayMs) / 2);
        } finally {
          await socket.close();
        }
      }
      visits += 1;
    }

    const everybody = [
      ...times(WRITERS, (nth) => repeat((1_000 * WRITERS) / messagesPerSecond, (turn) => write(nth, turn))),
      ...times(TRADERS, (nth) => repeat(500, (turn) => trade(1 + nth, turn))),
      repeat(500, visitMarket),
      ...times(sockets - followers.length - 1, (nth) => repeat(0, (turn) => visitRoom(nth, turn))),
    ];
    await what().finally(() => ending.abort());
    await within(Promise.all(everybody), 90_000, 'the end of what people were doing');
    const faults = (await many(chats, (nth) => findFaultsOf(rooms[nth]!))).flat();
    await Promise.all(followers.map((follower) => follower.stop()));
    return {
      sent: rooms.reduce((sum, { acknowledged }) => sum + acknowledged.length, 0),
      visits,
      reconnects: followers.reduce((sum, { reconnects }) => sum + reconnects, 0),
      faults: [...refusals, ...faults],
    };
  }

  return { people, during };
}

const times = <T>(count: number, act: (nth: number) => T): T[] => Array.from({ length: count }, (_, nth) => act(nth));
