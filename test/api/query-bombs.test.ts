import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { getIntrospectionQuery } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createClient, rawSocket } from '../support/client.ts';
import type { RawResponse } from '../support/client.ts';
import { backend, startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { openGroup, registerPerson, send } from '../support/people.ts';
import type { Person } from '../support/people.ts';
import { bombs, chats, deep, FULL_PAGES, manyOperations, messages, times } from '../support/query-bombs.ts';
import { within } from '../support/wait.ts';

let cluster: Cluster;
let ann: Person;
beforeAll(async () => {
  cluster = await startCluster({ nodes: 1 });
  ann = await registerPerson(cluster);
});
afterAll(() => cluster?.stop());

interface Rest {
  variables?: Record<string, unknown> | undefined;
  operationName?: string | undefined;
  accept?: string;
}

const post = (query: string, { variables, operationName, accept = 'application/json' }: Rest = {}) =>
  ann.client().raw({
    headers: { accept, 'content-type': 'application/json', authorization: `Bearer ${ann.accessToken}` },
    body: JSON.stringify({ query, variables, operationName }),
  });

const codesOf = ({ json }: RawResponse) =>
  (json.errors as { extensions: { code: string } }[]).map((error) => error.extensions.code);

describe('over HTTP', () => {
  it.each(bombs)('$name is too complex', async ({ query, variables }) => {
    for (const [accept, status] of [
      ['application/graphql-response+json', 400],
      ['application/json', 200],
    ] as const) {
      const response = await post(query, { variables, accept });
      expect(response.status).toBe(status);
      expect([...new Set(codesOf(response))]).toEqual(['QUERY_TOO_COMPLEX']);
      expect(codesOf(response).length).toBeLessThanOrEqual(5);
      expect(response.json).not.toHaveProperty('data');
    }
  });

  it('a text that is refused as too complex is refused again', async () => {
    for (let turn = 0; turn < 3; turn += 1)
      for (const query of [deep(13), deep(2_000)]) expect(codesOf(await post(query))).toEqual(['QUERY_TOO_COMPLEX']);
  });

  it.each([
    ['a string of 500 KB', `{ user(id: "${'x'.repeat(500_000)}") { id } }`],
    ['a comment of 1 MB', `#${'x'.repeat(1_000_000)}\n{ __typename }`],
    ['a name of 100 KB', `query ${'x'.repeat(100 * 1024)} { __typename }`],
  ])('%s is too large', async (_name, query) => {
    const response = await post(query);
    expect(response.status).toBe(413);
    expect(codesOf(response)).toEqual(['REQUEST_ENTITY_TOO_LARGE']);
  });

  it.each([
    [
      'depth 12',
      '{ chats { edges { node { messages { edges { node { chat { messages { edges { node { id } } } } } } } } } } }'.replace(
        '{ id }',
        '{ chat { id } }',
      ),
    ],
    ['15 aliases', `{ ${times(15, (i) => `a${i}: __typename`).join(' ')} }`],
    ['50 directives', `{ ${times(50, () => '__typename @skip(if: false)').join(' ')} }`],
    ['1,000 tokens', manyOperations(200), 'A0'],
    ['the same small field 99 times', `{ ${times(99, () => 'me{id}').join(' ')} }`],
    [
      'thirty components that select the same of themselves',
      `{ me { ${times(30, (i) => `...f${i}`).join(' ')} } } ${times(30, (i) => `fragment f${i} on User { id firstName lastName avatarUrl isOnline lastSeenAt }`).join(' ')}`,
    ],
    ['16,000 characters', `{ __typename } #${'x'.repeat(15_984)}`],
    ['1,000 lines', `${'\r\n'.repeat(998)}{ __typename\n}`],
    [
      'a screen of chats with their newest messages',
      `{ ${chats('first: 50', `id title unreadCount lastMessage { body author { firstName } } members { role user { id firstName isOnline } } ${messages('last: 20', 'id seq body createdAt author { id }')}`)} }`,
    ],
    ['full pages of full pages', `{ ${chats(FULL_PAGES, `id ${messages(FULL_PAGES, 'id seq body')}`)} }`],
  ])('%s is let through', async (_name, query, operationName?: string) => {
    const response = await post(query, { operationName });
    expect(response.json).not.toHaveProperty('errors');
    expect(response.json).toHaveProperty('data');
  });

  it.each([
    ['a circle of fragments', '{ none ...f } fragment f on Query { none ...f }', /within itself/],
    [
      'two fragments of one name',
      '{ none ...f } fragment f on Query { none } fragment f on Query { none }',
      /only one/,
    ],
  ])('beside %s nothing else is looked at', async (_name, query, message) => {
    const response = await post(query);
    expect(codesOf(response)).toEqual(['GRAPHQL_VALIDATION_FAILED']);
    expect(response.json.errors[0].message).toMatch(message);
  });

  it('a page size that no list has is still told as that', async () => {
    const response = await post(
      '{ chats(first: 1000000000) { edges { node { messages(first: 100) { edges { cursor } } } } } }',
    );
    expect(codesOf(response)).toEqual(['BAD_USER_INPUT']);
  });

  it('a document that needs hundreds of pages, one by one, is refused, and leaves the others theirs', async () => {
    const chat = await openGroup(ann, []);
    for (let nth = 0; nth < 30; nth += 1) await send(ann, chat, `message ${nth}`);
    const inner = messages(
      FULL_PAGES,
      `chat { ${messages(FULL_PAGES, 'chat { messages(first: 1) { pageInfo { hasNextPage } } }')} }`,
    );
    const query = `query ($id: ID!) { chat(id: $id) { ${inner} } }`;
    let done = false;
    const attack = post(query, { variables: { id: chat.id } }).finally(() => (done = true));
    for (let nth = 0; !done || nth === 0; nth += 1)
      expect((await post('{ chats { edges { node { id } } } }')).json).not.toHaveProperty('errors');
    expect(new Set(codesOf(await attack))).toEqual(new Set(['QUERY_TOO_COMPLEX']));
  });

  it('two hundred at once leave the server answering', async () => {
    const before = await cpuSeconds();
    let done = false;
    let probes = 0;
    const probing = (async () => {
      for (; !done; probes += 1) {
        const probe = createClient(cluster.node(0)).raw({ method: 'GET', path: '/livez' });
        expect((await within(probe, 10_000, '/livez')).status).toBe(200);
      }
    })();
    const attacks = Array.from({ length: 200 }, (_, index) => {
      const bomb = bombs[index % bombs.length]!;
      return post(bomb.query, { variables: bomb.variables });
    });
    const answers = await Promise.all(attacks).finally(() => (done = true));
    await probing;
    for (const answer of answers) expect(codesOf(answer)[0]).toBe('QUERY_TOO_COMPLEX');
    expect(probes).toBeGreaterThan(0);
    // A single one that went off would take longer than all of them may. Not wall time: the machine may be busy.
    expect((await cpuSeconds()) - before).toBeLessThan(10);
  });

  /** Of the server so far. */
  async function cpuSeconds(): Promise<number> {
    const { stdout } = await promisify(execFile)('ps', ['-o', 'time=', '-p', String(cluster.node(0).pid)]);
    return stdout
      .trim()
      .split(/[-:]/)
      .reduce((sum, part) => sum * 60 + Number(part), 0);
  }
});

describe('over a WebSocket', () => {
  it('each is an error of its own, and the subscription beside it goes on', async () => {
    const chat = await openGroup(ann, []);
    const socket = await rawSocket(cluster.node(0));
    socket.send({ type: 'connection_init', payload: { authorization: `Bearer ${ann.accessToken}` } });
    expect(await socket.nextMessage()).toEqual({ type: 'connection_ack' });
    const query = 'subscription ($chatId: ID!) { messageAdded(chatId: $chatId, afterSeq: 0) { body } }';
    socket.send({ id: 'live', type: 'subscribe', payload: { query, variables: { chatId: chat.id } } });
    let told = 0;
    for (const { name, query: bomb, variables } of bombs) {
      const frame = JSON.stringify({ id: 'bomb', type: 'subscribe', payload: { query: bomb, variables } });
      // A larger one ends the socket: that is the size's story, not the query's.
      if (frame.length > 64 * 1024) continue;
      socket.send(frame);
      const answer = (await socket.nextMessage()) as { id: string; type: string; payload: unknown };
      // Refused while it is prepared, or where execution begins.
      const errors = answer.type === 'error' ? answer.payload : (answer.payload as { errors: unknown }).errors;
      expect(errors, name).toMatchObject([{ extensions: { code: 'QUERY_TOO_COMPLEX' } }]);
      if (answer.type === 'next') expect(await socket.nextMessage()).toEqual({ id: 'bomb', type: 'complete' });
      await send(ann, chat, name);
      expect(await socket.nextMessage()).toEqual({
        id: 'live',
        type: 'next',
        payload: { data: { messageAdded: { body: name } } },
      });
      told += 1;
    }
    expect(told).toBeGreaterThanOrEqual(bombs.length - 4);
    socket.close();
  });
});

describe('the introspection that tools send', () => {
  const everything = {
    descriptions: true,
    specifiedByUrl: true,
    directiveIsRepeatable: true,
    schemaDescription: true,
    inputValueDeprecation: true,
    oneOf: true,
  };

  it.each([
    ['graphql-js by default, Apollo, Postman, Insomnia', getIntrospectionQuery()],
    ['with everything, as GraphiQL and code generators', getIntrospectionQuery(everything)],
    ['without descriptions', getIntrospectionQuery({ descriptions: false })],
    ['of older tools, seven types deep', sevenDeep()],
  ])('%s', async (_name, query) => {
    const response = await post(query);
    expect(response.json).not.toHaveProperty('errors');
    expect(response.json.data.__schema.queryType.name).toBe('Query');
    const socket = await ann.client().openSocket();
    const overSocket = await socket.subscribe(query).next();
    expect(overSocket).toEqual(response.json.data);
    await socket.close();
  });

  /** As graphql-js 15 wrote it. */
  function sevenDeep() {
    const chain = `${'kind name ofType { '.repeat(7)}kind name${' }'.repeat(7)}`;
    return getIntrospectionQuery().replace(
      /fragment TypeRef on __Type \{[^]*$/,
      `fragment TypeRef on __Type { ${chain} }`,
    );
  }
});

// The cache knows nothing of databases: once is enough.
describe.runIf(backend === 'embedded')('documents without end', () => {
  let small: Cluster;
  beforeAll(async () => {
    // Kept whole, the documents below would take more than twice as much.
    small = await startCluster({ nodes: 1, env: { NODE_OPTIONS: '--max-old-space-size=160' } });
  });
  afterAll(() => small?.stop());

  it('thousands of them are not all kept', async () => {
    await run(4_000, (n) => `query Short${n} { __typename }`);
    await run(900, (n) => `query Wide${n} { __typename } ${manyOperations(190)}`);
    await run(900, (n) => `query Long${n} { __typename } # ${'x'.repeat(15_000)}`);
    expect(small.node(0).running).toBe(true);
  }, 240_000);

  async function run(count: number, write: (serial: number) => string) {
    let serial = 0;
    const worker = async () => {
      while (serial < count) {
        const query = write((serial += 1));
        const response = await fetch(small.node(0).url, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ query, operationName: /\w+\d/.exec(query)![0] }),
        });
        expect(await response.json()).toEqual({ data: { __typename: 'Query' } });
      }
    };
    await Promise.all(times(10, () => '').map(worker));
  }
});

