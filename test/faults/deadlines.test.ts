import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { backend, startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { rawSocket } from '../support/client.ts';
import type { RawSocket } from '../support/sockets.ts';
import { readHistory } from '../support/chat-history.ts';
import { openGroup, registerPerson, send } from '../support/people.ts';
import type { Person } from '../support/people.ts';
import { startPrivatePostgres } from '../support/postgres.ts';
import type { PrivatePostgres } from '../support/postgres.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import type { TcpProxy } from '../support/tcp-proxy.ts';
import { eventually, within } from '../support/wait.ts';

const DEADLINE_MS = 10_000;
const TIMEOUT = { message: expect.any(String) as string, extensions: { code: 'TIMEOUT', retryable: true } };
/** A machine with much else to do. */
const SPARE_MS = 4_000;
/** Each way: an answer is there before the database would be given up for it. */
const DELAY_MS = 900;
/** Asked one after the other, each of them a statement: more than the deadline has room for. */
const LONG = 'lastMessage { chat { lastMessage { chat { lastMessage { chat { lastMessage { seq } } } } } } }';

/** PostgreSQL answers everything, but late: an operation of many statements takes longer than anybody waits. */
describe.runIf(backend === 'distributed')('an operation that is not done after 10 s', () => {
  let postgres: PrivatePostgres;
  let proxy: TcpProxy;
  let cluster: Cluster;
  let ann: Person;
  let others: Person[];
  /** How often a chat's id has gone to the database. */
  const mentions = new Map<string, number>();

  beforeAll(async () => {
    postgres = await startPrivatePostgres();
    const url = new URL(postgres.url);
    proxy = await startTcpProxy({ port: Number(url.port) });
    url.port = String(proxy.port);
    cluster = await startCluster({ nodes: 1, env: { DATABASE_URL: url.href, DATABASE_POOL_SIZE: '12' } });
    ann = await registerPerson(cluster, { firstName: 'Ann' });
    others = await Promise.all(Array.from({ length: 3 }, () => registerPerson(cluster)));
    proxy.watch('up', (chunk) => {
      for (const [chatId, count] of mentions) if (chunk.includes(chatId)) mentions.set(chatId, count + 1);
    });
  });
  afterAll(async () => {
    await cluster?.stop();
    await proxy?.close();
    await postgres?.remove();
  });

  /** A chat that holds one message. */
  async function openChat(): Promise<string> {
    const chat = await openGroup(ann, []);
    await send(ann, chat, 'hello');
    return chat.id;
  }

  const longQuery = (chatId: string) => `{ chat(id: "${chatId}") { ${LONG} } }`;

  const headers = (by = ann) => ({ authorization: `Bearer ${by.accessToken}`, 'apollo-require-preflight': '1' });

  const post = (query: string, { by, ...options }: { signal?: AbortSignal; by?: Person } = {}) =>
    fetch(cluster.node(0).url, {
      method: 'POST',
      headers: { ...headers(by), 'content-type': 'application/json' },
      body: JSON.stringify({ query }),
      ...options,
    });

  async function openSocket(): Promise<RawSocket> {
    const socket = await rawSocket(cluster.node(0));
    socket.send({ type: 'connection_init', payload: { authorization: headers().authorization } });
    expect(await socket.nextMessage()).toMatchObject({ type: 'connection_ack' });
    return socket;
  }

  /**
   * A pool opens connections as it needs them, and behind the delay none would come about in time. By several people:
   * one alone has but a part of the pool.
   */
  async function openConnections(): Promise<void> {
    const write = 'mutation { updateProfile(input: { firstName: "Ann" }) { id } }';
    await Promise.all([ann, ...others].flatMap((by) => Array.from({ length: 15 }, () => post(write, { by }))));
    expect(proxy.connections).toBeGreaterThanOrEqual(8);
  }

  /** By when nothing that has ended would still be at work: two more statements have gone to the database and back. */
  async function untilNothingIsLeft(other: string): Promise<void> {
    // Again where the connections of those that have just ended are not back yet.
    await eventually(
      async () => {
        const response = await post(`{ chat(id: "${other}") { lastMessage { body } } }`);
        expect(await response.json()).toEqual({ data: { chat: { lastMessage: { body: 'hello' } } } });
      },
      { deadlineMs: 30_000 },
    );
  }

  it('is answered with TIMEOUT, whatever it came by, and asks the database no more', { timeout: 120_000 }, async () => {
    const [byPost, byGet, bySocket, ofWrite] = [await openChat(), await openChat(), await openChat(), await openChat()];
    const [left, followed, other] = [await openChat(), await openChat(), await openChat()];
    for (const chatId of [byPost, byGet, bySocket, ofWrite, left]) mentions.set(chatId, 0);
    const socket = await openSocket();
    const subscription = `subscription { messageAdded(chatId: "${followed}", afterSeq: 1) { body } }`;
    socket.send({ id: 'followed', type: 'subscribe', payload: { query: subscription } });
    await openConnections();
    proxy.set({ kind: 'delay', ms: DELAY_MS });
    const began = performance.now();

    const write = `mutation {
      first: sendMessage(input: { chatId: "${ofWrite}", body: "kept" }) { chat { ${LONG} } }
      second: sendMessage(input: { chatId: "${ofWrite}", body: "too late" }) { seq }
    }`;
    socket.send({ id: 'query', type: 'subscribe', payload: { query: longQuery(bySocket) } });
    socket.send({ id: 'write', type: 'subscribe', payload: { query: write } });
    const abort = new AbortController();
    const departed = post(longQuery(left), { signal: abort.signal });
    departed.catch(() => {});
    const responses = Promise.all([
      post(longQuery(byPost)),
      fetch(`${cluster.node(0).url}?query=${encodeURIComponent(longQuery(byGet))}`, { headers: headers() }),
    ]);
    await eventually(() => expect(mentions.get(left)).toBeGreaterThan(0));
    abort.abort();
    socket.send({ id: 'neighbour', type: 'subscribe', payload: { query: '{ __typename }' } });
    expect(await socket.nextMessage()).toMatchObject({ id: 'neighbour', type: 'next' });
    expect(await socket.nextMessage()).toMatchObject({ id: 'neighbour', type: 'complete' });

    const ended = [await socket.nextMessage(DEADLINE_MS + SPARE_MS), await socket.nextMessage(SPARE_MS)];
    expect(ended).toEqual(
      expect.arrayContaining([
        { id: 'query', type: 'error', payload: [TIMEOUT] },
        { id: 'write', type: 'error', payload: [TIMEOUT] },
      ]),
    );
    for (const response of await within(responses, SPARE_MS, 'the answers over HTTP')) {
      expect(response.status).toBe(504);
      expect(await response.json()).toEqual({ errors: [TIMEOUT] });
    }
    const tookMs = performance.now() - began;
    expect(tookMs).toBeGreaterThan(DEADLINE_MS - 100);
    expect(tookMs).toBeLessThan(DEADLINE_MS + SPARE_MS);

    const asked = new Map(mentions);
    expect(asked.get(left)).toBe(1);
    for (const chatId of [byPost, byGet, bySocket, ofWrite]) expect(asked.get(chatId)).toBeGreaterThan(2);
    await untilNothingIsLeft(other);
    expect(mentions).toEqual(asked);

    // What was written is kept, what was to follow is not, and who listens is still told.
    proxy.set({ kind: 'pass' });
    expect((await readHistory(ann, ofWrite)).map(({ body }) => body)).toEqual(['hello', 'kept']);
    await send(ann, { id: followed }, 'news');
    expect(await socket.nextMessage()).toMatchObject({
      id: 'followed',
      payload: { data: { messageAdded: { body: 'news' } } },
    });
    socket.close();
    await socket.closed;
  });
});

/** Asked for so many pages that it is at work for far longer than it takes to stop the process. */
const HEAVY = `messages(first: 100) { edges { node { chat { messages(first: 100) { edges { node { body } } } } } } }`;

describe('an operation that is not done after 10 s because its server stood still', () => {
  let cluster: Cluster;
  beforeAll(async () => void (cluster = await startCluster({ nodes: 1 })));
  afterAll(() => cluster?.stop());

  it('is answered with TIMEOUT, and the next as ever', { timeout: 60_000 }, async () => {
    const ann = await registerPerson(cluster);
    const chat = await openGroup(ann, []);
    await Promise.all(Array.from({ length: 100 }, (_, nth) => send(ann, chat, `${nth}`)));
    const ask = (query: string) =>
      fetch(cluster.node(0).url, {
        method: 'POST',
        headers: { authorization: `Bearer ${ann.accessToken}`, 'content-type': 'application/json' },
        body: JSON.stringify({ query }),
      });
    const { pid } = cluster.node(0);
    const heavy = ask(`{ chat(id: "${chat.id}") { ${HEAVY} } }`);
    // Behind the heavy one, on a connection of its own: when it is answered, that one is at work.
    await ask('{ __typename }');
    process.kill(pid, 'SIGSTOP');
    await delay(DEADLINE_MS);
    process.kill(pid, 'SIGCONT');
    const response = await heavy;
    expect(response.status).toBe(504);
    expect(await response.json()).toEqual({ errors: [TIMEOUT] });
    const next = await ask(`{ chat(id: "${chat.id}") { lastMessage { seq } } }`);
    expect(await next.json()).toEqual({ data: { chat: { lastMessage: { seq: 100 } } } });
  });
});
