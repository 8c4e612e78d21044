import { randomBytes } from 'node:crypto';
import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { rawSocket } from '../support/client.ts';
import type { Stream } from '../support/client.ts';
import { startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { openGroup, registerPerson, send } from '../support/people.ts';
import type { Person } from '../support/people.ts';
import type { RawSocket } from '../support/sockets.ts';
import { eventually, within } from '../support/wait.ts';
import { openWire, readHead } from '../support/wire.ts';
import type { Wire } from '../support/wire.ts';

interface Told {
  messageAdded: { body: string };
}

const HELLO = '{ __typename }';
const MESSAGES = 'subscription ($chatId: ID!) { messageAdded(chatId: $chatId, afterSeq: 0) { body } }';

let cluster: Cluster;
let ann: Person;
let chat: { id: string };
let neighbour: Stream<Told>;
beforeAll(async () => {
  cluster = await startCluster({ nodes: 1 });
  ann = await registerPerson(cluster);
  chat = await openGroup(ann, []);
  neighbour = await ann.client().subscribe<Told, object>(MESSAGES, { chatId: chat.id });
});
afterAll(async () => {
  await neighbour?.close();
  await cluster?.stop();
});

let told = 0;
async function sendNext(): Promise<string> {
  const body = `message ${(told += 1)}`;
  await send(ann, chat, body);
  return body;
}
afterEach(async () => {
  const body = await sendNext();
  expect(await neighbour.next()).toEqual({ messageAdded: { body } });
});

const init = () => ({ type: 'connection_init', payload: { authorization: `Bearer ${ann.accessToken}` } });

async function connected(): Promise<RawSocket> {
  const socket = await rawSocket(cluster.node(0));
  socket.send(init());
  expect(await socket.nextMessage()).toEqual({ type: 'connection_ack' });
  return socket;
}

/** A socket whose frames are written by hand. */
async function upgraded(headers = ''): Promise<{ wire: Wire; head: Record<string, string> }> {
  const wire = await openWire(cluster.node(0));
  wire.write(
    'GET /graphql HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
      `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n${headers}\r\n`,
  );
  await wire.sees('\r\n\r\n');
  const head = readHead(wire.received);
  expect(head.status).toBe(101);
  return { wire, head: head.headers };
}

const TEXT = 0x01;
const LAST = 0x80;
const COMPRESSED = 0x40;

/** Masked with zeros, as RFC 6455 allows. */
function frame(first: number, body: string | Buffer): Buffer {
  const size = Buffer.byteLength(body);
  const length = size < 126 ? [0x80 | size] : [0xfe, size >> 8, size & 0xff];
  return Buffer.concat([Buffer.from([first, ...length, 0, 0, 0, 0]), Buffer.from(body)]);
}

/** The server says nothing else here: a close frame has two bytes before its code. */
async function closeCodeOf(wire: Wire): Promise<number> {
  const bytes = await eventually(() => {
    const rest = Buffer.from(wire.received.slice(wire.received.indexOf('\r\n\r\n') + 4), 'latin1');
    if (rest.length < 4 || rest[0] !== 0x88) throw new Error('no close frame has come');
    return rest;
  });
  wire.destroy();
  return bytes.readUInt16BE(2);
}

describe('compression', () => {
  it.each([
    'permessage-deflate',
    'permessage-deflate; client_max_window_bits; server_no_context_takeover',
    'permessage-deflate, permessage-deflate; client_no_context_takeover, x-webkit-deflate-frame',
    'permessage-deflate; nonsense=1; nonsense=2',
  ])('is not agreed on when a client offers %s', async (offer) => {
    const { wire, head } = await upgraded(`Sec-WebSocket-Extensions: ${offer}\r\n`);
    expect(head).not.toHaveProperty('sec-websocket-extensions');
    // A megabyte, in a frame of a thousand bytes.
    wire.write(frame(LAST | COMPRESSED | TEXT, deflateRawSync(Buffer.alloc(1024 * 1024, ' '))));
    expect(await closeCodeOf(wire)).toBe(1002);
  });
});

describe('a message in parts', () => {
  const part = 'x'.repeat(30_000);

  it('that is too large as a whole closes with 1009, whether or not it ends', async () => {
    const { wire } = await upgraded();
    for (const first of [TEXT, 0, 0]) wire.write(frame(first, part));
    expect(await closeCodeOf(wire)).toBe(1009);
  });

  it('that never ends is none: who has not said init is closed with 4408', async () => {
    const { wire } = await upgraded();
    wire.write(frame(TEXT, part));
    expect(await closeCodeOf(wire)).toBe(4408);
  });

  it('is one message, with pings between its parts', async () => {
    const { wire } = await upgraded();
    const [begin, end] = ['{"type":', '"connection_ack"}'];
    wire.write(Buffer.concat([frame(TEXT, begin), frame(LAST | 0x09, 'x'), frame(LAST, end)]));
    // The pong, and then that only a server says such a thing.
    await wire.sees('\u008a\u0001x\u0088');
    wire.destroy();
  });
});

describe('ten sockets that flood at once', () => {
  it.each([
    ['pings', (socket: RawSocket) => socket.socket.ping()],
    ['subscribes', (socket: RawSocket, n: number) => subscribe(socket, String(n), '{ me { id } }')],
    ['subscribes of one id', (socket: RawSocket) => subscribe(socket, 'a', MESSAGES, { chatId: chat.id })],
    ['inits', (socket: RawSocket) => socket.send(init())],
    ['empty frames', (socket: RawSocket) => socket.send('')],
  ])('with %s are all closed, and nobody else is', async (_name, flood) => {
    const sockets = await Promise.all(Array.from({ length: 10 }, connected));
    for (const socket of sockets)
      for (let n = 0; n < 2_000 && socket.socket.readyState === socket.socket.OPEN; n += 1) flood(socket, n);
    const body = await sendNext();
    expect(await neighbour.next()).toEqual({ messageAdded: { body } });
    const ends = await within(Promise.all(sockets.map(({ closed }) => closed)), 15_000, 'the end of all');
    for (const { code } of ends) expect([1008, 4400, 4409, 4429]).toContain(code);
  });
});

function subscribe(socket: RawSocket, id: unknown, query: unknown, variables?: unknown): void {
  socket.send({ id, type: 'subscribe', payload: { query, variables } });
}

/** Every code that the README names for what a client does wrong. */
const CODES = [1002, 1003, 1007, 1008, 1009, 4400, 4401, 4403, 4408, 4409, 4429];

const id = fc.oneof(
  fc.constantFrom('a', 'b', '__proto__', 'constructor', 'hasOwnProperty', '', 'x'.repeat(128), 'x'.repeat(10_240)),
  fc.string({ maxLength: 20 }),
);
const document = fc.constantFrom(
  HELLO,
  MESSAGES,
  '',
  '{',
  '{ nobody }',
  '{ me { id } }',
  '{ user(id: "x") { id } }',
  'query A { __typename } query B { __typename }',
  'fragment a on User { ...a } { me { ...a } }',
  'mutation { markRead(chatId: "x", seq: 1) { id } }',
  'subscription { chatUpdated { id } }',
  'subscription { a: chatUpdated { id } b: chatUpdated { id } }',
  `{ me ${'{ a '.repeat(400)}${'}'.repeat(400)} }`,
  `{ ${'a '.repeat(2_000)} }`,
);
const json = fc.jsonValue({ maxDepth: 3 });
const variables = fc.oneof(
  fc.constant(undefined),
  fc.dictionary(fc.constantFrom('chatId', 'a', '__proto__'), json, { maxKeys: 3 }),
);

/** What a client may say, if not what makes sense: nothing of it closes the socket. */
const operation = fc.record({ query: document, variables }, { requiredKeys: ['query'] });

/** Anything at all. */
const message = fc.oneof(
  { weight: 4, arbitrary: fc.record({ type: fc.constant('subscribe'), id, payload: operation }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('complete'), id }) },
  fc.record({ type: fc.constantFrom('ping', 'pong'), payload: fc.oneof(fc.constant(undefined), json) }),
  fc.record({ type: fc.constantFrom('connection_init', 'subscribe', 'next', 'error', 'ka'), id: json, payload: json }),
  fc.record({
    type: fc.constant('subscribe'),
    id,
    payload: fc.record({ query: json, operationName: json, variables: json, extensions: json }, { requiredKeys: [] }),
  }),
  json.map((value) => JSON.stringify(value)),
  fc.string({ unit: 'binary', maxLength: 50 }),
  fc.uint8Array({ maxLength: 50 }).map((bytes) => Buffer.from(bytes)),
);

