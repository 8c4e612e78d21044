import { createHash, randomUUID } from 'node:crypto';
import { getIntrospectionQuery } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createClient, rawSocket } from '../support/client.ts';
import { startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { readHistory } from '../support/history.ts';
import { apolloManifest, textsOfHelpers, writeManifest } from '../support/manifest.ts';
import type { Manifest } from '../support/manifest.ts';
import { openGroup, registerPerson, send } from '../support/people.ts';
import type { Person } from '../support/people.ts';
import { startServer, StartError } from '../support/server-process.ts';
import { temporaryDirectory } from '../support/servers.ts';

const ME = 'query Me { me { id } }';
const OTHER = 'query Other { me { firstName } }';
const SEND = 'mutation Write($input: SendMessageInput!) { sendMessage(input: $input) { seq } }';
const ADDED = 'subscription Added($id: ID!) { messageAdded(chatId: $id, afterSeq: 0) { body } }';
const PAGES = `query Pages($n: Int) { chats(first: $n) { edges { node { messages(first: $n) { edges { node {
  chat { members { role } } } } } } } } }`;
const LISTED = { me: ME, other: OTHER, send: SEND, added: ADDED, pages: PAGES };

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const hashOf = (text: string) => ({ persistedQuery: { version: 1, sha256Hash: sha256(text) } });

/** What names a document. */
interface Naming {
  query?: string;
  documentId?: unknown;
  extensions?: object;
}

interface Params extends Naming {
  variables?: object;
}

const byText = (text: string): Naming => ({ query: text });

/** Everything that names the document, which the list calls so. */
const NAMINGS: Record<string, (id: string, text: string) => Naming> = {
  'by text': (_id, text) => byText(text),
  'by the id on the list': (id) => ({ documentId: id }),
  'by its hash': (_id, text) => ({ documentId: `sha256:${sha256(text)}` }),
  'by its hash without a prefix': (_id, text) => ({ documentId: sha256(text) }),
  'by its hash, as Apollo does': (_id, text) => ({ extensions: hashOf(text) }),
  'by the id on the list, as Apollo does': (id) => ({ extensions: { persistedQuery: { version: 1, sha256Hash: id } } }),
  'by text and hash': (_id, text) => ({ query: text, extensions: hashOf(text) }),
  'by everything at once': (id, text) => ({ query: text, documentId: id, extensions: hashOf(text) }),
};

const UNLISTED = 'query Me { me { id email } }';

/** Whatever names none, or names two. */
const REFUSED: Record<string, Naming> = {
  'another text': byText(UNLISTED),
  'a text with one space more': byText(`${ME} `),
  'a text with one space less': byText(ME.replace('Me {', 'Me{')),
  'a text that cannot be parsed': byText('{ me {'),
  'a text that is too complex': byText(`{ me ${'{ a '.repeat(400)}${'}'.repeat(400)} }`),
  introspection: byText(getIntrospectionQuery()),
  'an unknown id': { documentId: 'nothing' },
  'the name of an operation for an id': { documentId: 'Me' },
  'a number for an id': { documentId: 1 },
  'an unknown hash': { documentId: `sha256:${sha256(UNLISTED)}` },
  'an unknown hash, as Apollo sends it': { extensions: hashOf(UNLISTED) },
  'a text to be listed under its hash': { query: UNLISTED, extensions: hashOf(UNLISTED) },
  'another text under the id of one on the list': { query: UNLISTED, documentId: 'me' },
  'one text under the id of another': { query: ME, documentId: 'other' },
  'one text under the hash of another': { query: ME, extensions: hashOf(OTHER) },
  'a text under an unknown id': { query: ME, documentId: 'nothing' },
  'two ids of two documents': { documentId: 'me', extensions: hashOf(OTHER) },
  'an id and an unknown hash': { documentId: 'me', extensions: hashOf(UNLISTED) },
};

interface Answer {
  /** Undefined over a socket. */
  status?: number;
  data?: any;
  errors?: Array<{ message: string; extensions: { code: string } }>;
}

type Transport = (node: { url: string; wsUrl: string }, token: string | null, params: Params) => Promise<Answer>;

const bearer = (token: string | null): Record<string, string> =>
  token === null ? {} : { authorization: `Bearer ${token}` };

const post =
  (accept: string, more: object = {}): Transport =>
  async ({ url }, token, params) =>
    readAnswer(
      await fetch(url, {
        method: 'POST',
        headers: { accept, 'content-type': 'application/json', ...bearer(token) },
        body: JSON.stringify({ ...params, ...more }),
      }),
    );

const get =
  (accept: string): Transport =>
  async ({ url }, token, params) => {
    const search = new URLSearchParams(
      Object.entries(params).map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)]),
    );
    const headers = { accept, 'apollo-require-preflight': '1', ...bearer(token) };
    return readAnswer(await fetch(`${url}?${search.toString()}`, { headers }));
  };

