import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { backend, startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { openGroup, registerPerson, send } from '../support/people.ts';
import type { Person } from '../support/people.ts';
import { deferred, eventually, within } from '../support/wait.ts';

const MESSAGES = 'subscription ($chatId: ID!) { messageAdded(chatId: $chatId, afterSeq: 0) { body } }';
const MEMBERS = 'subscription { chatUpdated { id title } }';

interface Event {
  event: string;
  data: unknown;
}

/** A response of server-sent events, as a browser reads it. */
interface EventStream {
  status: number;
  headers: IncomingMessage['headers'];
  /** The next event. Comments are passed over. */
  next(): Promise<Event>;
  /** All that is left, once the server has ended the response. */
  rest(): Promise<Event[]>;
  leave(): void;
}

let cluster: Cluster;
let ann: Person;
let bob: Person;
beforeAll(async () => {
  cluster = await startCluster();
  [ann, bob] = await Promise.all([registerPerson(cluster), registerPerson(cluster)]);
});
afterAll(() => cluster?.stop());

interface Params {
  query: string;
  variables?: object;
}

const CSRF = { 'apollo-require-preflight': '1' };

function postRequest(params: Params, headers: Record<string, string> = {}): ClientRequest {
  const request = httpRequest(cluster.node(0).url, {
    method: 'POST',
    agent: false,
    headers: { accept: 'text/event-stream', 'content-type': 'application/json', ...headers },
  });
  request.end(JSON.stringify(params));
  return request;
}

function getRequest({ query, variables }: Params, headers: Record<string, string>): ClientRequest {
  const search = new URLSearchParams({ query, variables: JSON.stringify(variables ?? {}) });
  const request = httpRequest(`${cluster.node(0).url}?${search.toString()}`, {
    agent: false,
    headers: { accept: 'text/event-stream', ...headers },
  });
  return request.end();
}

async function read(request: ClientRequest): Promise<EventStream> {
  const [response] = (await within(once(request, 'response'), 10_000, 'a response')) as [IncomingMessage];
  onTestFinished(() => void request.destroy());
  const events: Event[] = [];
  let wake = deferred();
  let ended = false;
  let text = '';
  const notify = () => {
    wake.resolve();
    wake = deferred();
  };
  response.setEncoding('utf8').on('data', (chunk: string) => {
    const blocks = (text + chunk).split('\n\n');
    text = blocks.pop()!;
    for (const block of blocks) {
      const event = /^event: (.*)$/m.exec(block)?.[1];
      const data = /^data: ?(.*)$/m.exec(block)?.[1];
      if (event !== undefined) events.push({ event, data: data ? (JSON.parse(data) as unknown) : undefined });
    }
    notify();
  });
  response
    .on('error', () => {})
    .on('close', () => {
      ended = true;
      notify();
    });
  return {
    status: response.statusCode!,
    headers: response.headers,
    async next() {
      while (events.length === 0) {
        if (ended) throw new Error('the response has ended');
        await within(wake.promise, 10_000, 'an event');
      }
      return events.shift()!;
    },
    async rest() {
      while (!ended) await within(wake.promise, 10_000, 'the end of the response');
      return events.splice(0);
    },
    leave: () => void request.destroy(),
  };
}

const as = (person: Person) => ({ authorization: `Bearer ${person.accessToken}` });
const next = (data: object) => ({ event: 'next', data: { data } });
const COMPLETE = { event: 'complete', data: undefined };

/** An error, as the last event but one. */
const ended = (code: string, extensions: object = {}) => [
  { event: 'next', data: { errors: [expect.objectContaining({ extensions: { code, ...extensions } })] } },
  COMPLETE,
];

describe('a subscription over server-sent events', () => {
  it('is asked for by POST', async () => {
    const chat = await openGroup(ann, []);
    const stream = await read(postRequest({ query: MESSAGES, variables: { chatId: chat.id } }, as(ann)));
    expect(stream.status).toBe(200);
    expect(stream.headers).toMatchObject({ 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    for (const body of ['one', 'two\n\nthree', 'event: complete']) {
      await send(ann, chat, body);
      expect(await stream.next()).toEqual(next({ messageAdded: { body } }));
    }
  });

  it('is asked for by GET with a header that a link cannot send', async () => {
    const chat = await openGroup(ann, []);
    const params = { query: MESSAGES, variables: { chatId: chat.id } };
    const refused = await read(getRequest(params, as(ann)));
    expect(refused.status).toBe(403);
    const stream = await read(getRequest(params, { ...CSRF, ...as(ann) }));
    await send(ann, chat, 'one');
    expect(await stream.next()).toEqual(next({ messageAdded: { body: 'one' } }));
  });

  it('may be accepted among other types, and by a page of an allowed origin', async () => {
    const chat = await openGroup(ann, []);
    const origin = 'capacitor://localhost';
    const headers = { accept: 'application/json, text/event-stream', origin, ...as(ann) };
    const stream = await read(postRequest({ query: MESSAGES, variables: { chatId: chat.id } }, headers));
    expect(stream.headers).toMatchObject({
      'content-type': 'text/event-stream',
      'access-control-allow-origin': origin,
    });
    await send(ann, chat, 'one');
    expect(await stream.next()).toEqual(next({ messageAdded: { body: 'one' } }));
  });

  it('a query is one event', async () => {
    const stream = await read(postRequest({ query: '{ me { id } }' }, as(ann)));
    expect(await stream.rest()).toEqual([next({ me: { id: ann.id } }), COMPLETE]);
  });

  it.each<[name: string, params: Params, code: string, extensions?: object]>([
    ['an absent chat', { query: MESSAGES, variables: { chatId: randomUUID() } }, 'NOT_FOUND'],
    ['no id', { query: MESSAGES, variables: { chatId: 'x' } }, 'BAD_USER_INPUT', { field: 'chatId' }],
    ['an unknown field', { query: 'subscription { nobody }' }, 'GRAPHQL_VALIDATION_FAILED'],
    ['a syntax error', { query: '{' }, 'GRAPHQL_PARSE_FAILED'],
    ['depth 13', { query: `{ me ${'{ a '.repeat(12)}${'}'.repeat(12)} }` }, 'QUERY_TOO_COMPLEX'],
  ])('%s is an error and the end', async (_name, params, code, extensions) => {
    const stream = await read(postRequest(params, as(ann)));
    expect(stream.status).toBe(200);
    expect(await stream.rest()).toEqual(ended(code, extensions));
  });

  it.each<
    [name: string, params: Params, headers: Record<string, string>, status: number, code: string, extensions?: object]
  >([
    [
      'a bad token',
      { query: MEMBERS },
      { authorization: 'Bearer x' },
      401,
      'UNAUTHENTICATED',
      { reason: 'INVALID_TOKEN' },
    ],
    ['nobody signed in', { query: MEMBERS }, {}, 200, 'UNAUTHENTICATED', { reason: 'MISSING' }],
    ['a variable missing', { query: MESSAGES }, {}, 400, 'BAD_USER_INPUT'],
  ])('%s is an error and the end', async (_name, params, headers, status, code, extensions) => {
    const stream = await read(postRequest(params, headers));
    expect(stream.status).toBe(status);
    expect(await stream.rest()).toEqual(ended(code, extensions));
  });

  it('of a member who is removed ends with an error', async () => {
    const chat = await openGroup(ann, [bob]);
    const stream = await read(postRequest({ query: MESSAGES, variables: { chatId: chat.id } }, as(bob)));
    await send(ann, chat, 'one');
    expect(await stream.next()).toEqual(next({ messageAdded: { body: 'one' } }));
    const remove = 'mutation ($chatId: ID!, $userId: ID!) { removeMember(chatId: $chatId, userId: $userId) { id } }';
    await ann.client(1).request(remove, { chatId: chat.id, userId: bob.id });
    expect(await stream.rest()).toEqual(ended('NOT_FOUND'));
  });

  it('of a session that signs out ends with an error', async () => {
    const cid = await registerPerson(cluster);
    const chat = await openGroup(cid, []);
    const stream = await read(postRequest({ query: MESSAGES, variables: { chatId: chat.id } }, as(cid)));
    await send(cid, chat, 'one');
    expect(await stream.next()).toEqual(next({ messageAdded: { body: 'one' } }));
    await cid.client(1).request('mutation { logout }');
    expect(await stream.rest()).toEqual(ended('UNAUTHENTICATED', { reason: 'SESSION_REVOKED' }));
  });
});

describe('a client that goes away', () => {
  const isOnline = async (person: Person) => {
    const { user } = (await ann
      .client(1)
      .request('query ($id: ID!) { user(id: $id) { isOnline } }', { id: person.id })) as {
      user: { isOnline: boolean };
    };
    return user.isOnline;
  };

  it('is not online any more', async () => {
    const dee = await registerPerson(cluster);
    const chat = await openGroup(dee, []);
    const stream = await read(postRequest({ query: MESSAGES, variables: { chatId: chat.id } }, as(dee)));
    await eventually(async () => expect(await isOnline(dee)).toBe(true));
    stream.leave();
    await eventually(async () => expect(await isOnline(dee)).toBe(false));
  });

  it('before it was answered leaves nothing behind either', async () => {
    const eve = await registerPerson(cluster);
    const chat = await openGroup(eve, []);
    const params = { query: MESSAGES, variables: { chatId: chat.id } };
    const stay = await read(postRequest(params, as(eve)));
    for (let turn = 0; turn < 100; turn += 1) {
      const request = postRequest(params, as(eve)).on('error', () => {});
      // At every moment between the first byte out and the first byte back.
      const left = deferred();
      setTimeout(() => {
        request.destroy();
        left.resolve();
      }, turn % 25);
      await left.promise;
    }
    await send(eve, chat, 'still there');
    expect(await stay.next()).toEqual(next({ messageAdded: { body: 'still there' } }));
    stay.leave();
    await eventually(async () => expect(await isOnline(eve)).toBe(false));
  });

  it.runIf(backend === 'distributed')('frees the feed of the chat', async () => {
    const redis = new Redis(cluster.redisUrl!);
    onTestFinished(() => redis.disconnect());
    const chat = await openGroup(ann, []);
    const channels = async () =>
      (await redis.pubsub('CHANNELS', `${cluster.redisPrefix}*`)).filter((name) => String(name).includes(chat.id));
    const stream = await read(postRequest({ query: MESSAGES, variables: { chatId: chat.id } }, as(ann)));
    await eventually(async () => expect(await channels()).toHaveLength(1));
    stream.leave();
    await eventually(async () => expect(await channels()).toEqual([]));
  });
});