describe('whatever a client says', () => {
  it('the close is one that it can make sense of, and never 4500', { timeout: 120_000 }, async () => {
    const codes = new Map<number, number>();
    const property = fc.asyncProperty(
      fc.boolean(),
      fc.array(message, { minLength: 1, maxLength: 20 }),
      async (saysInit, messages) => {
        const socket = saysInit ? await connected() : await rawSocket(cluster.node(0));
        for (const one of messages) if (socket.socket.readyState === socket.socket.OPEN) socket.send(one);
        // It comes when all of them were read.
        const pong = new Promise((resolve) => socket.socket.once('pong', resolve));
        if (socket.socket.readyState === socket.socket.OPEN) socket.socket.ping();
        await within(Promise.race([pong, socket.closed]), 10_000, 'a pong or a close');
        socket.close(4000);
        const { code } = await within(socket.closed, 10_000, 'the close');
        codes.set(code, (codes.get(code) ?? 0) + 1);
        expect([4000, ...CODES]).toContain(code);
      },
    );
    await fc.assert(property, { numRuns: 400 });
    expect([...codes.keys()]).toEqual(expect.arrayContaining([4000, 4400, 4401]));
  });

  it('no operation ends another', { timeout: 120_000 }, async () => {
    const fromNowOn = 'subscription ($id: ID!, $seq: Int) { messageAdded(chatId: $id, afterSeq: $seq) { body } }';
    const property = fc.asyncProperty(fc.array(fc.tuple(operation, fc.boolean()), { maxLength: 10 }), async (some) => {
      const socket = await connected();
      subscribe(socket, 'live', fromNowOn, { id: chat.id, seq: told });
      for (const [index, [payload, isLeft]] of some.entries()) {
        socket.send({ id: `${index}`, type: 'subscribe', payload });
        if (isLeft) socket.send({ id: `${index}`, type: 'complete' });
      }
      for (let n = 0; n < 2; n += 1) {
        const body = await sendNext();
        expect(await neighbour.next()).toEqual({ messageAdded: { body } });
        expect(await nextOf(socket, 'live')).toMatchObject({
          type: 'next',
          payload: { data: { messageAdded: { body } } },
        });
      }
      socket.close();
    });
    await fc.assert(property, { numRuns: 100 });
  });

  async function nextOf(socket: RawSocket, wanted: string): Promise<unknown> {
    for (;;) {
      const message = (await socket.nextMessage()) as { id?: string };
      if (message.id === wanted) return message;
    }
  }
});

it('bytes of chance behind the handshake end that socket alone', async () => {
  for (let n = 0; n < 100; n += 1) {
    const { wire } = await upgraded();
    wire.write(randomBytes(200));
    // What is the beginning of a frame would wait for its end.
    wire.end();
    await within(wire.closed, 10_000, 'the end of the socket');
  }
});

it('nothing of all that was a fault of ours', () => {
  const faults = cluster.node(0).logs.filter((line) => (JSON.parse(line) as { level: number }).level >= 40);
  expect(faults).toEqual([]);
});
