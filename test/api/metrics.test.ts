import { request as httpRequest } from 'node:http';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ERROR_CODES } from '../../src/errors.ts';
import { Added, Chats, listenToChats, many, Updated } from '../realtime/operations.ts';
import { rawSocket } from '../support/client.ts';
import { backend, startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { scrape } from '../support/exposition.ts';
import type { Sample } from '../support/exposition.ts';
import { openDirectChat, registerPerson, send, signInPerson } from '../support/people.ts';
import type { Person } from '../support/people.ts';
import { startPrivateRedis } from '../support/redis.ts';
import { nobody, refusal } from '../support/refusals.ts';
import { startServer, StartError } from '../support/server-process.ts';
import { temporaryDirectory } from '../support/servers.ts';
import { eventually } from '../support/wait.ts';

/** Every label of ours, and all that may stand there. */
const LABELS: Record<string, readonly string[]> = {
  transport: ['http', 'sse', 'ws'],
  outcome: ['2xx', '3xx', '4xx', '5xx', 'started', 'refused', 'aborted'],
  type: ['query', 'mutation', 'subscription'],
  code: ERROR_CODES,
  way: ['shared', 'own'],
  feed: ['chat', 'user'],
  field: ['messageAdded', 'messageUpdated', 'chatUpdated'],
  state: ['in_use', 'idle', 'running', 'waiting'],
};
const NAMES = [
  'parley_broker_up',
  'parley_connections_open',
  'parley_database_connections',
  'parley_database_waiting',
  'parley_deliveries_total',
  'parley_errors_total',
  'parley_feed_lag_seconds',
  'parley_hint_losses_healed_total',
  'parley_messages_sent_total',
  'parley_operations_total',
  'parley_passwords',
  'parley_requests_total',
  'parley_slow_sockets_closed_total',
  'parley_sockets_open',
  'parley_subscriptions_open',
  'parley_sweep_failures_total',
];

let cluster: Cluster;
let ann: Person;
let bob: Person;

async function meet(env: Record<string, string> = {}) {
  cluster = await startCluster({ nodes: 1, env: { METRICS_PORT: '0', ...env } });
  ann = await registerPerson(cluster, { firstName: 'Ann' });
  bob = await registerPerson(cluster, { firstName: 'Bob' });
}

function expectClosedLabels(samples: readonly Sample[]): void {
  for (const { name, labels } of samples)
    for (const [label, value] of Object.entries(labels))
      if (label !== 'le') expect(LABELS[label], `${name} ${label}`).toContain(value);
}

const json = { 'content-type': 'application/json', accept: 'application/graphql-response+json' };

type Reading = readonly [name: string, labels?: Record<string, string>];

const read = async (...reading: Reading) => (await scrape(cluster.node(0))).read(...reading);

/** By how much each figure has risen once what was done has come to an end: these and no more. */
async function expectRises(act: () => Promise<unknown>, rises: Array<[...Reading, by: number]>): Promise<void> {
  const readings = rises.map((rise) => rise.slice(0, -1) as unknown as Reading);
  const before = await scrape(cluster.node(0));
  await act();
  await eventually(async () => {
    const after = await scrape(cluster.node(0));
    const risen = readings.map((reading) => [...reading, after.read(...reading) - before.read(...reading)]);
    expect(risen).toEqual(rises);
  });
}

const requests = (transport: string, outcome: string): Reading => ['parley_requests_total', { transport, outcome }];
const operations = (type: string): Reading => ['parley_operations_total', { type }];
const errors = (code: string): Reading => ['parley_errors_total', { code }];
const deliveries = (way: string): Reading => ['parley_deliveries_total', { way }];
const healed = (feed: string): Reading => ['parley_hint_losses_healed_total', { feed }];

describe('what operators are told', () => {
  beforeAll(() => meet());
  afterAll(() => cluster?.stop());

  it('has a help and a type for each name, and labels of closed sets alone', async () => {
    const { families } = await scrape(cluster.node(0));
    const ours = [...families].filter(([name]) => name.startsWith('parley_'));
    expect(ours.map(([name]) => name).toSorted()).toEqual(NAMES);
    for (const [name, { help, type, samples }] of ours) {
      expect(help.length, name).toBeGreaterThan(10);
      expect(name.endsWith('_total'), name).toBe(type === 'counter');
      expectClosedLabels(samples);
    }
    expect(families.get('nodejs_eventloop_lag_p99_seconds')?.samples).toHaveLength(1);
    expect(families.get('process_resident_memory_bytes')?.samples).toHaveLength(1);
  });

  it('counts requests over HTTP by status, and operations by type', async () => {
    await expectRises(async () => {
      await ann.client().request('{ me { id } }');
      await ann.client().request('mutation { updateProfile(input: { lastName: "Moss" }) { id } }');
      await refusal(ann.client().request('{ nothing }'));
      await nobody(cluster).raw({ method: 'PUT' });
    }, [
      [...requests('http', '2xx'), 2],
      [...requests('http', '4xx'), 2],
      [...requests('http', '5xx'), 0],
      [...operations('query'), 1],
      [...operations('mutation'), 1],
      [...operations('subscription'), 0],
    ]);
  });

  it('counts a client that went away before it had asked', async () => {
    await expectRises(async () => {
      const headers = { ...json, 'content-length': '1000' };
      const request = httpRequest(cluster.node(0).url, { method: 'POST', headers });
      request.on('error', () => {});
      request.write('{"query":');
      await once(request, 'socket');
      if (request.socket!.connecting) await once(request.socket!, 'connect');
      await new Promise<void>((resolve) => request.write(' ', () => resolve()));
      request.destroy();
    }, [
      [...requests('http', 'aborted'), 1],
      [...requests('http', '4xx'), 0],
    ]);
  });

  it('counts what is asked on a socket, and whether it began', async () => {
    const socket = await ann.client().openSocket();
    await expectRises(async () => {
      await socket.subscribe('{ me { id } }').next();
      await socket.subscribe('{ nothing }').end;
    }, [
      [...requests('ws', 'started'), 1],
      [...requests('ws', 'refused'), 1],
      [...requests('http', '2xx'), 0],
      [...operations('query'), 1],
      [...errors('GRAPHQL_VALIDATION_FAILED'), 1],
    ]);
    await socket.close();
    await expectRises(
      () => rawSocket(cluster.node(0), { path: '/elsewhere' }).catch(() => {}),
      [['parley_requests_total', { transport: 'ws', outcome: '4xx' }, 1]],
    );
  });

  const post = (body: string, headers: Record<string, string> = {}) =>
    nobody(cluster).raw({ headers: { ...json, ...headers }, body });
  const graphqlPost = (query: string) => post(JSON.stringify({ query }));
  it.each([
    ['BAD_REQUEST', () => post('{')],
    ['UNSUPPORTED_MEDIA_TYPE', () => post('{}', { 'content-type': 'text/plain' })],
    ['NOT_ACCEPTABLE', () => post('{}', { accept: 'text/csv' })],
    ['REQUEST_ENTITY_TOO_LARGE', () => post('x'.repeat(200_000))],
    ['CSRF_PREVENTED', () => nobody(cluster).raw({ method: 'GET', path: '/graphql?query={me{id}}' })],
    ['ORIGIN_NOT_ALLOWED', () => post('{}', { origin: 'https://evil.example' })],
    [
      'ORIGIN_NOT_ALLOWED',
      () => rawSocket(cluster.node(0), { headers: { origin: 'https://evil.example' } }).catch(() => {}),
    ],
    ['GRAPHQL_PARSE_FAILED', () => graphqlPost('{')],
    ['GRAPHQL_VALIDATION_FAILED', () => graphqlPost('{ nothing }')],
    ['OPERATION_RESOLUTION_FAILURE', () => graphqlPost('query A { me { id } } query B { me { id } }')],
    ['UNAUTHENTICATED', () => graphqlPost('{ chats { edges { node { id } } } }')],
    ['INVALID_CREDENTIALS', () => refusal(signInPerson(cluster, { email: ann.email, password: 'not at all' }))],
    ['NOT_FOUND', () => refusal(send(ann, { id: crypto.randomUUID() }, 'to nobody'))],
    ['BAD_USER_INPUT', () => refusal(send(ann, { id: 'no id' }, 'to nobody'))],
  ] satisfies Array<[string, () => Promise<unknown>]>)('counts an error of %s, once', async (code, act) => {
    await expectRises(
      act,
      ERROR_CODES.map((one) => [...errors(one), one === code ? 1 : 0]),
    );
  });

  it('counts messages once, and each delivery by its way', async () => {
    const chat = await openDirectChat(ann, bob);
    const socket = await bob.client().openSocket();
    const streams = [1, 2, 3].map(() => socket.subscribe(Added, { chatId: chat.id, afterSeq: 0 }));
    await send(ann, chat, 'first');
    for (const stream of streams) await stream.next();
    // They have caught up, and wait together.
    await eventually(async () => {
      const before = await read(...deliveries('shared'));
      await send(ann, chat, 'more');
      for (const stream of streams) await stream.next();
      expect((await read(...deliveries('shared'))) - before).toBe(3);
    });
    await expectRises(async () => {
      for (const clientId of ['one', 'two', 'two']) await send(ann, chat, clientId, { clientId });
      for (const stream of streams) await stream.take(2);
    }, [
      ['parley_messages_sent_total', {}, 2],
      ['parley_feed_lag_seconds_count', {}, 2],
      ['parley_feed_lag_seconds_bucket', { le: '30' }, 2],
      [...deliveries('shared'), 6],
      [...deliveries('own'), 0],
      [...operations('mutation'), 3],
      // What subscribers are told is no operation of theirs.
      [...operations('query'), 0],
      [...operations('subscription'), 0],
    ]);
    const seq = streams[0]!.collected.at(-1)!.messageAdded.seq;
    await expectRises(async () => {
      const late = socket.subscribe(Added, { chatId: chat.id, afterSeq: seq - 2 });
      await late.take(2);
      await late.close();
    }, [
      [...deliveries('own'), 2],
      [...operations('subscription'), 1],
      // It was there before.
      ['parley_feed_lag_seconds_count', {}, 0],
    ]);
    await socket.close();
  });

  it('shows what is open: sockets, connections and subscriptions by field', async () => {
    const chat = await openDirectChat(ann, bob);
    const gauges = async () => {
      const { read: readNow } = await scrape(cluster.node(0));
      const fields = ['messageAdded', 'messageUpdated', 'chatUpdated'];
      return [
        readNow('parley_sockets_open'),
        readNow('parley_connections_open'),
        ...fields.map((field) => readNow('parley_subscriptions_open', { field })),
      ];
    };
    await eventually(async () => expect(await gauges()).toEqual([0, 0, 0, 0, 0]));
    const socket = await ann.client().openSocket();
    socket.subscribe(Added, { chatId: chat.id });
    socket.subscribe(Added, { chatId: chat.id });
    socket.subscribe(Updated, { chatId: chat.id });
    socket.subscribe(Added, { chatId: crypto.randomUUID() });
    const before = await read(...requests('sse', '2xx'));
    const events = await bob.client().subscribe(Chats, {}, { transport: 'sse' });
    await eventually(async () => expect(await gauges()).toEqual([1, 2, 2, 1, 1]));
    await socket.close();
    await events.close();
    await eventually(async () => expect(await gauges()).toEqual([0, 0, 0, 0, 0]));
    await eventually(async () => expect((await read(...requests('sse', '2xx'))) - before).toBe(1));
  });

  it('shows how many passwords wait for their turn', async () => {
    const logins = many(60, () => signInPerson(cluster, ann), 60);
    await eventually(async () => expect(await read('parley_passwords', { state: 'waiting' })).toBeGreaterThan(5), {
      everyMs: 5,
    });
    await logins;
    expect(await read('parley_passwords', { state: 'waiting' })).toBe(0);
    expect(await read('parley_passwords', { state: 'running' })).toBe(0);
  });

  it('holds nobody’s ids, addresses, words or tokens', async () => {
    const mark = 'a-body-of-this-test';
    const chat = await openDirectChat(ann, bob);
    const { id } = await send(ann, chat, mark, { clientId: 'a-client-id-of-this-test' });
    await nobody(cluster).raw({
      headers: json,
      body: JSON.stringify({
        query: 'query AnOperationOfThisTest { me { id } }',
        operationName: 'AnOperationOfThisTest',
      }),
    });
    const { text, families } = await scrape(cluster.node(0));
    for (const [name, { samples }] of families) if (name.startsWith('parley_')) expectClosedLabels(samples);
    const secrets = [ann, bob].flatMap((one) => [one.id, one.email, one.password, one.accessToken, one.refreshToken]);
    for (const secret of [...secrets, chat.id, id, mark, 'a-client-id', 'AnOperation', '127.0.0.1'])
      expect(text).not.toContain(secret);
    expect(text).not.toMatch(/[0-9a-f]{8}-[0-9a-f]{4}-|@|eyJ|prt_/);
  });

  it('is answered at one path, and to GET and HEAD alone', async () => {
    const { metricsUrl, origin } = cluster.node(0);
    const ask = (path: string, method = 'GET') => fetch(new URL(path, metricsUrl), { method });
    const [get, head] = [await ask('/metrics?x=1'), await ask('/metrics', 'HEAD')];
    expect(get.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(head.status).toBe(200);
    expect(await head.text()).toBe('');
    for (const path of ['/', '/graphql', '/livez', '/metrics/']) expect((await ask(path)).status, path).toBe(404);
    for (const method of ['POST', 'DELETE', 'OPTIONS']) expect((await ask('/metrics', method)).status).toBe(405);
    // And not where people are served.
    expect((await fetch(`${origin}/metrics`)).status).toBe(404);
  });

  it('is nothing for a browser to show, frame, embed or keep, whatever is answered', async () => {
    const { metricsUrl } = cluster.node(0);
    for (const [path, method] of [
      ['/metrics', 'GET'],
      ['/', 'GET'],
      ['/metrics', 'POST'],
    ] as const) {
      const { headers } = await fetch(new URL(path, metricsUrl), { method });
      expect(Object.fromEntries(headers)).toMatchObject({
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
        'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
        'cross-origin-resource-policy': 'same-origin',
        'cache-control': 'no-store',
      });
    }
  });

  it('is told to the machine itself alone, unless METRICS_HOST says otherwise', async () => {
    const { port } = new URL(cluster.node(0).metricsUrl!);
    await expect(fetch(`http://127.0.0.2:${port}/metrics`)).rejects.toThrow('fetch failed');
  });
});

describe.runIf(backend === 'distributed')('what operators are told of what others do', () => {
  beforeAll(() => meet({ DATABASE_POOL_SIZE: '2' }));
  afterAll(() => cluster?.stop());

  it('shows the pool, and who waits for it', async () => {
    const people = await many(4, () => registerPerson(cluster));
    const lock = new pg.Client(cluster.databaseUrl);
    await lock.connect();
    await lock.query('BEGIN; LOCK TABLE app_user IN ACCESS EXCLUSIVE MODE');
    // Each of them does one thing at a time.
    const asked = people.map((person) =>
      person
        .client()
        .request(`mutation { updateProfile(input: { firstName: "Ann" }) { firstName } }`)
        .catch(() => {}),
    );
    await eventually(async () => {
      const { read: readNow } = await scrape(cluster.node(0));
      expect(readNow('parley_database_connections', { state: 'in_use' })).toBe(2);
      expect(readNow('parley_database_waiting')).toBeGreaterThan(0);
    });
    await lock.end();
    await Promise.all(asked);
    await eventually(async () => expect(await read('parley_database_waiting')).toBe(0));
    expect(await read('parley_database_connections', { state: 'idle' })).toBeGreaterThan(0);
  });

  it('counts an answer that the database holds up as a 5xx, and its error', { timeout: 60_000 }, async () => {
    const lock = new pg.Client(cluster.databaseUrl);
    await lock.connect();
    await lock.query('BEGIN; LOCK TABLE session IN ACCESS EXCLUSIVE MODE');
    await expectRises(
      () =>
        eventually(async () =>
          expect(await refusal(ann.client().request('{ me { id } }'))).toMatchObject({ code: 'SERVICE_UNAVAILABLE' }),
        ),
      [
        [...requests('http', '5xx'), 1],
        [...errors('SERVICE_UNAVAILABLE'), 1],
      ],
    );
    await lock.end();
  });

  it('counts rounds of the sweep that failed', async () => {
    const chat = await openDirectChat(ann, bob);
    const stream = await bob.client().subscribe(Added, { chatId: chat.id, afterSeq: 0 });
    await send(ann, chat, 'first');
    await stream.next();
    const before = await read('parley_sweep_failures_total');
    await cluster.sql('ALTER TABLE chat RENAME TO chat_away');
    await eventually(async () => expect(await read('parley_sweep_failures_total')).toBeGreaterThan(before));
    await cluster.sql('ALTER TABLE chat_away RENAME TO chat');
    await stream.close();
  });

  it('counts the losses of hints that the sweep heals, and nothing where hints flow', { timeout: 60_000 }, async () => {
    // One that is heard, and one whose hints reach nobody.
    const heard = await cluster.startNode();
    const mute = await cluster.startNode({ REDIS_PREFIX: `${cluster.redisPrefix}elsewhere:` });
    const at = (node: unknown) => cluster.nodes.indexOf(node as never);
    const chat = await openDirectChat(ann, bob);
    const stream = await bob.client().subscribe(Added, { chatId: chat.id, afterSeq: 0 });
    const chats = await listenToChats(bob);
    await send(ann, chat, 'first');
    await stream.next();
    const before = await scrape(cluster.node(0));
    const risen = async (feed: string) => (await read(...healed(feed))) - before.read(...healed(feed));

    for (let nth = 1; nth <= 10; nth += 1) {
      await send(ann, chat, 'with a hint', { nodeIndex: at(heard) });
      await stream.next();
    }
    await send(ann, chat, 'without', { nodeIndex: at(mute) });
    await stream.next();
    await eventually(async () => expect(await risen('chat')).toBe(1));
    expect(await risen('user')).toBe(0);

    await cluster.node(at(mute)).stop();
    await cluster.startNode({ REDIS_PREFIX: `${cluster.redisPrefix}elsewhere:` });
    const markRead = 'mutation ($chatId: ID!, $seq: Int!) { markRead(chatId: $chatId, seq: $seq) { id } }';
    await bob.client(at(heard)).request(markRead, { chatId: chat.id, seq: 2 });
    await bob.client(2).request(markRead, { chatId: chat.id, seq: 3 });
    await eventually(async () => expect(await risen('user')).toBe(1));
    // What came late was seen by the sweep, too.
    expect((await read('parley_feed_lag_seconds_count')) - before.read('parley_feed_lag_seconds_count')).toBe(11);
    await Promise.all([stream.close(), chats.stream.close()]);
  });
});

describe.runIf(backend === 'distributed')('the broker', () => {
  it('is up, down and up again with Redis', { timeout: 60_000 }, async () => {
    const redis = await startPrivateRedis();
    await meet({ REDIS_URL: redis.url });
    const is = (state: number) => eventually(async () => expect(await read('parley_broker_up')).toBe(state));
    await is(1);
    await redis.kill();
    await is(0);
    await redis.start();
    await is(1);
    await cluster.stop();
    await redis.remove();
  });
});

describe('the listener for metrics', () => {
  it('is not there unless it is asked for', async () => {
    const plain = await startCluster({ nodes: 1 });
    expect(plain.node(0).output).not.toContain('Metrics');
    expect(plain.node(0).metricsUrl).toBeUndefined();
    await plain.stop();
  });

  it('is answered until the end of the drain, and then no more', async () => {
    await meet();
    const { metricsUrl, origin } = cluster.node(0);
    await many(5, () => ann.client().openSocket());
    const stopping = cluster.node(0).stop();
    await eventually(async () => expect((await fetch(`${origin}/readyz`)).status).toBe(503), { everyMs: 5 });
    expect((await fetch(metricsUrl!)).status).toBe(200);
    // An idle connection of Prometheus does not keep it.
    expect(await stopping).toBe(0);
    await expect(fetch(metricsUrl!)).rejects.toThrow('fetch failed');
    await cluster.stop();
  });

  it.each([1, 2])('ends the start with one line when its port is taken, of %i processes', async (workers) => {
    if (workers > 1 && backend === 'embedded') return;
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    const place = await startCluster({ nodes: 0 });
    const directory = await temporaryDirectory('metrics');
    const env = {
      METRICS_PORT: String(port),
      WORKERS: String(workers),
      ...(backend === 'distributed' && { DATABASE_URL: place.databaseUrl!, REDIS_URL: place.redisUrl! }),
    };
    const start = startServer({ env, cwd: directory.path });
    const error: unknown = await start.then((server) => server.stop()).catch((reason: unknown) => reason);
    if (!(error instanceof StartError)) throw error;
    expect(error.exit).toEqual({ code: 1, signal: null });
    expect(error.logs).toEqual([`parley: METRICS_PORT: listen EADDRINUSE: address already in use 127.0.0.1:${port}`]);
    expect(error.output).toBe('');
    taken.close();
    await directory.remove();
    await place.stop();
  });
});
