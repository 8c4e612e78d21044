import { randomBytes, randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createAccessTokens } from '../../src/auth/access-tokens.ts';
import { secretKey } from '../../src/auth/signing-keys.ts';
import { ERROR_CODES } from '../../src/errors.ts';
import type { ErrorCode } from '../../src/errors.ts';
import { createClient, rawSocket } from '../support/client.ts';
import { backend, startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { openGroup, registerPerson, send } from '../support/people.ts';
import type { Person } from '../support/people.ts';
import { UpgradeRefusedError } from '../support/sockets.ts';
import type { RawSocket, RawSocketOptions } from '../support/sockets.ts';
import { eventually, within } from '../support/wait.ts';

const JWT_SECRET = randomBytes(32).toString('hex');
const MESSAGES = 'subscription ($chatId: ID!) { messageAdded(chatId: $chatId, afterSeq: 0) { body } }';
const HELLO = '{ __typename }';
const ACK = { type: 'connection_ack' };

let cluster: Cluster;
let ann: Person;
let bob: Person;
beforeAll(async () => {
  cluster = await startCluster({ nodes: 1, env: { JWT_SECRET } });
  [ann, bob] = await Promise.all([registerPerson(cluster), registerPerson(cluster)]);
});
afterAll(() => cluster?.stop());

async function open(options?: RawSocketOptions): Promise<RawSocket> {
  const socket = await rawSocket(cluster.node(0), options);
  onTestFinished(() => socket.socket.terminate());
  return socket;
}

const init = (token = ann.accessToken) => ({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } });

/** A socket that the server has acknowledged. */
async function connected(): Promise<RawSocket> {
  const socket = await open();
  socket.send(init());
  expect(await socket.nextMessage()).toEqual(ACK);
  return socket;
}

const closed = (socket: RawSocket) => within(socket.closed, 10_000, 'the close');
const subscribe = (id: string, query: string, rest: object = {}) => ({
  id,
  type: 'subscribe',
  payload: { query, ...rest },
});

/** Whatever came before, a question gets its answer: the socket is as good as new. */
async function expectAnswer(socket: RawSocket, id = 'sound') {
  socket.send(subscribe(id, HELLO));
  expect(await socket.nextMessage()).toEqual({ id, type: 'next', payload: { data: { __typename: 'Query' } } });
  expect(await socket.nextMessage()).toEqual({ id, type: 'complete' });
}

// Frames written by hand: no client library would send some of them. Masked with zeros, as RFC 6455 allows.
function text(body: string | Buffer, first = 0x81): Buffer {
  const size = Buffer.byteLength(body);
  const length = size < 126 ? [0x80 | size] : [0xfe, size >> 8, size & 0xff];
  return Buffer.concat([Buffer.from([first, ...length, 0, 0, 0, 0]), Buffer.from(body)]);
}

/** Upgrades by hand, and answers the code of the close frame that comes. */
function closeCodeAfter(bytes: Buffer): Promise<number> {
  const code = new Promise<number>((resolve, reject) => {
    let received = Buffer.alloc(0);
    let upgraded = false;
    const socket = connect(cluster.node(0).port, '127.0.0.1', () =>
      socket.write(
        'GET /graphql HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
          'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n',
      ),
    );
    socket.on('error', reject);
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      const head = received.indexOf('\r\n\r\n');
      if (!upgraded && head >= 0) {
        upgraded = true;
        received = received.subarray(head + 4);
        socket.write(bytes);
      }
      // The server speaks first only to close: 0x88, a length, the code.
      if (upgraded && received.length >= 4 && received[0] === 0x88) {
        resolve(received.readUInt16BE(2));
        socket.destroy();
      }
    });
  });
  return within(code, 10_000, 'the close frame');
}

