import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createClient } from '../support/client.ts';
import type { Stream } from '../support/client.ts';
import { startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { openGroup, registerPerson, send } from '../support/people.ts';
import type { Person } from '../support/people.ts';
import { within } from '../support/wait.ts';
import { exchange, openWire, readHead } from '../support/wire.ts';
import type { Wire } from '../support/wire.ts';

const MESSAGES = 'subscription ($chatId: ID!) { messageAdded(chatId: $chatId, afterSeq: 0) { body } }';
/** Far beyond what the server allows, on a machine that is busy with something else. */
const PATIENCE_MS = 75_000;

let cluster: Cluster;
let ann: Person;
let chat: { id: string };
let streams: Stream<{ messageAdded: { body: string } }>[];
beforeAll(async () => {
  cluster = await startCluster({ nodes: 1 });
  ann = await registerPerson(cluster);
  chat = await openGroup(ann, []);
  streams = await Promise.all(
    (['ws', 'sse'] as const).map((transport) =>
      ann.client().subscribe<{ messageAdded: { body: string } }, object>(MESSAGES, { chatId: chat.id }, { transport }),
    ),
  );
});
afterAll(async () => {
  await Promise.all((streams ?? []).map((stream) => stream.close()));
  await cluster?.stop();
});

/** One after the other, so that each sees its own message. */
let turn = Promise.resolve();
let told = 0;
/** Whatever somebody has just done to the server: who listens there hears, who asks is answered. */
const expectNeighboursUnharmed = () => (turn = turn.then(hearAndAsk));
async function hearAndAsk() {
  const body = `message ${(told += 1)}`;
  await send(ann, chat, body);
  for (const stream of streams) expect(await stream.next()).toEqual({ messageAdded: { body } });
  expect((await createClient(cluster.node(0)).raw({ method: 'GET', path: '/livez' })).status).toBe(200);
}
afterEach(expectNeighboursUnharmed);

const HEAD = 'POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n';
const ask = (id: string) => JSON.stringify({ query: `{ ${id}: __typename }` });
const request = (id: string, headers = '') => `${HEAD}${headers}Content-Length: ${ask(id).length}\r\n\r\n${ask(id)}`;
const answerOf = (id: string) => `{"data":{"${id}":"Query"}}`;
const CLOSE = 'Connection: close\r\n';

describe.concurrent('who is slow', () => {
  const slow: [name: string, first: string, then: string, status: number | undefined][] = [
    ['with the first byte', '', '', 408],
    ['with headers', 'GET /graphql HTTP/1.1\r\nHost: x\r\n', 'X', 408],
    ['with a body', `${HEAD}Content-Length: 100000\r\n\r\n`, '{', 408],
    ['with chunks', `${HEAD}Transfer-Encoding: chunked\r\n\r\n`, '1\r\n{\r\n', 408],
    ['with the headers of a second request', `${request('first')}GET /graphql HTTP/1.1\r\n`, 'X', 408],
  ];

  it.each(slow)('%s is cut off, twenty at a time', { timeout: 2 * PATIENCE_MS }, async (_name, first, then, status) => {
    const wires = await Promise.all(Array.from({ length: 20 }, () => openWire(cluster.node(0))));
    for (const wire of wires) wire.write(first);
    // Bytes that come now and then are no excuse.
    const drip = setInterval(() => wires.forEach((wire) => wire.write(then)), 500);
    try {
      await within(Promise.all(wires.map((wire) => wire.closed)), PATIENCE_MS, 'the end of the slow');
    } finally {
      clearInterval(drip);
      for (const wire of wires) wire.destroy();
    }
    for (const { received } of wires) {
      const last = received.slice(received.lastIndexOf('HTTP/1.1'));
      expect(readHead(last).status).toBe(status);
    }
  });

  it('leaves the others as fast as ever', { timeout: PATIENCE_MS }, async () => {
    for (let n = 0; n < 20; n += 1) {
      const answer = await within(
        createClient(cluster.node(0)).raw({ headers: JSON_TYPE, body: ask('a') }),
        5_000,
        'it',
      );
      expect(answer.text).toBe(answerOf('a'));
    }
  });
});

const JSON_TYPE = { 'content-type': 'application/json' };

describe('requests that come at once', () => {
  /** A connection whose first answer does not end. */
  async function openStream(): Promise<Wire> {
    const wire = await openWire(cluster.node(0));
    const authorization = `Authorization: Bearer ${ann.accessToken}\r\nAccept: text/event-stream\r\n`;
    const body = JSON.stringify({ query: MESSAGES, variables: { chatId: chat.id } });
    wire.write(`${HEAD}${authorization}Content-Length: ${body.length}\r\n\r\n${body}`);
    await wire.sees('event: next');
    return wire;
  }

  it('are answered in their order, whichever is done first', async () => {
    const slow = JSON.stringify({
      query: `mutation { login(input: { email: "${ann.email}", password: "wrong harbour" }) { accessToken } }`,
    });
    const text = await exchange(
      cluster.node(0),
      `${HEAD}Content-Length: ${slow.length}\r\n\r\n${slow}${request('second')}${request('third', CLOSE)}`,
    );
    expect(text.match(/INVALID_CREDENTIALS|second|third/g)).toEqual(['INVALID_CREDENTIALS', 'second', 'third']);
  });

  it('may be ten beside the one that is answered', async () => {
    const ids = Array.from({ length: 11 }, (_, n) => `a${n}`);
    const text = await exchange(
      cluster.node(0),
      ids.map((id, n) => request(id, n === ids.length - 1 ? CLOSE : '')).join(''),
    );
    expect(text.match(/\ba\d+(?=":"Query")/g)).toEqual(ids);
  });

  it('end their connection when they are more', async () => {
    const wire = await openStream();
    wire.write(request('ahead').repeat(11));
    const text = await within(wire.closed, 10_000, 'the end of the connection');
    expect(text.match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 200']);
  });

  it('end it, too, when the body of one that waits comes in too many pieces', async () => {
    const wire = await openStream();
    wire.write(`${HEAD}Transfer-Encoding: chunked\r\n\r\n${'1\r\n \r\n'.repeat(2_000)}`);
    const text = await within(wire.closed, 10_000, 'the end of the connection');
    expect(text.match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 200']);
  });

  it('may have large bodies, in as many pieces as the network makes', async () => {
    const slow = JSON.stringify({
      query: `mutation { login(input: { email: "${ann.email}", password: "wrong harbour" }) { accessToken } }`,
    });
    const body = `${' '.repeat(99 * 1024)}${ask('large')}`.match(/.{1,1000}/g)!;
    const chunks = body.map((piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`).join('');
    const text = await exchange(
      cluster.node(0),
      `${HEAD}Content-Length: ${slow.length}\r\n\r\n${slow}${HEAD}${CLOSE}Transfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`,
    );
    expect(text.match(/INVALID_CREDENTIALS|large/g)).toEqual(['INVALID_CREDENTIALS', 'large']);
  });

  it('are not answered for those that come after one that is no HTTP', async () => {
    const text = await exchange(cluster.node(0), `${request('first')}nonsense\r\n\r\n${request('second')}`);
    expect(text).not.toContain('second');
  });

  it('do not have the refusal of the next in their midst', async () => {
    const wire = await openStream();
    wire.write('nonsense\r\n\r\n');
    const text = await within(wire.closed, 10_000, 'the end of the connection');
    expect(text.match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 200']);
  });
});

describe('what is refused without being read', () => {
  const chunked = `${HEAD}Transfer-Encoding: chunked\r\n`;
  const refused: [name: string, bytes: string, status: number][] = [
    ['two lengths', `${HEAD}Content-Length: 5\r\nContent-Length: 6\r\n\r\n{}`, 400],
    ['the same length twice', `${HEAD}Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}`, 400],
    ['a length and chunks', `${chunked}Content-Length: 5\r\n\r\n0\r\n\r\n`, 400],
    ['chunks twice over', `${chunked}Transfer-Encoding: identity\r\n\r\n0\r\n\r\n`, 400],
    ['a coding behind chunked', `${HEAD}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n`, 400],
    ['a length that is no number', `${HEAD}Content-Length: 0x10\r\n\r\n`, 400],
    ['a length beyond all numbers', `${HEAD}Content-Length: ${'9'.repeat(40)}\r\n\r\n`, 400],
    ['a chunk whose length is no number', `${chunked}\r\nxyz\r\n`, 400],
    ['a chunk without its end', `${chunked}\r\n1\r\n{}0\r\n\r\n`, 400],
    ['a blank before the colon', 'GET /livez HTTP/1.1\r\nHost : x\r\n\r\n', 400],
    ['a header of two lines', 'GET /livez HTTP/1.1\r\nHost: x\r\n X: y\r\n\r\n', 400],
    ['a NUL in a header', 'GET /livez HTTP/1.1\r\nHost: x\0y\r\n\r\n', 400],
    ['lines that end without a carriage return', 'GET /livez HTTP/1.1\nHost: x\n\n', 400],
    ['an unknown method', 'BREW /graphql HTTP/1.1\r\nHost: x\r\n\r\n', 400],
    ['HTTP 2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
    ['TLS', '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003', 400],
    ['headers without end', `GET /livez HTTP/1.1\r\nHost: x\r\n${'X: y\r\n'.repeat(20_000)}\r\n`, 431],
    ['an address without end', `GET /${'x'.repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, 431],
  ];

  it.each(refused)('%s', async (_name, bytes, status) => {
    const text = await exchange(cluster.node(0), bytes);
    expect(readHead(text)).toMatchObject({ status, headers: { connection: 'close', 'cache-control': 'no-store' } });
    expect(text.match(/HTTP\/1.1/g)).toHaveLength(1);
  });

  it('a tunnel', async () => {
    expect(await exchange(cluster.node(0), 'CONNECT example.test:443 HTTP/1.1\r\nHost: x\r\n\r\n')).toBe('');
  });
});

describe('what is odd, and HTTP', () => {
  const odd: [name: string, bytes: string, status: number][] = [
    ['the whole address', request('a', CLOSE).replace('/graphql', 'http://chat.example/graphql'), 200],
    ['the whole address of a probe', `GET HTTP://x/livez HTTP/1.1\r\nHost: x\r\n${CLOSE}\r\n`, 200],
    ['the whole address without a path', `GET http://x HTTP/1.1\r\nHost: x\r\n${CLOSE}\r\n`, 302],
    ['the whole address with a question', `GET http://x?graphql HTTP/1.1\r\nHost: x\r\n${CLOSE}\r\n`, 404],
    ['HTTP 1.0', request('a').replace('HTTP/1.1', 'HTTP/1.0'), 200],
    ['HTTP 0.9, of which Node makes the best', 'GET /livez\r\n\r\n', 200],
    ['HTTP 1.0 without a host', 'GET /livez HTTP/1.0\r\n\r\n', 200],
    ['an empty line before', `\r\n${request('a', CLOSE)}`, 200],
    ['OPTIONS for all', `OPTIONS * HTTP/1.1\r\nHost: x\r\n${CLOSE}\r\n`, 404],
    ['TRACE', `TRACE /graphql HTTP/1.1\r\nHost: x\r\nCookie: secret\r\n${CLOSE}\r\n`, 405],
    ['a body where none is looked for', `GET /livez HTTP/1.1\r\nHost: x\r\n${CLOSE}Content-Length: 2\r\n\r\n{}`, 200],
    [
      'a body in chunks, with a trailer',
      `${HEAD}${CLOSE}Transfer-Encoding: chunked\r\nTrailer: X\r\n\r\n` +
        `5\r\n{"que\r\n18;a=b\r\nry":"{ a: __typename }"}\r\n0\r\nX: y\r\n\r\n`,
      200,
    ],
  ];

  it.each(odd)('%s', async (_name, bytes, status) => {
    const text = await exchange(cluster.node(0), bytes);
    expect(readHead(text).status).toBe(status);
    if (bytes.includes('__typename')) expect(text).toContain(answerOf('a'));
    expect(text).not.toContain('secret');
  });

  it('a client that asks whether to go on is told to', async () => {
    const wire = await openWire(cluster.node(0));
    const body = ask('a');
    wire.write(`${HEAD}${CLOSE}Expect: 100-continue\r\nContent-Length: ${body.length}\r\n\r\n`);
    await wire.sees('HTTP/1.1 100 Continue\r\n\r\n');
    wire.write(body);
    expect(await within(wire.closed, 10_000, 'the answer')).toContain(answerOf('a'));
  });

  it('but not to send what is too large: it has its answer before', async () => {
    const wire = await openWire(cluster.node(0));
    wire.write(`${HEAD}Expect: 100-continue\r\nContent-Length: 1000000\r\n\r\n`);
    await wire.sees('REQUEST_ENTITY_TOO_LARGE');
    expect(wire.received).not.toContain('100 Continue');
    wire.destroy();
  });

  it.each([
    ['h2c', 'GET', 400],
    ['h2c, websocket', 'GET', 400],
    ['TLS/1.0', 'GET', 400],
    ['websocket', 'POST', 400],
  ])('an upgrade to %s by %s is refused', async (protocol, method, status) => {
    const text = await exchange(
      cluster.node(0),
      `${method} /graphql HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: ${protocol}\r\n` +
        'HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\nSec-WebSocket-Version: 13\r\n' +
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    );
    expect(readHead(text).status).toBe(status);
  });
});

describe('who goes away', () => {
  const leave: [name: string, bytes: string][] = [
    ['before a word', ''],
    ['in the middle of the headers', 'POST /graphql HTTP/1.1\r\nHost'],
    ['in the middle of the body', `${HEAD}Content-Length: 100\r\n\r\n{"query":`],
    ['before the answer', request('a')],
  ];

  it.each(leave)('%s, a hundred times', async (_name, bytes) => {
    const wires: Wire[] = await Promise.all(Array.from({ length: 100 }, () => openWire(cluster.node(0))));
    for (const wire of wires) {
      wire.write(bytes);
      wire.destroy();
    }
    await Promise.all(wires.map((wire) => wire.closed));
  });
});

it('nothing of all that was a fault of ours', () => {
  const faults = cluster.node(0).logs.filter((line) => (JSON.parse(line) as { level: number }).level >= 40);
  expect(faults).toEqual([]);
});