it.each(['ws', 'sse'] as const)(
  'a subscription whose every event would ask for too much is refused over %s',
  async (transport) => {
    const { id: chatId } = await openGroup(ann, [await registerPerson(cluster)]);
    const pages = messages(FULL_PAGES, `chat { ${messages(FULL_PAGES, 'chat { members { role } }')} }`);
    const query = `subscription ($chatId: ID!) { messageAdded(chatId: $chatId) { chat { ${pages} } } }`;
    const events = async () => (await ann.client().subscribe(query, { chatId }, { transport })).next();
    await expect(events()).rejects.toMatchObject({ code: 'QUERY_TOO_COMPLEX' });
  },
);

it('a subscription may ask for a tenth of what a query may', async () => {
  const { id: chatId } = await openGroup(ann, []);
  const pages = (last: number) => messages(`last: ${last}`, `chat { ${messages(`last: ${last}`, 'seq')} }`);
  const follow = async (last: number) => {
    const query = `subscription ($chatId: ID!) { messageAdded(chatId: $chatId) { chat { ${pages(last)} } } }`;
    return ann.client().subscribe<unknown, object>(query, { chatId });
  };
  const enough = await follow(50);
  const first = enough.next();
  await expect((await follow(80)).next()).rejects.toMatchObject({ code: 'QUERY_TOO_COMPLEX' });
  await ann.client().request(`query ($chatId: ID!) { chat(id: $chatId) { ${pages(80)} } }`, { chatId });
  await send(ann, { id: chatId }, 'hello');
  expect(await first).toHaveProperty('messageAdded.chat');
  await enough.close();
});