/** Of an event stream, the first event. */
async function readAnswer(response: Response): Promise<Answer> {
  let text = '';
  if (!response.headers.get('content-type')!.startsWith('text/event-stream')) text = await response.text();
  else
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      if (/^data: .+\n\n/m.test(text)) break;
    }
  const json = /^data: (.+)$/m.exec(text)?.[1] ?? text;
  return { status: response.status, ...(JSON.parse(json) as object) };
}

const overSocket: Transport = async (node, token, { query = '', ...params }) => {
  const socket = await rawSocket(node);
  socket.send({ type: 'connection_init', payload: bearer(token) });
  await socket.nextMessage();
  socket.send({ id: 'a', type: 'subscribe', payload: { query, ...params } });
  const { type, payload } = (await socket.nextMessage()) as { type: string; payload: any };
  socket.close();
  return type === 'next' ? payload : { errors: payload };
};

/** A POST of a parameter that is null takes the long way through the server, one without the short. */
const TRANSPORTS: Record<string, Transport> = {
  'a POST': post('application/json'),
  'a POST for the newer type': post('application/graphql-response+json, application/json'),
  'a POST that takes the long way': post('application/json', { other: null }),
  'a POST for an event stream': post('text/event-stream'),
  'a GET': get('application/json'),
  'a GET for an event stream': get('text/event-stream'),
  'a socket': overSocket,
};
const names = Object.keys(TRANSPORTS);
const isGet = (transport: string) => transport.startsWith('a GET');
const isStream = (transport: string) => /event stream|socket/.test(transport);

const NOT_LISTED = 'The document is not on the list of those that this server runs.';

function expectRefused({ status, data, errors }: Answer): void {
  expect(data).toBeUndefined();
  expect(errors).toEqual([expect.objectContaining({ message: NOT_LISTED, extensions: { code: 'BAD_REQUEST' } })]);
  expect([undefined, 400]).toContain(status);
}

describe('a server with a list of documents', () => {
  let manifest: Manifest;
  let cluster: Cluster;
  let ann: Person;
  beforeAll(async () => {
    manifest = await writeManifest(apolloManifest({ ...textsOfHelpers(), ...LISTED }));
    cluster = await startCluster({ nodes: 1, env: { PERSISTED_DOCUMENTS: manifest.path, INTROSPECTION: 'on' } });
    ann = await registerPerson(cluster);
  });
  afterAll(async () => {
    await cluster?.stop();
    await manifest?.remove();
  });

  const ask = (transport: string, params: Params) => TRANSPORTS[transport]!(cluster.node(0), ann.accessToken, params);

  describe.each(names)('asked by %s', (transport) => {
    it.each(Object.keys(NAMINGS))('answers what is named %s', async (naming) => {
      expect((await ask(transport, NAMINGS[naming]!('me', ME))).data).toEqual({ me: { id: ann.id } });
      expect((await ask(transport, NAMINGS[naming]!('other', OTHER))).data).toEqual({
        me: { firstName: ann.firstName },
      });
    });

    it.each(Object.keys(REFUSED))('refuses %s', async (naming) => {
      expectRefused(await ask(transport, REFUSED[naming]!));
    });

    it('runs nothing that it refuses, and a listed mutation once', async () => {
      const chat = await openGroup(ann, []);
      const input = { chatId: chat.id, body: 'said', clientId: randomUUID() };
      const unlisted = SEND.replace('seq', 'id');
      for (const naming of [
        byText(unlisted),
        { extensions: hashOf(unlisted) },
        { query: unlisted, documentId: 'send' },
        { query: unlisted, extensions: hashOf(unlisted) },
      ])
        expectRefused(await ask(transport, { ...naming, variables: { input } }));
      expect(await readHistory(ann, chat)).toEqual([]);

      const listed = await ask(transport, { documentId: 'send', variables: { input } });
      if (isGet(transport)) expect(listed).toMatchObject({ status: 405, errors: [{}] });
      else expect(listed.data).toEqual({ sendMessage: { seq: 1 } });
      expect(await readHistory(ann, chat)).toHaveLength(isGet(transport) ? 0 : 1);
    });

    it('takes variables into account as it always does', async () => {
      const code = async (params: Params) => (await ask(transport, params)).errors?.[0]!.extensions.code;
      for (const naming of [byText(PAGES), { documentId: 'pages' }]) {
        expect(await code({ ...naming, variables: { n: 1 } })).toBeUndefined();
        expect(await code({ ...naming, variables: { n: 100 } })).toBe('QUERY_TOO_COMPLEX');
        expect(await code({ ...naming, variables: { n: 'many' } })).toBe('BAD_USER_INPUT');
      }
    });
  });

  describe.each(names.filter(isStream))('asked to subscribe by %s', (transport) => {
    it.each(Object.keys(NAMINGS))('answers what is named %s', async (naming) => {
      const chat = await openGroup(ann, []);
      await send(ann, chat, 'hello');
      const { data } = await ask(transport, { ...NAMINGS[naming]!('added', ADDED), variables: { id: chat.id } });
      expect(data).toEqual({ messageAdded: { body: 'hello' } });
    });
  });

  it('does not look into a text as long as a body may be', async () => {
    const { json } = await createClient(cluster.node(0)).raw({
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: `{ ${'me '.repeat(33_000)} }` }),
    });
    expectRefused(json);
  });

  it.each(names)('refuses by %s what names no document, with the same code', async (transport) => {
    for (const params of [{ query: '' }, { variables: {} }]) {
      const { data, errors } = await ask(transport, params);
      expect(data).toBeUndefined();
      expect(errors).toMatchObject([{ extensions: { code: 'BAD_REQUEST' } }]);
    }
  });

  it('refuses one operation on a socket and leaves the others alone', async () => {
    const chat = await openGroup(ann, []);
    const socket = await ann.client().openSocket();
    const stream = socket.subscribe<{ messageAdded: { body: string } }, { id: string }>(ADDED, { id: chat.id });
    expect(await socket.subscribe(UNLISTED).end).toMatchObject({
      kind: 'error',
      errors: [{ extensions: { code: 'BAD_REQUEST' } }],
    });
    await send(ann, chat, 'still here');
    expect(await stream.next()).toEqual({ messageAdded: { body: 'still here' } });
    await socket.close();
  });

  it('has no page to type documents into', async () => {
    const { status, text } = await createClient(cluster.node(0)).raw({
      method: 'GET',
      headers: { accept: 'text/html' },
    });
    expect(status).not.toBe(200);
    expect(text).not.toContain('<html');
  });

  it('says how many documents it runs', () => {
    const count = Object.keys({ ...textsOfHelpers(), ...LISTED }).length;
    expect(cluster.node(0).output).toContain(`the ${count} listed documents`);
  });
});

