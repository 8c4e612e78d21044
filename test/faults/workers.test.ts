import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Added, many, seqs } from '../realtime/operations.ts';
import { findFaults, Follower, readHistory, sendUntilKnown } from '../support/chat-history.ts';
import type { Known } from '../support/chat-history.ts';
import { backend, startCluster } from '../support/cluster.ts';
import type { Cluster, ClusterOptions, ServerProcess } from '../support/cluster.ts';
import { toParams } from '../support/document.ts';
import { scrape } from '../support/exposition.ts';
import { openDirectChat, registerPerson, send, SendMessage } from '../support/people.ts';
import type { Person } from '../support/people.ts';
import { startServer, StartError } from '../support/server-process.ts';
import { temporaryDirectory } from '../support/servers.ts';
import type { Stream } from '../support/stream.ts';
import { atFullSize } from '../support/size.ts';
import { eventually, within } from '../support/wait.ts';

const SOCKETS = 40;
const WRITERS = 4;
const SENDS = atFullSize(2_000, 200);
const START_MS = 60_000;

describe.runIf(backend === 'distributed')('workers behind one port', () => {
  it('are dealt sockets in turn, and whoever is at one hears those at the other', { timeout: 180_000 }, async () => {
    const cluster = await startWorkers();
    const server = cluster.node(0);
    const [ann, bob] = await many(2, () => registerPerson(cluster));
    const chat = await openDirectChat(ann!, bob!);
    const sockets = [];
    for (let nth = 0; nth < SOCKETS; nth += 1) sockets.push(await bob!.client().openSocket());
    const streams = sockets.map((socket) => socket.subscribe(Added, { chatId: chat.id, afterSeq: 0 }));
    // Connections of their own, and so at both workers.
    for (const seq of seqs(1, 4)) expect(await sendAnew(ann!, chat, `message ${seq}`)).toMatchObject({ seq });
    for (const stream of streams) expect(await seqsOf(stream, 4)).toEqual(seqs(1, 4));

    const [first, second] = listeningPids(server);
    process.kill(first!, 'SIGKILL');
    await replaced(server, 1);
    const closed = new Set<number>();
    sockets.forEach((socket, nth) => void socket.closed.then(() => closed.add(nth)));
    // Every other one, unless a worker was slow to say that it has one.
    const pairs = () => seqs(1, SOCKETS - 1).filter((nth) => closed.has(nth - 1) === closed.has(nth));
    await eventually(() => expect(pairs().length).toBeLessThanOrEqual(SOCKETS / 8));
    expect(isAlive(second!)).toBe(true);
    await send(ann!, chat, 'message 5');
    for (const [nth, stream] of streams.entries()) if (!closed.has(nth)) expect(await seqsOf(stream, 1)).toEqual([5]);
    await cluster.stop();
  });

  it(
    `are replaced when they are killed, and of ${SENDS} sends of ${WRITERS} writers none is lost`,
    { timeout: 600_000 },
    async () => {
      const cluster = await startWorkers();
      const server = cluster.node(0);
      const [ann, bob] = await many(2, () => registerPerson(cluster));
      const chat = await openDirectChat(ann!, bob!);
      const followers = await many(4, async () => new Follower(bob!, chat.id));
      const acknowledged: Known[] = [];
      const writing = many(WRITERS, async (writer) => {
        for (let nth = writer; nth < SENDS; nth += WRITERS) {
          const input = { chatId: chat.id, body: `message ${nth}`, clientId: `client ${nth}` };
          acknowledged.push((await sendUntilKnown(ann!, input)).message);
        }
      });
      const victims = listeningPids(server);
      for (const [nth, victim] of victims.entries()) {
        await eventually(() => expect(acknowledged.length).toBeGreaterThan((SENDS * (nth + 1)) / 4), {
          deadlineMs: 120_000,
        });
        process.kill(victim, 'SIGKILL');
        await replaced(server, nth + 1);
      }
      await writing;

      const history = await readHistory(ann!, chat.id);
      for (const follower of followers)
        await eventually(() => expect(follower.lastSeq).toBe(history.length), { deadlineMs: 20_000 });
      expect(findFaults({ acknowledged, followed: followers.map(({ seen }) => seen), history })).toEqual([]);
      expect(history).toHaveLength(SENDS);
      // It was real: each has lost its socket once or more.
      expect(followers.every(({ reconnects }) => reconnects > 0)).toBe(true);
      expect(victims.some(isAlive)).toBe(false);
      expect(listeningPids(server).filter(isAlive)).toHaveLength(2);
      expect(server.output.match(/is listening/g)).toHaveLength(1);
      expect(server.running).toBe(true);
      await Promise.all(followers.map((follower) => follower.stop()));
      await cluster.stop();
    },
  );

  it.each(['their primary alone', 'all of them'])('drain at a signal to %s', { timeout: 180_000 }, async (whom) => {
    const cluster = await startWorkers();
    const server = cluster.node(0);
    const ann = await registerPerson(cluster);
    const sockets = await many(SOCKETS, () => ann.client().openSocket());
    const pids = listeningPids(server);
    process.kill(server.pid, 'SIGINT');
    // As a terminal does, where the primary tells them once more.
    if (whom === 'all of them') for (const pid of pids) process.kill(pid, 'SIGINT');
    const exit = within(server.exited, 20_000, 'the exit');
    await eventually(async () => expect((await fetch(`${server.origin}/readyz`)).status).toBe(503), { everyMs: 10 });
    const closings = await Promise.all(sockets.map(({ closed }) => closed));
    expect(closings.filter(({ code }) => code !== 1012)).toEqual([]);
    expect(await exit).toEqual({ code: 0, signal: null });
    expect(pids.some(isAlive)).toBe(false);
    // Every line says whose it is.
    const named = linesOf(server, 'a worker listens').map(({ worker, workerPid }) => ({ worker, pid: workerPid }));
    expect(linesOf(server, 'stopping')).toEqual(
      expect.arrayContaining(named.map((name): unknown => expect.objectContaining(name))),
    );
    await cluster.stop();
  });

  it('do not drain when somebody means it: at the second signal', { timeout: 180_000 }, async () => {
    const cluster = await startWorkers({ allowExitCode: 1 });
    const server = cluster.node(0);
    const ann = await registerPerson(cluster);
    // Enough that closing them one after the other takes its time.
    const sockets = await many(SOCKETS, () => ann.client().openSocket());
    process.kill(server.pid, 'SIGTERM');
    await eventually(() => expect(saying(server, 'stopping').length).toBeGreaterThan(1), { everyMs: 1 });
    process.kill(server.pid, 'SIGTERM');
    expect(await within(server.exited, 10_000, 'the exit')).toMatchObject({ code: 1 });
    const closings = await Promise.all(sockets.map(({ closed }) => closed));
    expect(closings.some(({ code }) => code === 1006)).toBe(true);
    await eventually(() => expect(listeningPids(server).some(isAlive)).toBe(false));
    await cluster.stop();
  });

  it('tell by the exit code of their primary that one of them did not drain', { timeout: 180_000 }, async () => {
    const cluster = await startWorkers({ allowExitCode: 1, allowErrors: [/a worker did not drain/] });
    const server = cluster.node(0);
    const ann = await registerPerson(cluster);
    await many(SOCKETS, () => ann.client().openSocket());
    process.kill(server.pid, 'SIGTERM');
    await eventually(() => expect(saying(server, 'stopping').length).toBeGreaterThan(1), { everyMs: 1 });
    process.kill(listeningPids(server)[0]!, 'SIGKILL');
    expect(await within(server.exited, 20_000, 'the exit')).toEqual({ code: 1, signal: null });
    await cluster.stop();
  });

  it('are one to whoever asks for metrics, and what the dead have counted stays', { timeout: 180_000 }, async () => {
    const cluster = await startWorkers({ env: { METRICS_PORT: '0' } });
    const server = cluster.node(0);
    const [ann, bob] = await many(2, () => registerPerson(cluster));
    const chat = await openDirectChat(ann!, bob!);
    const sockets = await many(10, () => bob!.client().openSocket());
    const SENT = 20;
    // Connections of their own, and so at both workers.
    for (let nth = 0; nth < SENT; nth += 1) await sendAnew(ann!, chat, `message ${nth}`);
    const before = await scrape(server);
    expect(before.read('parley_messages_sent_total')).toBe(SENT);
    expect(before.read('parley_operations_total', { type: 'mutation' })).toBe(SENT + 3);
    expect(before.read('parley_sockets_open')).toBe(10);
    // Not a sum.
    expect(before.read('parley_broker_up')).toBe(1);
    const pools = before.families.get('parley_database_connections')!.samples;
    expect(new Set(pools.map(({ labels }) => labels['state']))).toEqual(new Set(['idle', 'in_use']));
    expect(pools).toHaveLength(2);

    for (const [nth, pid] of listeningPids(server).entries()) {
      process.kill(pid, 'SIGKILL');
      // Also while one of two is gone.
      expect((await scrape(server)).read('parley_messages_sent_total')).toBe(SENT);
      await replaced(server, nth + 1);
      const after = await scrape(server);
      expect(after.read('parley_messages_sent_total')).toBe(SENT);
      expect(after.read('parley_feed_lag_seconds_count')).toBe(before.read('parley_feed_lag_seconds_count'));
    }
    // What they said of their end is no figures.
    expect(saying(server, 'a worker has died').join()).not.toContain('parley_');
    await eventually(async () => expect((await scrape(server)).read('parley_sockets_open')).toBe(0));
    await sendAnew(ann!, chat, 'once more');
    expect((await scrape(server)).read('parley_messages_sent_total')).toBe(SENT + 1);
    await Promise.all(sockets.map(({ closed }) => closed));
    await cluster.stop();
  });

  it('answer for one that stands still by what it said last', { timeout: 180_000 }, async () => {
    const cluster = await startWorkers({ env: { METRICS_PORT: '0' } });
    const server = cluster.node(0);
    const ann = await registerPerson(cluster);
    const chat = await openDirectChat(ann, await registerPerson(cluster));
    for (let nth = 0; nth < 4; nth += 1) await sendAnew(ann, chat, `message ${nth}`);
    expect((await scrape(server)).read('parley_messages_sent_total')).toBe(4);
    const [first] = listeningPids(server);
    process.kill(first!, 'SIGSTOP');
    try {
      const [one, other] = await Promise.all([scrape(server), scrape(server)]);
      expect(one.read('parley_messages_sent_total')).toBe(4);
      expect(other.read('parley_messages_sent_total')).toBe(4);
    } finally {
      process.kill(first!, 'SIGCONT');
    }
    await cluster.stop();
  });

  it('do not outlive a primary that is killed', { timeout: 180_000 }, async () => {
    const cluster = await startWorkers();
    const server = cluster.node(0);
    const pids = listeningPids(server);
    expect(pids.every(isAlive)).toBe(true);
    process.kill(server.pid, 'SIGKILL');
    try {
      await eventually(() => expect(pids.filter(isAlive)).toEqual([]));
    } finally {
      for (const pid of pids.filter(isAlive)) process.kill(pid, 'SIGKILL');
    }
    await cluster.stop();
  });
});