describe('a frame that is no message of the protocol', () => {
  const frames: [name: string, frame: string | object][] = [
    ['no JSON', '{'],
    ['nothing', ''],
    ['null', 'null'],
    ['a number', '1'],
    ['an array', '[]'],
    ['an object', {}],
    ['no type', { id: 'a' }],
    ['type 1', { type: 1 }],
    ['an unknown type', { type: 'start', id: 'a' }],
    ['a type that objects have by themselves', { type: 'constructor' }],
    ['next', { id: 'a', type: 'next', payload: {} }],
    ['error', { id: 'a', type: 'error', payload: [{ message: 'x' }] }],
    ['connection_ack', ACK],
    ['init with a text', { type: 'connection_init', payload: 'x' }],
    ['init with an array', { type: 'connection_init', payload: [] }],
    ['ping with a text', { type: 'ping', payload: 'x' }],
    ['subscribe without id', { type: 'subscribe', payload: { query: HELLO } }],
    ['subscribe with an empty id', subscribe('', HELLO)],
    ['subscribe with a number for an id', { ...subscribe('', HELLO), id: 1 }],
    ['subscribe with an id of 129 characters', subscribe('x'.repeat(129), HELLO)],
    ['complete with an id of 129 characters', { type: 'complete', id: 'x'.repeat(129) }],
    ['complete without id', { type: 'complete' }],
    ['subscribe without payload', { id: 'a', type: 'subscribe' }],
    ['subscribe without query', { id: 'a', type: 'subscribe', payload: {} }],
    ['query 1', { id: 'a', type: 'subscribe', payload: { query: 1 } }],
    ['variables []', subscribe('a', HELLO, { variables: [] })],
    ['variables "x"', subscribe('a', HELLO, { variables: 'x' })],
    ['operationName {}', subscribe('a', HELLO, { operationName: {} })],
    ['extensions []', subscribe('a', HELLO, { extensions: [] })],
    ['JSON nested 30,000 deep', '['.repeat(30_000) + ']'.repeat(30_000)],
    [
      'variables of 5,001 objects',
      subscribe('a', HELLO, { variables: { a: Array.from({ length: 5_001 }, () => ({})) } }),
    ],
    [
      'variables nested 30,000 deep',
      `{"id":"a","type":"subscribe","payload":{"query":"${HELLO}","variables":{"a":${'['.repeat(30_000)}${']'.repeat(30_000)}}}}`,
    ],
  ];

  it.each(frames)('%s closes with 4400', async (_name, frame) => {
    const socket = await connected();
    socket.send(frame);
    expect(await closed(socket)).toMatchObject({ code: 4400 });
  });

  it.each(frames)('%s closes with 4400 before init too', async (_name, frame) => {
    const socket = await open();
    socket.send(frame);
    expect(await closed(socket)).toMatchObject({ code: 4400 });
  });
});

describe('the order of the protocol', () => {
  it('subscribe before init closes with 4401', async () => {
    const socket = await open();
    socket.send(subscribe('a', HELLO));
    expect((await closed(socket)).code).toBe(4401);
  });

  it('subscribe that does not wait for the acknowledgement closes with 4401', async () => {
    // In one write: the server has both before it can have looked at the token.
    const frames = [init(), subscribe('a', HELLO)].map((message) => text(JSON.stringify(message)));
    expect(await closeCodeAfter(Buffer.concat(frames))).toBe(4401);
  });

  it('a second init closes with 4429', async () => {
    const socket = await connected();
    socket.send(init());
    expect((await closed(socket)).code).toBe(4429);
  });

  it('no init closes with 4408 after 3 s', async () => {
    const start = performance.now();
    const socket = await open();
    expect((await closed(socket)).code).toBe(4408);
    expect(performance.now() - start).toBeGreaterThan(2_900);
  });

  it.each(['a', 'x'.repeat(128), '☃'.repeat(128)])('a live id that is used again closes with 4409: %s', async (id) => {
    const chat = await openGroup(ann, []);
    const socket = await connected();
    socket.send(subscribe(id, MESSAGES, { variables: { chatId: chat.id } }));
    socket.send(subscribe(id, HELLO));
    expect((await closed(socket)).code).toBe(4409);
  });

  it('an id is free again once its operation is complete', async () => {
    const chat = await openGroup(ann, []);
    const socket = await connected();
    await expectAnswer(socket, 'a');
    await expectAnswer(socket, 'a');
    socket.send(subscribe('a', MESSAGES, { variables: { chatId: chat.id } }));
    await send(ann, chat, 'one');
    expect(await socket.nextMessage()).toMatchObject({ id: 'a', payload: { data: { messageAdded: { body: 'one' } } } });
    socket.send({ type: 'complete', id: 'a' });
    await expectAnswer(socket, 'b');
    await expectAnswer(socket, 'a');
  });

  it('an id is free again at once, and what was left before it began says nothing', async () => {
    const fromNowOn = MESSAGES.replace(', afterSeq: 0', '');
    for (let round = 1; round <= 5; round += 1) {
      const variables = { chatId: (await openGroup(ann, [])).id };
      const socket = await connected();
      for (let left = 1; left <= 3; left += 1) {
        socket.send(subscribe('a', fromNowOn, { variables }));
        socket.send({ type: 'complete', id: 'a' });
      }
      socket.send(subscribe('a', MESSAGES, { variables }));
      socket.send({ type: 'ping' });
      expect(await socket.nextMessage()).toEqual({ type: 'pong' });
      for (const body of ['one', 'two']) {
        await send(ann, { id: variables.chatId }, body);
        const payload = { data: { messageAdded: { body } } };
        expect(await socket.nextMessage()).toEqual({ id: 'a', type: 'next', payload });
      }
      socket.send({ type: 'complete', id: 'a' });
      await expectAnswer(socket);
      await send(ann, { id: variables.chatId }, 'nobody listens');
      await expectAnswer(socket);
      socket.close();
    }
  });

  it('an id that waits for the end of its last operation is taken: once more closes with 4409', async () => {
    const { id: chatId } = await openGroup(ann, []);
    const socket = await connected();
    const messages = subscribe('a', MESSAGES, { variables: { chatId } });
    for (const message of [messages, { type: 'complete', id: 'a' }, messages, messages]) socket.send(message);
    expect((await closed(socket)).code).toBe(4409);
  });
});