describe('a server with a map of hashes to texts, as graphql-codegen writes it', () => {
  const REGISTER = 'mutation Join($input: RegisterInput!) { register(input: $input) { accessToken } }';
  let manifest: Manifest;
  let cluster: Cluster;
  beforeAll(async () => {
    manifest = await writeManifest({ [`sha256:${sha256(REGISTER)}`]: REGISTER, '5d41402a': OTHER });
    // It counts for itself: a Redis with much to do is not waited for.
    const env = { PERSISTED_DOCUMENTS: manifest.path, RATE_LIMIT: 'on', REDIS_URL: '' };
    cluster = await startCluster({ nodes: 1, env });
  });
  afterAll(async () => {
    await cluster?.stop();
    await manifest?.remove();
  });

  it('counts a listed document as any other', async () => {
    const input = { email: 'no e-mail', password: 'x', firstName: 'A', lastName: 'B' };
    const namings = [
      byText(REGISTER),
      { documentId: `sha256:${sha256(REGISTER)}` },
      { extensions: hashOf(REGISTER) },
    ] as const;
    const codes: unknown[] = [];
    for (let nth = 0; nth < 33; nth += 1) {
      const transport = TRANSPORTS[nth % 2 === 0 ? 'a POST' : 'a POST that takes the long way']!;
      const { errors } = await transport(cluster.node(0), null, { ...namings[nth % 3]!, variables: { input } });
      codes.push(errors![0]!.extensions.code);
    }
    expect(codes).toEqual([...Array<string>(30).fill('BAD_USER_INPUT'), ...Array<string>(3).fill('RATE_LIMITED')]);
  });
});

describe('a server without a list', () => {
  let cluster: Cluster;
  let ann: Person;
  beforeAll(async () => {
    cluster = await startCluster({ nodes: 1 });
    ann = await registerPerson(cluster);
  });
  afterAll(() => cluster?.stop());

  it.each(names)('knows no id, by %s', async (transport) => {
    const ask = (params: Params) => TRANSPORTS[transport]!(cluster.node(0), ann.accessToken, params);
    for (const params of [{ documentId: `sha256:${sha256(ME)}` }, { extensions: hashOf(ME) }]) {
      const { data, errors } = await ask(params);
      expect(data).toBeUndefined();
      // graphql-ws asks for a text: the one of who has none is empty.
      expect(errors![0]!.extensions.code).toBe(transport === 'a socket' ? 'GRAPHQL_PARSE_FAILED' : 'BAD_REQUEST');
    }
    expect((await ask({ query: ME, extensions: hashOf(OTHER) })).data).toEqual({ me: { id: ann.id } });
  });
});