describe.runIf(backend === 'distributed')('a worker that cannot start', () => {
  const roles: string[] = [];
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster({ nodes: 0 });
  });
  afterAll(async () => {
    for (const role of roles) await cluster.sql(`DROP ROLE ${role}`);
    await cluster.stop();
  });

  it('ends the primary with its code, and says why once for all', { timeout: 180_000 }, async () => {
    const role = await addRole('NOLOGIN');
    const refusal = await refusalOf({ WORKERS: '3', ...place(role) });
    expect(refusal.exit).toEqual({ code: 1, signal: null });
    expect(refusal.logs).toEqual([
      expect.stringMatching(/^parley: Cannot open the database at .*not permitted to log/),
    ]);
  });

  it('is tried again while others serve, and ends the primary once there is none', { timeout: 180_000 }, async () => {
    const role = await addRole('LOGIN');
    const directory = await temporaryDirectory('workers');
    const server = await startServer({ env: { WORKERS: '2', ...place(role) }, cwd: directory.path });
    const [first, second] = listeningPids(server);
    await cluster.sql(`ALTER ROLE ${role} NOLOGIN`);
    process.kill(first!, 'SIGKILL');
    // The one that serves may want another connection meanwhile, and says so itself.
    const failures = () =>
      saying(server, 'a worker has died').filter((line) => line.includes('not permitted to log in'));
    await eventually(() => expect(failures().length).toBeGreaterThan(1), { deadlineMs: START_MS });
    expect(server.logs.filter((line) => line.startsWith('parley:'))).toEqual([]);
    expect(await (await fetch(`${server.origin}/livez`)).json()).toEqual({ status: 'live' });
    await cluster.sql(`ALTER ROLE ${role} LOGIN`);
    await replaced(server, 1);

    await cluster.sql(`ALTER ROLE ${role} NOLOGIN`);
    for (const pid of [second!, listeningPids(server).at(-1)!]) process.kill(pid, 'SIGKILL');
    expect(await within(server.exited, START_MS, 'the exit')).toEqual({ code: 1, signal: null });
    expect(server.logs.filter((line) => line.startsWith('parley:'))).toHaveLength(1);
    await directory.remove();
  });

  const place = (role: string) => {
    const url = new URL(cluster.databaseUrl!);
    url.username = role;
    url.password = role;
    return { DATABASE_URL: url.href, REDIS_URL: cluster.redisUrl!, REDIS_PREFIX: cluster.redisPrefix! };
  };

  async function addRole(login: 'LOGIN' | 'NOLOGIN'): Promise<string> {
    const role = `parley_${randomBytes(4).toString('hex')}`;
    await cluster.sql(`CREATE ROLE ${role} SUPERUSER ${login} PASSWORD '${role}'`);
    roles.push(role);
    return role;
  }
});