describe('who connects', () => {
  const tokens: [name: string, payload: (now: { ann: Person }) => object | undefined][] = [
    ['no parameters', () => undefined],
    ['no token', () => ({})],
    ['an empty one', () => ({ authorization: '' })],
    ['a number', () => ({ authorization: 1 })],
    ['a list', () => ({ authorization: ['Bearer x'] })],
    ['garbage', () => ({ authorization: 'Bearer garbage' })],
    ['a token without Bearer', (now) => ({ authorization: now.ann.accessToken })],
    ['a token cut short', (now) => ({ authorization: `Bearer ${now.ann.accessToken.slice(0, -4)}` })],
    ['a refresh token', (now) => ({ authorization: `Bearer ${now.ann.refreshToken}` })],
    ['a token under another name', (now) => ({ token: now.ann.accessToken })],
  ];

  it.each(tokens)('%s closes with 4403, and nothing is acknowledged', async (_name, payload) => {
    const socket = await open();
    socket.send({ type: 'connection_init', payload: payload({ ann }) });
    await expect(socket.nextMessage()).rejects.toMatchObject({ code: 4403 });
  });

  it('an expired token closes with 4403, so that the client comes back with a fresh one', async () => {
    const claims = JSON.parse(Buffer.from(ann.accessToken.split('.')[1]!, 'base64url').toString()) as Record<
      string,
      never
    >;
    const { sub: userId, sid: sessionId, gen: generation } = claims;
    const past = createAccessTokens({ key: secretKey(new TextEncoder().encode(JWT_SECRET)), ttlMs: -1_000 });
    const { token } = await past.issue(
      { userId: userId!, sessionId: sessionId!, generation: generation! },
      new Date(Date.now() + 60_000),
    );
    const socket = await open();
    socket.send(init(token));
    expect(await closed(socket)).toEqual({ code: 4403, reason: 'Token expired' });
  });

  it('a token whose session has ended closes with 4401: there is nothing to refresh', async () => {
    const dee = await registerPerson(cluster);
    await dee.client().request('mutation { logout }');
    const socket = await open();
    socket.send(init(dee.accessToken));
    expect(await closed(socket)).toEqual({ code: 4401, reason: 'Session revoked' });
  });

  it('a token in the address counts for nothing', async () => {
    const socket = await open({
      path: `/graphql?access_token=${ann.accessToken}`,
      headers: { authorization: `Bearer ${ann.accessToken}` },
    });
    socket.send({ type: 'connection_init' });
    expect((await closed(socket)).code).toBe(4403);
  });
});