describe('a list that is not sound', () => {
  const deep = `query Deep { me ${'{ a '.repeat(12)}${'}'.repeat(12)} }`;
  const many = `query Many { ${'__typename '.repeat(1_000)} }`;

  it.each<[what: string, content: unknown, line: RegExp]>([
    ['is no JSON', '{ "me": ', /must be a file of JSON: .*documents\.json is none$/],
    ['is a list', [ME], /must be a map of ids to texts, or .*documents\.json is neither$/],
    ['holds what is no text', { me: { text: ME } }, /must be a map of ids to texts/],
    ['is of another version', { ...apolloManifest({ me: ME }), version: 2 }, /must be a map of ids to texts/],
    ['is empty', {}, /must list a document: .*documents\.json lists none$/],
    ['is an empty one of Apollo', apolloManifest({}), /must list a document/],
    ['has a syntax error', { me: ME, bad: 'query Bad { me {' }, /"bad" \(query Bad\) .*Syntax Error/],
    ['has one over several lines', { bad: '{ me(a: """\n\n""" """\n""") }' }, /"bad" \(no name\)/],
    ['asks for what is not there', { me: ME, bad: 'query Bad { me { idd } }' }, /"bad" \(query Bad\) .*field "idd"/],
    ['asks too deep', { me: ME, deep }, /"deep" \(query Deep\) .*asks for too much/],
    ['has too many tokens', { me: ME, many }, /"many" \(query Many\) .*1000 tokens/],
    ['has a wrong hash', { [`sha256:${sha256(OTHER)}`]: ME }, /"sha256:[0-9a-f]{64}" \(query Me\) .*not the hash/],
    [
      'has an id twice',
      {
        ...apolloManifest({}),
        operations: [ME, OTHER].map((body) => ({ id: 'me', name: 'Me', type: 'query', body })),
      },
      /"me" \(query Other\) .*another one/,
    ],
    [
      'has the hash of one for the id of another',
      { [sha256(OTHER)]: ME, other: OTHER },
      /"other" \(query Other\) .*another one/,
    ],
  ])('keeps the server from starting, in one line, when it %s', async (_what, content, line) => {
    const manifest = await writeManifest(content);
    expect(await refusalOf({ PERSISTED_DOCUMENTS: manifest.path })).toMatch(line);
    await manifest.remove();
  });

  it('may not be missing', async () => {
    expect(await refusalOf({ PERSISTED_DOCUMENTS: '/nowhere/documents.json' })).toMatch(/nowhere.*ENOENT/);
  });

  it('holds no introspection where that is off', async () => {
    const manifest = await writeManifest({ introspection: '{ __schema { queryType { name } } }' });
    const env = { PERSISTED_DOCUMENTS: manifest.path, INTROSPECTION: 'off' };
    expect(await refusalOf(env)).toMatch(/"introspection" .*introspection/i);
    await manifest.remove();
  });

  it('is told once for all workers', async () => {
    const manifest = await writeManifest({ bad: '{ nothing }' });
    const away = { DATABASE_URL: 'postgresql://127.0.0.1:1/none', REDIS_URL: 'redis://127.0.0.1:1' };
    expect(await refusalOf({ PERSISTED_DOCUMENTS: manifest.path, WORKERS: '2', ...away })).toMatch(/"bad"/);
    await manifest.remove();
  });

  it('goes with no GraphiQL', async () => {
    const manifest = await writeManifest({ me: ME });
    expect(await refusalOf({ PERSISTED_DOCUMENTS: manifest.path, GRAPHIQL: 'on' })).toMatch(/GRAPHIQL must be off/);
    await manifest.remove();
  });

  /** The one line that was said. */
  async function refusalOf(env: Record<string, string>): Promise<string> {
    const directory = await temporaryDirectory('start');
    try {
      const server = await startServer({ env, cwd: directory.path });
      await server.stop();
    } catch (error) {
      if (!(error instanceof StartError)) throw error;
      expect(error.exit).toEqual({ code: 1, signal: null });
      expect(error.output).toBe('');
      expect(error.logs).toEqual([expect.stringMatching(/^parley: (PERSISTED_DOCUMENTS|GRAPHIQL)\b/)]);
      return error.logs[0]!;
    } finally {
      await directory.remove();
    }
    throw new Error('it was not refused');
  }
});
