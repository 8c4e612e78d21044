import type { Socket as NetSocket } from 'node:net';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { readHistory } from '../support/chat-history.ts';
import { backend, startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { rawSocket } from '../support/client.ts';
import type { RawSocket } from '../support/sockets.ts';
import { openGroup, registerPerson, send } from '../support/people.ts';
import type { Person } from '../support/people.ts';
import { atFullSize } from '../support/size.ts';
import { eventually } from '../support/wait.ts';

/** What a node does by itself, such as to write who is online, begins otherwise. */
const A_READ = /^\s*SELECT/;
const A_SEND = /INSERT INTO message/;
/** Of which one person reads pages on one. */
const POOL_SIZE = 2;
/** Half of PostgreSQL's own patience with a statement, which would end it, too. */
const CANCELLED_WITHIN_MS = 1_500;

interface Read {
  /** Which table keeps it waiting. */
  table: 'message' | 'chat' | 'chat_member' | 'app_user' | 'session' | 'presence';
  query: string;
  /** What its statement is like, and no other that waits for the table. */
  like?: RegExp;
}

type Way = 'a POST' | 'a GET' | 'a socket that closes' | 'a socket that completes the operation';

/** A client goes away while PostgreSQL works for it: the work ends, and the connection is used again. */
describe.runIf(backend === 'distributed')('a client that goes away', () => {
  let cluster: Cluster;
  let ann: Person;
  let bob: Person;
  let chatId: string;
  let messageId: string;
  let holder: pg.Client;
  let sockets: RawSocket[] = [];

  beforeAll(async () => {
    cluster = await startCluster({ nodes: 1, env: { DATABASE_POOL_SIZE: String(POOL_SIZE) } });
    ann = await registerPerson(cluster, { firstName: 'Ann' });
    bob = await registerPerson(cluster, { firstName: 'Bob' });
    const chat = await openGroup(ann, [bob]);
    chatId = chat.id;
    messageId = (await send(ann, chat, 'hello')).id;
  });
  afterAll(() => cluster?.stop());

  beforeEach(async () => {
    holder = new pg.Client({ connectionString: cluster.databaseUrl });
    await holder.connect();
  });
  afterEach(async () => {
    await holder.end();
    for (const socket of sockets) socket.socket.terminate();
    await Promise.all(sockets.map(({ closed }) => closed));
    sockets = [];
  });

  async function holdTable(table: string): Promise<void> {
    await holder.query('BEGIN');
    await holder.query(`LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`);
  }

  const letGo = () => holder.query('COMMIT');

  /** The server's sessions with such a statement that waits for what the holder has. */
  async function waitingPids(like = A_READ): Promise<number[]> {
    const rows = await cluster.sql<{ pid: number }>(
      `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'parley'
        AND state = 'active' AND wait_event_type = 'Lock' AND query ~ $1`,
      [like.source],
    );
    return rows.map(({ pid }) => pid);
  }

  const untilWaiting = (count: number, like?: RegExp) =>
    eventually(async () => {
      const pids = await waitingPids(like);
      expect(pids).toHaveLength(count);
      return pids;
    });

  const untilNoneWaits = (like?: RegExp) =>
    eventually(async () => expect(await waitingPids(like)).toEqual([]), { deadlineMs: CANCELLED_WITHIN_MS });

  const history = () => `{ chat(id: "${chatId}") { messages(last: 5) { edges { node { body } } } } }`;

  /** Asks, and answers how to go away. */
  async function ask(way: Way, query: string, person = ann): Promise<() => void> {
    if (way === 'a POST' || way === 'a GET') return askByHttp(way, query, person).leave;
    const socket = await openSocket();
    socket.send({ id: 'read', type: 'subscribe', payload: { query } });
    if (way === 'a socket that closes') return () => socket.socket.terminate();
    return () => socket.send({ id: 'read', type: 'complete' });
  }

  function askByHttp(way: 'a POST' | 'a GET', query: string, person = ann) {
    const { url } = cluster.node(0);
    const abort = new AbortController();
    const authorization = `Bearer ${person.accessToken}`;
    const { signal } = abort;
    const response =
      way === 'a GET'
        ? fetch(`${url}?query=${encodeURIComponent(query)}`, {
            headers: { authorization, 'apollo-require-preflight': '1' },
            signal,
          })
        : fetch(url, {
            method: 'POST',
            headers: { authorization, 'content-type': 'application/json' },
            body: JSON.stringify({ query }),
            signal,
          });
    const answer = response.then(async (arrived) => (await arrived.json()) as unknown);
    // Who leaves does not look at it.
    answer.catch(() => {});
    return { answer, leave: () => abort.abort() };
  }

  async function openSocket(): Promise<RawSocket> {
    const socket = await rawSocket(cluster.node(0));
    sockets.push(socket);
    socket.send({ type: 'connection_init', payload: { authorization: `Bearer ${ann.accessToken}` } });
    expect(await socket.nextMessage()).toMatchObject({ type: 'connection_ack' });
    return socket;
  }

  const WAYS: Way[] = ['a POST', 'a GET', 'a socket that closes', 'a socket that completes the operation'];
  it.each(WAYS)('%s: the statement ends, and its session takes another', async (way) => {
    await holdTable('message');
    const leave = await ask(way, history());
    const [pid] = await untilWaiting(1);
    leave();
    await untilNoneWaits();
    const others = [ann, bob].map((person) => askByHttp('a POST', history(), person));
    expect(await untilWaiting(POOL_SIZE)).toContain(pid);
    await letGo();
    for (const { answer } of others) expect(await answer).toMatchObject({ data: { chat: expect.anything() } });
  });

  const reads: Record<string, () => Read> = {
    'a chat': () => ({ table: 'chat', query: `{ chat(id: "${chatId}") { id } }` }),
    'the list of chats': () => ({ table: 'chat', query: '{ chats { edges { node { id } } } }' }),
    members: () => ({ table: 'app_user', query: `{ chat(id: "${chatId}") { members { role } } }` }),
    'an unread count': () => ({ table: 'message', query: `{ chat(id: "${chatId}") { unreadCount } }` }),
    'a last message': () => ({ table: 'message', query: `{ chat(id: "${chatId}") { lastMessage { seq } } }` }),
    'a message': () => ({ table: 'message', query: `{ message(id: "${messageId}") { seq } }` }),
    oneself: () => ({ table: 'app_user', query: '{ me { id } }' }),
    somebody: () => ({ table: 'app_user', query: `{ user(id: "${ann.id}") { id } }` }),
    'people by name': () => ({ table: 'app_user', query: '{ users(search: "bob") { edges { node { id } } } }' }),
    presence: () => ({ table: 'presence', query: '{ me { isOnline } }' }),
    sessions: () => ({ table: 'session', query: '{ sessions { id } }', like: /device_name/ }),
    'a refresh token': () => ({
      table: 'session',
      query: `{ verifyToken(token: "${ann.refreshToken}") }`,
      like: /device_name/,
    }),
  };
  it.each(Object.keys(reads))('reads %s no further', async (name) => {
    const { table, query, like } = reads[name]!();
    const socket = await openSocket();
    await holdTable(table);
    socket.send({ id: 'read', type: 'subscribe', payload: { query } });
    await untilWaiting(1, like);
    socket.send({ id: 'read', type: 'complete' });
    await untilNoneWaits(like);
    await letGo();
  });

  it('leaves alone what somebody else waits for as well', async () => {
    const socket = await openSocket();
    await holdTable('message');
    const query = `{ chat(id: "${chatId}") { lastMessage { body } } }`;
    const frame = (id: string) => ({ id, type: 'subscribe', payload: { query } });
    // In one write, so that both are read in the same turn and share their statements.
    const { _socket: wire } = socket.socket as unknown as { _socket: NetSocket };
    wire.cork();
    socket.send(frame('leaves'));
    socket.send(frame('stays'));
    wire.uncork();
    const shared = await untilWaiting(1);
    socket.send({ id: 'leaves', type: 'complete' });
    // By when this one is found out, so is the other.
    const leave = await ask('a POST', history(), bob);
    await untilWaiting(2);
    leave();
    await eventually(async () => expect(await waitingPids()).toEqual(shared), { deadlineMs: CANCELLED_WITHIN_MS });
    await letGo();
    expect(await socket.nextMessage()).toMatchObject({
      id: 'stays',
      payload: { data: { chat: { lastMessage: { body: 'hello' } } } },
    });
  });

  it('leaves a write to its end', async () => {
    const socket = await openSocket();
    await holdTable('message');
    const input = `{ chatId: "${chatId}", body: "kept", clientId: "kept" }`;
    const query = `mutation { sendMessage(input: ${input}) { seq } }`;
    socket.send({ id: 'write', type: 'subscribe', payload: { query } });
    await untilWaiting(1, A_SEND);
    socket.send({ id: 'write', type: 'complete' });
    // By when this one is found out, so is the write's.
    const leave = await ask('a POST', history());
    await untilWaiting(1);
    leave();
    await untilNoneWaits();
    expect(await waitingPids(A_SEND)).toHaveLength(1);
    await letGo();
    await eventually(async () => {
      const [row] = await cluster.sql<{ n: number }>(`SELECT count(*)::int AS n FROM message WHERE body = 'kept'`);
      expect(row!.n).toBe(1);
    });
  });

  it('begins nothing that was left before its turn came', async () => {
    // Whom the server has not seen yet, it looks up.
    const newcomer = await registerPerson(cluster);
    const chat = await openGroup(ann, [newcomer]);
    await holdTable('session');
    const query = `mutation { sendMessage(input: { chatId: "${chat.id}", body: "not said" }) { seq } }`;
    const { leave } = askByHttp('a POST', query, newcomer);
    await untilWaiting(1);
    leave();
    // What is answered now was read behind the end of the other connection.
    await fetch(`${cluster.node(0).origin}/livez`);
    await letGo();
    await send(newcomer, chat, 'said');
    expect((await readHistory(ann, chat.id)).map(({ body }) => body)).toEqual(['said']);
  });

  const DEPARTURES = atFullSize(3_000, 300);
  it(`${DEPARTURES} times, at any moment, costs the others no connection`, { timeout: 600_000 }, async () => {
    for (let left = 0; left < DEPARTURES; left += 10) {
      await holdTable('message');
      const asked = Array.from({ length: 10 }, (_, nth) => askByHttp('a POST', history(), nth % 2 === 0 ? ann : bob));
      await untilWaiting(POOL_SIZE);
      for (const { leave } of asked) leave();
      // Just when some are being cancelled, what they wait for is there.
      if (left % 20 === 0) await untilNoneWaits();
      await letGo();
      const { answer } = askByHttp('a POST', history());
      expect(await answer).toMatchObject({ data: { chat: { messages: { edges: expect.any(Array) } } } });
    }
    // All connections can be used at once, and there are no more than there may be.
    await holdTable('message');
    const all = [ann, bob].map((person) => askByHttp('a POST', history(), person));
    await untilWaiting(POOL_SIZE);
    const [row] = await cluster.sql<{ n: number }>(
      `SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'parley'`,
    );
    expect(row!.n).toBe(POOL_SIZE);
    await letGo();
    for (const { answer } of all) expect(await answer).toMatchObject({ data: { chat: expect.anything() } });
  });

  it('is no news', () => {
    const news = cluster.node(0).logs.filter((line) => /did not answer|unexpected error|57014/.test(line));
    expect(news).toEqual([]);
  });
});