describe('what is only odd', () => {
  it.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty', '☃', ' ', 'x'.repeat(128)])(
    'the id %s is an id like any other',
    async (id) => {
      const chat = await openGroup(ann, []);
      const socket = await connected();
      await expectAnswer(socket, id);
      socket.send(subscribe(id, MESSAGES, { variables: { chatId: chat.id } }));
      await send(ann, chat, 'one');
      expect(await socket.nextMessage()).toEqual({
        id,
        type: 'next',
        payload: { data: { messageAdded: { body: 'one' } } },
      });
      socket.send({ type: 'complete', id });
      await expectAnswer(socket, 'another');
      await expectAnswer(socket, id);
    },
  );

  it('complete for an id that nobody used, and a pong that nobody asked for, are passed over', async () => {
    const socket = await connected();
    socket.send({ type: 'complete', id: 'nobody' });
    socket.send({ type: 'complete', id: '__proto__' });
    socket.send({ type: 'pong' });
    socket.send({ type: 'pong', payload: { a: 1 } });
    await expectAnswer(socket);
  });

  it('a ping is answered before init, and without its payload', async () => {
    const socket = await open();
    socket.send({ type: 'ping', payload: { echo: 'x'.repeat(10_000) } });
    expect(await socket.nextMessage()).toEqual({ type: 'pong' });
    socket.send(init());
    expect(await socket.nextMessage()).toEqual(ACK);
    socket.send({ type: 'ping' });
    expect(await socket.nextMessage()).toEqual({ type: 'pong' });
  });

  it('queries and mutations run over a socket', async () => {
    const chat = await openGroup(ann, []);
    const socket = await ann.client().openSocket();
    expect(await socket.subscribe('{ me { id } }').next()).toEqual({ me: { id: ann.id } });
    const mutation = 'mutation ($id: ID!) { sendMessage(input: { chatId: $id, body: "hello" }) { seq body } }';
    const stream = socket.subscribe(mutation, { id: chat.id });
    expect(await stream.next()).toEqual({ sendMessage: { seq: 1, body: 'hello' } });
    expect(await stream.end).toEqual({ kind: 'complete' });
    await socket.close();
  });
});

describe('frames', () => {
  it('of bytes close with 1003', async () => {
    const socket = await connected();
    socket.send(Buffer.from(JSON.stringify(subscribe('a', HELLO))));
    expect((await closed(socket)).code).toBe(1003);
  });

  it('of 64 KiB are taken', async () => {
    const socket = await connected();
    const frame = (length: number) => JSON.stringify(subscribe('a', HELLO, { variables: { x: 'x'.repeat(length) } }));
    socket.send(frame(64 * 1024 - frame(0).length));
    expect(await socket.nextMessage()).toMatchObject({ payload: { data: { __typename: 'Query' } } });
  });

  it('of 64 KiB and a byte close with 1009', async () => {
    const socket = await connected();
    const frame = (length: number) => JSON.stringify({ type: 'ping', payload: { x: 'x'.repeat(length) } });
    socket.send(frame(64 * 1024 + 1 - frame(0).length));
    expect((await closed(socket)).code).toBe(1009);
  });

  const wrong: [name: string, bytes: Buffer, code: number][] = [
    ['a text that is not UTF-8', text(Buffer.from([0xc3, 0x28])), 1007],
    ['a frame without a mask', Buffer.from([0x81, 0x02, 0x7b, 0x7d]), 1002],
    ['an unknown opcode', text('{}', 0x83), 1002],
    ['a reserved bit', text('{}', 0xc1), 1002],
    ['a continuation of nothing', text('{}', 0x80), 1002],
    ['a ping of 126 bytes', Buffer.concat([Buffer.from([0x89, 0xfe, 0, 126, 0, 0, 0, 0]), Buffer.alloc(126)]), 1002],
    ['a ping in two parts', text('', 0x09), 1002],
    [
      'a length of 101 MiB, and nothing behind it',
      Buffer.from([0x81, 0xff, 0, 0, 0, 0, 0x06, 0x50, 0, 0, 0, 0, 0, 0]),
      1009,
    ],
    ['a text in 300 parts', Buffer.concat([text('a', 0x01), ...Array(299).fill(text('a', 0x00))]), 1008],
  ];

  it.each(wrong)('%s', async (_name, bytes, code) => {
    expect(await closeCodeAfter(bytes)).toBe(code);
  });

  it.each([
    ['twenty thousand pings', (socket: RawSocket) => socket.socket.ping()],
    ['twenty thousand pings of the protocol', (socket: RawSocket) => socket.send({ type: 'ping' })],
    ['twenty thousand completes', (socket: RawSocket) => socket.send({ type: 'complete', id: 'a' })],
  ])('%s in a breath close with 1008', async (_name, flood) => {
    const socket = await connected();
    for (let sent = 0; sent < 20_000 && socket.socket.readyState === socket.socket.OPEN; sent += 1) flood(socket);
    expect((await closed(socket)).code).toBe(1008);
  });

  it('five hundred subscribes in a breath close with 1008', async () => {
    const socket = await connected();
    for (let id = 0; id < 500; id += 1) socket.send(subscribe(String(id), HELLO));
    expect((await closed(socket)).code).toBe(1008);
  });
});