describe('more than one worker', () => {
  it('is refused where everything is within one process', async () => {
    const refusal = await refusalOf({ WORKERS: '2' });
    expect(refusal.exit).toEqual({ code: 1, signal: null });
    expect(refusal.logs).toEqual([expect.stringMatching(/^parley: WORKERS .* DATABASE_URL and REDIS_URL/)]);
    expect(refusal.output).toBe('');
  });
});

/** One server of two workers. */
const startWorkers = (options: ClusterOptions = {}) =>
  startCluster({ ...options, nodes: 1, env: { WORKERS: '2', ...options.env } });

const saying = ({ logs }: ServerProcess, words: string) => logs.filter((line) => line.includes(words));

interface Line {
  worker?: number;
  workerPid: number;
}

const linesOf = (server: ServerProcess, words: string) => saying(server, words).map((line) => JSON.parse(line) as Line);

/** Of all workers that ever listened, in the order in which they did. */
const listeningPids = (server: ServerProcess) => linesOf(server, 'a worker listens').map(({ workerPid }) => workerPid);

async function replaced(server: ServerProcess, times: number): Promise<void> {
  await eventually(() => expect(listeningPids(server)).toHaveLength(2 + times), { deadlineMs: START_MS });
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function seqsOf<Data extends { messageAdded: { seq: number } }>(
  stream: Stream<Data>,
  count: number,
): Promise<number[]> {
  const seen: number[] = [];
  while (seen.length < count) seen.push((await stream.next()).messageAdded.seq);
  return seen;
}

/** Over a connection of its own. */
async function sendAnew(person: Person, chat: { id: string }, body: string): Promise<unknown> {
  const { json } = await person.client().raw({
    headers: { 'content-type': 'application/json', authorization: `Bearer ${person.accessToken}` },
    body: JSON.stringify(toParams(SendMessage, { input: { chatId: chat.id, body } })),
  });
  return json.data.sendMessage;
}

async function refusalOf(env: Record<string, string>): Promise<StartError> {
  const directory = await temporaryDirectory('workers');
  try {
    const server = await startServer({ env, cwd: directory.path });
    await server.stop();
  } catch (error) {
    if (error instanceof StartError) return error;
    throw error;
  } finally {
    await directory.remove();
  }
  throw new Error('it was not refused');
}
