import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Added, Chats, many, Updated } from '../realtime/operations.ts';
import { rawSocket } from '../support/client.ts';
import { backend, startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { toParams } from '../support/document.ts';
import { countHeld, findGrowth, measureHeap } from '../support/footprint.ts';
import type { Counts } from '../support/footprint.ts';
import { closeIdleConnections } from '../support/idle-connections.ts';
import { INSPECTABLE, INSPECTOR_LINES } from '../support/inspector.ts';
import { openGroup, send } from '../support/people.ts';
import type { Person } from '../support/people.ts';
import { startPrivatePostgres } from '../support/postgres.ts';
import type { PrivatePostgres } from '../support/postgres.ts';
import { startPrivateRedis } from '../support/redis.ts';
import type { PrivateRedis } from '../support/redis.ts';
import { report, SOAK_MINUTES } from '../support/size.ts';
import type { RawSocket } from '../support/sockets.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import type { TcpProxy } from '../support/tcp-proxy.ts';
import { eventually } from '../support/wait.ts';
import { gatherCrowd } from './crowd.ts';
import type { Crowd } from './crowd.ts';

const atLength = <T>(long: T, short: T): T => (SOAK_MINUTES === undefined ? short : long);

const CROWD = atLength(
  { people: 40, chats: 10, sockets: 200, messagesPerSecond: 50, stayMs: 20_000 },
  { people: 10, chats: 4, sockets: 60, messagesPerSecond: 50, stayMs: 3_000 },
);
const FAULTS = Math.ceil(SOAK_MINUTES ?? 9);
const FAULT_EVERY_MS = atLength(60_000, 1_000);
/** Before the first measurement: caches fill, and code is compiled. */
const WARM_UP_FAULTS = 4;
const WARM_UP_FAULT_EVERY_MS = atLength(15_000, 1_000);
/** Past the time in which a node finds out: 11 s for Redis, 3 s for PostgreSQL. */
const REDIS_PAUSED_MS = atLength(15_000, 1_000);
const POSTGRES_FROZEN_MS = atLength(15_000, 3_500);
/** A peer that is dead or stuck is let go within 27 s, an idle database connection within 10 s. */
const QUIET_WITHIN_MS = 60_000;
/** Of one node: two to Redis, and one to PostgreSQL for its lease. */
const CONNECTIONS_AT_REST = backend === 'distributed' ? 3 : 0;
/** Of what was there, and what lies in memory by chance. */
const HEAP_FACTOR = 1.1;
const HEAP_CHANCE_MB = 2;

const OUR_CONNECTIONS = `FROM pg_stat_activity WHERE application_name = 'parley'`;

/** Begins and, where it does not pass by itself, ends. */
type Fault = () => Promise<unknown>;

describe('a soak', () => {
  let postgres: PrivatePostgres | undefined;
  let redis: PrivateRedis | undefined;
  let cluster: Cluster;
  /** In front of each node, for everybody but those whose connections are to be forgotten. */
  let wires: TcpProxy[];
  let crowd: Crowd;
  let archive: { id: string };
  const stalled: RawSocket[] = [];

  beforeAll(async () => {
    if (backend === 'distributed') [postgres, redis] = await Promise.all([startPrivatePostgres(), startPrivateRedis()]);
    cluster = await startCluster({
      env: {
        ...INSPECTABLE,
        // Nobody renews theirs, and the whole may take longer than the default.
        ACCESS_TOKEN_TTL: '12h',
        ...(postgres && redis && { DATABASE_URL: postgres.url, REDIS_URL: redis.url }),
      },
      allowErrors: [INSPECTOR_LINES],
    });
    wires = await Promise.all(cluster.nodes.map(({ port }) => startTcpProxy({ port })));
    crowd = await gatherCrowd({ ...CROWD, place: behind(wires) });
    archive = await openGroup(crowd.people[0]!, [], 'The archive');
    // More than the kernels on the way to a reader keep: it has to be taken many times.
    await many(20, () => send(crowd.people[0]!, archive, '\u{1f30a}'.repeat(8_000)));
  });

  afterAll(async () => {
    await cluster?.stop();
    await Promise.all(wires?.map((wire) => wire.close()));
    await Promise.all([postgres?.remove(), redis?.remove()]);
  });

  /** The cluster, found at other ports. */
  function behind(proxies: TcpProxy[]): Cluster {
    const nodes = cluster.nodes.map((node, index) => {
      const host = `127.0.0.1:${proxies[index]!.port}`;
      return { ...node, url: `http://${host}/graphql`, wsUrl: `ws://${host}/graphql`, origin: `http://${host}` };
    });
    return { ...cluster, nodes, node: (index) => nodes[index % nodes.length]! };
  }

  async function listen(person: Person, wsUrl: string, subscriptions: object[]): Promise<RawSocket> {
    const raw = await rawSocket({ wsUrl });
    raw.send({ type: 'connection_init', payload: { authorization: `Bearer ${person.accessToken}` } });
    await raw.nextMessage();
    subscriptions.forEach((payload, id) => raw.send({ type: 'subscribe', id: String(id), payload }));
    await raw.nextMessage();
    return raw;
  }

  /** How many rows it answers. */
  async function query(statement: string): Promise<number> {
    const client = new pg.Client({ connectionString: postgres!.url });
    await client.connect();
    const { rowCount } = await client.query(statement).finally(() => client.end());
    return rowCount ?? 0;
  }

  /** Found out at once, and so over soon. */
  const quickFaults: Fault[] = [resetClients];
  const faults: Fault[] = [vanish, stall, resetClients];
  if (backend === 'distributed') {
    quickFaults.push(endSubscriptions, endDatabaseConnections);
    faults.push(endSubscriptions, pauseRedis, endDatabaseConnections, freezePostgres, restartRedis, restartPostgres);
  }

  async function resetClients(): Promise<void> {
    for (const wire of wires) wire.reset();
    closeIdleConnections();
  }

  async function endSubscriptions(): Promise<void> {
    await redis!.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
  }

  async function pauseRedis(): Promise<void> {
    redis!.pause();
    await delay(REDIS_PAUSED_MS);
    redis!.resume();
  }

  async function restartRedis(): Promise<void> {
    await redis!.kill();
    await redis!.start();
  }

  async function endDatabaseConnections(): Promise<void> {
    await query(`SELECT pg_terminate_backend(pid) ${OUR_CONNECTIONS}`);
  }

  async function freezePostgres(): Promise<void> {
    await postgres!.freeze();
    await delay(POSTGRES_FROZEN_MS);
    await postgres!.thaw();
  }

  async function restartPostgres(): Promise<void> {
    await postgres!.stop();
    await postgres!.start();
  }

  /** Their ends of the connections are gone; the servers' ends stand. */
  async function vanish(): Promise<void> {
    const proxies = await Promise.all(cluster.nodes.map(({ port }) => startTcpProxy({ port })));
    const { nodes } = behind(proxies);
    const sockets = await many(5 * nodes.length, (nth) =>
      listen(crowd.people[0]!, nodes[nth % nodes.length]!.wsUrl, [
        toParams(Added, { chatId: archive.id, afterSeq: 0 }),
        toParams(Updated, { chatId: archive.id }),
        toParams(Chats),
      ]),
    );
    for (const proxy of proxies) proxy.set({ kind: 'drop' });
    for (const { socket } of sockets) socket.terminate();
    // What the proxy still knows when it is closed, it resets on both sides.
    await eventually(() => proxies.forEach(({ connections }) => expect(connections).toBe(0)));
    await Promise.all(proxies.map((proxy) => proxy.close()));
  }

  /** They ask for much, and take nothing of it. */
  async function stall(): Promise<void> {
    const everything = toParams(Added, { chatId: archive.id, afterSeq: 0 });
    const sockets = await Promise.all(
      cluster.nodes.map(({ wsUrl }) => listen(crowd.people[0]!, wsUrl, Array<object>(30).fill(everything))),
    );
    for (const { socket } of sockets) socket.pause();
    stalled.push(...sockets);
  }

  async function strikeAll(list: Fault[], everyMs: number): Promise<void> {
    for (const strike of list) await Promise.all([strike(), delay(everyMs)]);
  }

  async function countAll(): Promise<Counts> {
    const counts: Counts = {};
    for (const [index, node] of cluster.nodes.entries())
      for (const [name, count] of Object.entries(await countHeld(node))) counts[`node ${index}, ${name}`] = count;
    if (backend === 'embedded') {
      // The database's own, which it opens and closes as it likes.
      delete counts['node 0, files'];
      return counts;
    }
    const clients = (await redis!.command('CLIENT', 'LIST')) as string;
    const channels = (await redis!.command('PUBSUB', 'CHANNELS', '*')) as string[];
    counts['Redis clients'] = clients.trim().split('\n').length;
    counts['Redis channels'] = channels.length;
    counts['database connections'] = await query(`SELECT ${OUR_CONNECTIONS}`);
    return counts;
  }

  /** What is held for nobody. With the connections for the leases, which may be between the last one and the next. */
  async function countAtRest(): Promise<Counts> {
    let last: Counts = {};
    return eventually(
      async () => {
        const counts = await countAll();
        const previous = last;
        last = counts;
        cluster.nodes.forEach((_, index) =>
          expect(counts[`node ${index}, TCPSocketWrap`] ?? 0).toBe(CONNECTIONS_AT_REST),
        );
        if (backend === 'distributed') expect(counts['database connections']).toBe(cluster.nodes.length);
        expect(counts['Redis channels'] ?? 0).toBe(0);
        expect(findGrowth(previous, counts)).toEqual([]);
        return counts;
      },
      { deadlineMs: QUIET_WITHIN_MS, everyMs: 500 },
    );
  }

  /** Whoever is still there goes. */
  function clear(): void {
    for (const { socket } of stalled.splice(0)) socket.terminate();
    for (const wire of wires) wire.reset();
  }

  const measureHeaps = () => Promise.all(cluster.nodes.map(measureHeap));

  const cycle = (list: Fault[], length: number) => Array.from({ length }, (_, nth) => list[nth % list.length]!);

  it('leaves nothing behind but what was said', { timeout: 7_200_000 }, async () => {
    const warmUp = await crowd.during(() => strikeAll(cycle(quickFaults, WARM_UP_FAULTS), WARM_UP_FAULT_EVERY_MS));
    expect(warmUp.faults).toEqual([]);
    clear();
    const before = await countAtRest();
    const heapsBefore = await measureHeaps();

    const soak = await crowd.during(() => strikeAll(cycle(faults, FAULTS), FAULT_EVERY_MS));
    expect(soak.faults).toEqual([]);
    // The load was there, and so were the faults.
    expect(soak.sent).toBeGreaterThan(0);
    expect(soak.visits).toBeGreaterThan(0);
    expect(soak.reconnects).toBeGreaterThan(0);
    clear();
    await eventually(async () => expect(findGrowth(before, await countAll())).toEqual([]), {
      deadlineMs: QUIET_WITHIN_MS,
      everyMs: 500,
    });
    const heaps = await measureHeaps();
    report('a soak', { minutes: SOAK_MINUTES, ...soak, held: before, megabytesBefore: heapsBefore, megabytes: heaps });
    heaps.forEach((heap, index) =>
      expect(heap, `megabytes at node ${index}`).toBeLessThan(heapsBefore[index]! * HEAP_FACTOR + HEAP_CHANCE_MB),
    );
  });
});