describe('the upgrade', () => {
  const refusal = (options: RawSocketOptions) =>
    open(options).then(
      () => expect.unreachable('it was upgraded'),
      (error: unknown) => error as UpgradeRefusedError,
    );

  it.each(['/', '/nope', '/graphql/', '/graphqlx'])('of %s is refused with 404', async (path) => {
    const error = await refusal({ path });
    expect(error).toBeInstanceOf(UpgradeRefusedError);
    expect(error.status).toBe(404);
  });

  it.each(['https://evil.example', 'null', 'http://localhost.evil.example', 'http://127.0.0.1:1'])(
    'from %s is refused with 403',
    async (origin) => {
      const error = await refusal({ headers: { origin } });
      expect(error.status).toBe(403);
      expect(JSON.parse(error.body)).toMatchObject({ errors: [{ extensions: { code: 'ORIGIN_NOT_ALLOWED' } }] });
    },
  );

  it.each(['http://evil.example:4711', 'ftp://127.0.0.1', 'http://evil@127.0.0.1'])(
    'from %s is refused with 403, also when Host says the same',
    async (origin) => {
      const error = await refusal({ headers: { origin, host: origin.replace(/^.*[/@]/, '') } });
      expect(error.status).toBe(403);
    },
  );

  it.each([undefined, 'capacitor://localhost', 'ionic://localhost', 'http://localhost', 'http://localhost:8100'])(
    'from %s is taken',
    async (origin) => {
      const socket = await open({ headers: origin === undefined ? {} : { origin } });
      socket.send(init());
      expect(await socket.nextMessage()).toEqual(ACK);
    },
  );

  it.each(['graphql-ws', 'mqtt'])('for the protocol %s fails', async (protocol) => {
    await expect(open({ protocol })).rejects.toThrow('Server sent no subprotocol');
  });

  it('for several protocols takes ours', async () => {
    const socket = await open({ protocol: ['graphql-ws', 'graphql-transport-ws'] });
    expect(socket.socket.protocol).toBe('graphql-transport-ws');
  });

  it('for no protocol closes with 4406', async () => {
    expect((await closed(await open({ protocol: null }))).code).toBe(4406);
  });

  it('agrees on no compression: a bomb would unpack to anything', async () => {
    const socket = await open();
    expect(socket.socket.extensions).toBe('');
  });
});

