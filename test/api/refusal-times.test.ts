import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ErrorCode } from '../../src/errors.ts';
import { createClient, rawSocket } from '../support/client.ts';
import { startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { registerPerson } from '../support/people.ts';
import type { Person } from '../support/people.ts';
import { bombs, times } from '../support/query-bombs.ts';
import type { Bomb } from '../support/query-bombs.ts';
import { quantile } from '../support/size.ts';
import { within } from '../support/wait.ts';

/** How much of the server's time a refusal may take, taking so many. By the clock, a busy machine would be measured. */
const ALLOWED_MS = 50;
const ATTEMPTS = 20;

interface Hostile extends Bomb {
  code: ErrorCode;
}

const ADD = 'mutation ($ids: [ID!]!) { addMembers(chatId: "x", userIds: $ids) { id } }';
const user = (index: number, inner: string) => `fragment f${index} on User { ${inner} }`;
const spreads = (count: number, from = 0) => times(count, (i) => `...f${from + i}`).join(' ');

const hostile: Hostile[] = [
  ...bombs.map((bomb): Hostile => ({ ...bomb, code: 'QUERY_TOO_COMPLEX' })),
  { name: 'a flood of 96 KB of tokens', query: `{ ${'a '.repeat(48_000)} }`, code: 'QUERY_TOO_COMPLEX' },
  { name: '45,000 open brackets', query: `{ user(id: ${'['.repeat(45_000)}`, code: 'QUERY_TOO_COMPLEX' },
  { name: '45,000 open braces', query: '{a'.repeat(45_000), code: 'QUERY_TOO_COMPLEX' },
  {
    name: '10,000 items written out',
    query: ADD.replace('$ids)', `[${'"x",'.repeat(10_000)}])`).replace('($ids: [ID!]!)', ''),
    code: 'QUERY_TOO_COMPLEX',
  },
  {
    name: 'fragments that spread all of them',
    query: `{ me { ${spreads(18)} } } ${times(18, (i) => user(i, spreads(18))).join(' ')}`,
    code: 'GRAPHQL_VALIDATION_FAILED',
  },
  {
    name: 'a circle of a hundred fragments',
    query: `{ me { ...f0 } } ${times(100, (i) => user(i, spreads(1, (i + 1) % 100))).join(' ')}`,
    code: 'GRAPHQL_VALIDATION_FAILED',
  },
  {
    name: 'a circle of fragments beside repeated fields',
    query: `{ ${times(150, () => 'me{id}').join(' ')} ...f0 } ${user(0, spreads(1))}`,
    code: 'GRAPHQL_VALIDATION_FAILED',
  },
  {
    name: 'a circle that two fragments of one name hide, beside repeated fields',
    query: `{ ${times(150, () => 'me{id}').join(' ')} } ${user(0, 'id')} ${user(1, spreads(1))} ${user(0, spreads(1, 1))}`,
    code: 'GRAPHQL_VALIDATION_FAILED',
  },
  {
    name: '900 subscriptions in one',
    query: `subscription { ${times(900, (i) => `a${i}`).join(' ')} }`,
    code: 'GRAPHQL_VALIDATION_FAILED',
  },
  {
    name: '900 unknown fields',
    query: `{ ${times(900, (i) => `a${i}`).join(' ')} }`,
    code: 'GRAPHQL_VALIDATION_FAILED',
  },
  {
    name: '900 nearly known fields, in almost all the text there may be',
    query: `{ ${times(900, (i) => `${'me'.repeat(6)}${i}`).join(' ')} }`,
    code: 'GRAPHQL_VALIDATION_FAILED',
  },
  {
    name: '160 unknown types',
    query: `query (${times(160, (i) => `$a${i}: T${i}`).join(' ')}) { __typename }`,
    code: 'GRAPHQL_VALIDATION_FAILED',
  },
  { name: 'a list of 10,000 items', query: ADD, variables: { ids: Array(10_000).fill('x') }, code: 'BAD_USER_INPUT' },
  { name: 'a list of 10,000 nulls', query: ADD, variables: { ids: Array(9_000).fill(null) }, code: 'BAD_USER_INPUT' },
  {
    name: 'a list of 1,600 lists of lists',
    query: ADD,
    variables: { ids: Array.from({ length: 1_600 }, () => [[[]]]) },
    code: 'BAD_USER_INPUT',
  },
];

let cluster: Cluster;
let ann: Person;
beforeAll(async () => {
  cluster = await startCluster({ nodes: 1, env: { METRICS_PORT: '0' } });
  ann = await registerPerson(cluster);
});
afterAll(() => cluster?.stop());

/** Sends the parameters, and answers the code that came, or the code with which the socket was closed. */
type Send = (params: object) => Promise<string>;

interface Way {
  send: Send;
  close(): void;
}

const codeIn = (text: string) => /"code":"(\w+)"/.exec(text)?.[1] ?? text.slice(0, 500);

function over(accept: string): () => Promise<Way> {
  const headers = () => ({ accept, 'content-type': 'application/json', authorization: `Bearer ${ann.accessToken}` });
  return async () => ({
    send: async (params) =>
      codeIn((await createClient(cluster.node(0)).raw({ headers: headers(), body: JSON.stringify(params) })).text),
    close() {},
  });
}

async function overSocket(): Promise<Way> {
  const socket = await rawSocket(cluster.node(0));
  socket.send({ type: 'connection_init', payload: { authorization: `Bearer ${ann.accessToken}` } });
  expect(await socket.nextMessage()).toEqual({ type: 'connection_ack' });
  return {
    async send(payload) {
      socket.send({ id: 'a', type: 'subscribe', payload });
      const answer = (await socket.nextMessage()) as { type: string };
      if (answer.type === 'next') expect(await socket.nextMessage()).toEqual({ id: 'a', type: 'complete' });
      return codeIn(JSON.stringify(answer));
    },
    close: () => socket.close(),
  };
}

const ways: [name: string, open: () => Promise<Way>][] = [
  ['HTTP', over('application/json')],
  ['server-sent events', over('text/event-stream')],
  ['a WebSocket', overSocket],
];

/** What a socket takes in one frame; a larger one ends it. */
const fitsFrame = (params: object) => JSON.stringify(params).length < 63 * 1024;

let serial = 0;
/** The text is another each time: what was parsed before would be known. */
const paramsOf = ({ query, variables }: Bomb) => ({ query: `${query} #${(serial += 1)}`, variables });

describe.each(ways)('over %s', (name, open) => {
  it('each is refused in time, with its code', { timeout: 180_000 }, async () => {
    const took: { name: string; own: number; median: number }[] = [];
    for (const one of hostile) {
      if (name === 'a WebSocket' && !fitsFrame(paramsOf(one))) continue;
      const way = await open();
      const figures = await measure(way, one);
      expect(figures.own, one.name).toBeLessThan(ALLOWED_MS);
      took.push({ name: one.name, ...figures });
      way.close();
    }
    expect(took.length).toBeGreaterThan(hostile.length - 12);
    took.sort((a, b) => b.own - a.own);
    const slowest = took.slice(0, 3).map((one) => `${one.name} ${one.own.toFixed(1)} ms (${one.median.toFixed(1)} ms)`);
    const what = 'in milliseconds of the server, and by the clock';
    console.log(`refused over ${name}, ${what}, the slowest of ${took.length}: ${slowest.join(', ')}`);
  });

  async function measure(way: Way, one: Hostile) {
    const before = await processorSeconds();
    const took: number[] = [];
    for (let n = 0; n < ATTEMPTS; n += 1) {
      const params = paramsOf(one);
      const began = performance.now();
      expect(await within(way.send(params), 10_000, one.name), one.name).toBe(one.code);
      took.push(performance.now() - began);
    }
    const own = (((await processorSeconds()) - before) * 1000) / ATTEMPTS;
    return { own, median: quantile(took, 0.5) };
  }

  /** Of the server so far. */
  async function processorSeconds(): Promise<number> {
    const text = await (await fetch(cluster.node(0).metricsUrl!)).text();
    return Number(/^process_cpu_seconds_total (\S+)$/m.exec(text)![1]);
  }
});

it('two hundred at once, over all of them, leave the server answering', { timeout: 60_000 }, async () => {
  const opened = await Promise.all(ways.map(async ([name, open]) => ({ name, open, ...(await open()) })));
  let done = false;
  const probed: number[] = [];
  const probing = (async () => {
    while (!done) {
      const began = performance.now();
      const probe = createClient(cluster.node(0)).raw({ method: 'GET', path: '/livez' });
      expect((await within(probe, 10_000, '/livez')).status).toBe(200);
      probed.push(performance.now() - began);
    }
  })();
  const attacks = Array.from({ length: 200 }, async (_, index) => {
    const one = hostile[index % hostile.length]!;
    const params = paramsOf(one);
    const { name, open } = opened[index % opened.length]!;
    if (name === 'a WebSocket' && !fitsFrame(params)) return expect(await opened[0]!.send(params)).toBe(one.code);
    const way = await open();
    expect(await way.send(params), one.name).toBe(one.code);
    way.close();
  });
  await Promise.all(attacks).finally(() => (done = true));
  await probing;
  for (const { close } of opened) close();
  expect(probed.length).toBeGreaterThan(0);
  console.log(`/livez beside 200 of them: ${probed.length} times, ${Math.max(...probed).toFixed(0)} ms at most`);
});

it('nothing of all that was a fault of ours', () => {
  const faults = cluster.node(0).logs.filter((line) => (JSON.parse(line) as { level: number }).level >= 40);
  expect(faults).toEqual([]);
});