it.each(['ws', 'sse'] as const)('a subscription of too many lines is refused over %s', async (transport) => {
  const { id: chatId } = await openGroup(ann, []);
  const query = `subscription ($chatId: ID!) {${'\n'.repeat(1_000)} messageAdded(chatId: $chatId) { body } }`;
  const events = async () => (await ann.client().subscribe(query, { chatId }, { transport })).next();
  await expect(events()).rejects.toMatchObject({ code: 'QUERY_TOO_COMPLEX' });
});

it.each(['ws', 'sse'] as const)(
  'an event that needs hundreds of pages, one by one, is told as too complex over %s, and the next one comes',
  async (transport) => {
    const chat = await openGroup(ann, [await registerPerson(cluster)]);
    for (let nth = 1; nth < 15; nth += 1) await send(ann, chat, `message ${nth}`);
    const pages = times(
      14,
      (nth) => `p${nth}: ${messages('last: 15', 'chat { messages(last: $n) { pageInfo { hasNextPage } } }')}`,
    );
    const query = `subscription ($chatId: ID!, $n: Int) {
      messageAdded(chatId: $chatId, afterSeq: 14) { seq chat { ${pages.join(' ')} } }
    }`;
    const stream = await ann
      .client()
      .subscribe<{ messageAdded: { seq: number } }, object>(query, { chatId: chat.id }, { transport });
    for (let nth = 0; nth < 2; nth += 1) {
      await send(ann, chat, 'another');
      await expect(stream.next()).rejects.toMatchObject({ code: 'QUERY_TOO_COMPLEX' });
    }
    await stream.close();
  },
);

it('each event may need as much as an operation, however many there were', async () => {
  const chat = await openGroup(ann, [await registerPerson(cluster)]);
  const pages = times(14, (nth) => `p${nth}: ${messages('last: 1', 'seq')}`);
  // Of the author's e-mail everybody is told for themself.
  const query = `subscription ($chatId: ID!) {
    messageAdded(chatId: $chatId, afterSeq: 0) { seq author { email } chat { ${pages.join(' ')} } }
  }`;
  const stream = await ann.client().subscribe<{ messageAdded: { seq: number } }, object>(query, { chatId: chat.id });
  for (let seq = 1; seq <= 15; seq += 1) {
    await send(ann, chat, `message ${seq}`);
    expect((await stream.next()).messageAdded.seq).toBe(seq);
  }
  await stream.close();
});