describe('beside a live subscription', () => {
  interface Bad {
    name: string;
    payload: (now: { bob: Person; foreignChatId: string }) => object;
    code: ErrorCode;
    /** Refused before it is run: `error`. In the run: `next` with errors, then `complete`. */
    as: 'error' | 'next';
    field?: string;
  }

  const bad: Bad[] = [
    { name: 'a syntax error', payload: () => ({ query: '{' }), code: 'GRAPHQL_PARSE_FAILED', as: 'error' },
    { name: 'an empty query', payload: () => ({ query: '' }), code: 'GRAPHQL_PARSE_FAILED', as: 'error' },
    {
      name: 'an unknown field',
      payload: () => ({ query: 'subscription { nobody }' }),
      code: 'GRAPHQL_VALIDATION_FAILED',
      as: 'error',
    },
    {
      name: 'two root fields',
      payload: () => ({ query: 'subscription { a: chatUpdated { id } b: chatUpdated { id } }' }),
      code: 'GRAPHQL_VALIDATION_FAILED',
      as: 'error',
    },
    {
      name: 'depth 13',
      payload: () => ({ query: `{ me ${'{ a '.repeat(12)}${'}'.repeat(12)} }` }),
      code: 'QUERY_TOO_COMPLEX',
      as: 'error',
    },
    {
      name: '1,001 tokens',
      payload: () => ({ query: `{ ${'a '.repeat(999)} }` }),
      code: 'QUERY_TOO_COMPLEX',
      as: 'error',
    },
    {
      name: 'an unknown operation',
      payload: () => ({ query: 'query A { __typename }', operationName: 'B' }),
      code: 'OPERATION_RESOLUTION_FAILURE',
      as: 'error',
    },
    {
      name: 'two operations and no name',
      payload: () => ({ query: 'query A { __typename } query B { __typename }' }),
      code: 'OPERATION_RESOLUTION_FAILURE',
      as: 'error',
    },
    {
      name: 'only a fragment',
      payload: () => ({ query: 'fragment a on User { id }' }),
      code: 'GRAPHQL_VALIDATION_FAILED',
      as: 'error',
    },
    { name: 'a missing variable', payload: () => ({ query: MESSAGES }), code: 'BAD_USER_INPUT', as: 'next' },
    {
      name: 'a variable of the wrong type',
      payload: () => ({ query: MESSAGES, variables: { chatId: {} } }),
      code: 'BAD_USER_INPUT',
      as: 'next',
    },
    {
      name: 'an id that is no UUID',
      payload: () => ({ query: MESSAGES, variables: { chatId: 'x' } }),
      code: 'BAD_USER_INPUT',
      as: 'next',
      field: 'chatId',
    },
    {
      name: 'a seq that the chat has not',
      payload: ({ foreignChatId }) => ({
        query: 'subscription ($chatId: ID!) { messageAdded(chatId: $chatId, afterSeq: -1) { body } }',
        variables: { chatId: foreignChatId },
      }),
      code: 'NOT_FOUND',
      as: 'next',
    },
    {
      name: 'an absent chat',
      payload: () => ({ query: MESSAGES, variables: { chatId: randomUUID() } }),
      code: 'NOT_FOUND',
      as: 'next',
    },
    {
      name: 'a chat of others',
      payload: ({ foreignChatId }) => ({ query: MESSAGES, variables: { chatId: foreignChatId } }),
      code: 'NOT_FOUND',
      as: 'next',
    },
    {
      name: 'a mutation that is refused',
      payload: ({ foreignChatId }) => ({
        query: 'mutation ($id: ID!) { markRead(chatId: $id, seq: 1) { id } }',
        variables: { id: foreignChatId },
      }),
      code: 'NOT_FOUND',
      as: 'next',
    },
  ];

  it.each(bad)('$name harms nobody', async ({ payload, code, as, field }) => {
    const [chat, foreign] = await Promise.all([openGroup(ann, []), openGroup(bob, [])]);
    const socket = await connected();
    socket.send(subscribe('live', MESSAGES, { variables: { chatId: chat.id } }));
    await send(ann, chat, 'before');
    expect(await socket.nextMessage()).toMatchObject({
      id: 'live',
      payload: { data: { messageAdded: { body: 'before' } } },
    });

    socket.send({ id: 'bad', type: 'subscribe', payload: payload({ bob, foreignChatId: foreign.id }) });
    const answer = (await socket.nextMessage()) as { id: string; type: string; payload: unknown };
    expect(answer).toMatchObject({ id: 'bad', type: as });
    const errors = (as === 'error' ? answer.payload : (answer.payload as { errors: unknown }).errors) as {
      extensions: Record<string, unknown>;
    }[];
    expect(errors[0]!.extensions).toEqual({ code, ...(field && { field }) });
    for (const { extensions } of errors) expect(ERROR_CODES).toContain(extensions['code']);
    if (as === 'next') expect(await socket.nextMessage()).toEqual({ id: 'bad', type: 'complete' });

    await send(ann, chat, 'after');
    expect(await socket.nextMessage()).toMatchObject({
      id: 'live',
      payload: { data: { messageAdded: { body: 'after' } } },
    });
    await expectAnswer(socket, 'bad');
  });

  it('a 51st operation is refused, until one of the fifty is complete', async () => {
    const chat = await openGroup(ann, []);
    const socket = await connected();
    for (let id = 1; id <= 50; id += 1)
      socket.send(subscribe(String(id), MESSAGES, { variables: { chatId: chat.id } }));
    socket.send(subscribe('51', MESSAGES, { variables: { chatId: chat.id } }));
    expect(await socket.nextMessage()).toMatchObject({
      id: '51',
      type: 'error',
      payload: [{ extensions: { code: 'RATE_LIMITED', retryAfter: 1 } }],
    });
    await send(ann, chat, 'hello');
    const reached = new Set<string>();
    while (reached.size < 50) reached.add(((await socket.nextMessage()) as { id: string }).id);
    socket.send({ type: 'complete', id: '1' });
    await expectAnswer(socket, '51');
  });

  async function answerTo(socket: RawSocket, id: string) {
    for (;;) {
      const message = (await socket.nextMessage()) as { id: string; type: string; payload: unknown };
      if (message.id === id) return message;
    }
  }

  it('what was completed in haste and has not begun takes no room', { timeout: 60_000 }, async () => {
    const socket = await connected();
    // To check a password takes time; of one person there are so many at once.
    const slow = `mutation { login(input: { email: "${ann.email}", password: "wrong harbour" }) { accessToken } }`;
    for (let batch = 0; batch < 8; batch += 1) {
      const ids = Array.from({ length: 20 }, (_, nth) => `${batch}-${nth}`);
      for (const id of ids) socket.send(subscribe(id, slow));
      for (const id of ids) socket.send({ type: 'complete', id });
      socket.send(subscribe(`after ${batch}`, HELLO));
      expect(await answerTo(socket, `after ${batch}`)).toMatchObject({ type: 'next' });
      await sleep(300);
    }
  });

  it.runIf(backend === 'distributed')(
    'what was completed in haste and still runs makes no room without end',
    { timeout: 60_000 },
    async () => {
      const socket = await connected();
      const chat = await openGroup(ann, []);
      const holder = new pg.Client(cluster.databaseUrl);
      await holder.connect();
      await holder.query('BEGIN');
      await holder.query('SELECT 1 FROM chat WHERE id = $1 FOR UPDATE', [chat.id]);
      const slow = `mutation { sendMessage(input: { chatId: "${chat.id}", body: "waits" }) { seq } }`;
      let answer: Awaited<ReturnType<typeof answerTo>>;
      let batch = 0;
      do {
        batch += 1;
        const ids = Array.from({ length: 20 }, (_, nth) => `${batch}-${nth}`);
        for (const id of ids) socket.send(subscribe(id, slow));
        socket.send(subscribe(`after ${batch}`, HELLO));
        // What is left before it began does not run.
        answer = await answerTo(socket, `after ${batch}`);
        for (const id of ids) socket.send({ type: 'complete', id });
      } while (answer.type === 'next' && batch < 10);
      await holder.end();
      expect(answer).toMatchObject({
        type: 'error',
        payload: [{ extensions: { code: 'RATE_LIMITED', retryAfter: 1 } }],
      });
      const ask = async () => {
        socket.send(subscribe('sound', HELLO));
        expect((await answerTo(socket, 'sound')).type).toBe('next');
      };
      await eventually(ask, { deadlineMs: 30_000, everyMs: 250 });
    },
  );
});

describe('after all that', () => {
  it('the server answers as ever, and found nothing to log as its own fault', async () => {
    const { json } = await createClient(cluster.node(0)).raw({
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: HELLO }),
    });
    expect(json).toEqual({ data: { __typename: 'Query' } });
    const faults = cluster.node(0).logs.filter((line) => (JSON.parse(line) as { level: number }).level >= 40);
    expect(faults).toEqual([]);
  });
});
