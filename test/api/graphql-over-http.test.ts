import { randomBytes } from 'node:crypto';
import { auditServer } from 'graphql-http';
import { getIntrospectionQuery } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createClient, rawSocket } from '../support/client.ts';
import { startCluster } from '../support/cluster.ts';
import type { Cluster, ServerProcess } from '../support/cluster.ts';
import { openDirectChat, registerPerson, send } from '../support/people.ts';

/** The audits that ask for `__type`, and so cannot pass where introspection is off. */
const NEED_INTROSPECTION = ['28B9', '2EA1', '6A70', 'D6D5'];

async function audit({ url }: ServerProcess) {
  // A GET needs a header that a link cannot send, which the audits know nothing of.
  const fetchFn = (input: string, init: RequestInit = {}) => {
    const headers = new Headers(init.headers);
    headers.set('apollo-require-preflight', '1');
    return fetch(input, { ...init, headers });
  };
  return auditServer({ url, fetchFn });
}

const post = ({ origin, url, wsUrl }: ServerProcess, query: string) =>
  createClient({ origin, url, wsUrl }).raw({
    headers: { accept: 'application/json', 'content-type': 'application/json' },
    body: JSON.stringify({ query }),
  });

/** What the same text is answered with over a socket: its errors, or its data. */
async function overSocket(cluster: Cluster, query: string): Promise<unknown> {
  const ann = await registerPerson(cluster);
  const socket = await rawSocket(cluster.node(0));
  socket.send({ type: 'connection_init', payload: { authorization: `Bearer ${ann.accessToken}` } });
  await socket.nextMessage();
  socket.send({ id: 'a', type: 'subscribe', payload: { query } });
  const { payload } = (await socket.nextMessage()) as { payload: unknown };
  socket.close();
  return payload;
}

const page = (node: ServerProcess, path = '/graphql') =>
  createClient(node).raw({ method: 'GET', path, headers: { accept: 'text/html,application/xhtml+xml' } });

const MISSPELT = '{ me { firstNam } }';

describe('in development', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster({ nodes: 1 });
  });
  afterAll(() => cluster?.stop());

  it('all 61 audits of GraphQL over HTTP pass', async () => {
    const results = await audit(cluster.node(0));
    expect(results.length).toBe(61);
    expect(results.filter(({ status }) => status !== 'ok').map(({ id, name }) => `${id} ${name}`)).toEqual([]);
  });

  it('an idle connection is kept for longer than the 60 s of the usual proxies', async () => {
    const response = await fetch(cluster.node(0).url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: '{ __typename }' }),
    });
    expect(Number(/timeout=(\d+)/.exec(response.headers.get('keep-alive')!)?.[1])).toBeGreaterThan(60);
  });

  it('introspection and suggestions help', async () => {
    const introspection = await post(cluster.node(0), getIntrospectionQuery());
    expect(introspection.json.data.__schema.types.length).toBeGreaterThan(20);
    const misspelt = await post(cluster.node(0), MISSPELT);
    expect(misspelt.json.errors[0].message).toMatch(/Did you mean "firstName"/);
    expect(await overSocket(cluster, MISSPELT)).toMatchObject([
      { message: expect.stringMatching(/Did you mean/) as unknown },
    ]);
  });

  it('GraphiQL is served, and loads nothing from another host', async () => {
    const response = await page(cluster.node(0));
    expect(response.status).toBe(200);
    expect(response.headers['content-type']).toMatch(/^text\/html/);
    expect(response.text).toContain('YogaGraphiQL');
    // What the browser fetches by itself; the text of inline scripts and styles is none of it.
    const markup = response.text
      .replaceAll(/(<script\b[^>]*>)[^]*?<\/script>/g, '$1')
      .replaceAll(/(<style\b[^>]*>)[^]*?<\/style>/g, '$1');
    expect(markup).toMatch(/<script/);
    expect(markup).not.toMatch(/\b(src|href)\s*=\s*["']?\s*(https?:)?\/\//i);
    const styles = [...response.text.matchAll(/<style\b[^>]*>([^]*?)<\/style>/g)].map(([, css]) => css).join('');
    expect(styles).not.toMatch(/(@import|url\()\s*["']?\s*(https?:)?\/\//i);
    expect((await page(cluster.node(0), '/')).headers.location).toBe('/graphql');
  });

  it('data beside an error leaves the status at 200', async () => {
    const ann = await registerPerson(cluster);
    const bob = await registerPerson(cluster);
    const chat = await openDirectChat(ann, bob);
    await send(ann, chat, 'hello');
    const response = await ann.client().raw({
      headers: {
        accept: 'application/graphql-response+json',
        'content-type': 'application/json',
        authorization: `Bearer ${ann.accessToken}`,
      },
      body: JSON.stringify({
        query: `{ me { id } chat(id: "${chat.id}") { messages(first: 0) { edges { cursor } } } }`,
      }),
    });
    expect(response.status).toBe(200);
    expect(response.json).toMatchObject({
      data: { me: { id: ann.id }, chat: null },
      errors: [{ path: ['chat', 'messages'], extensions: { code: 'BAD_USER_INPUT' } }],
    });
  });
});

describe('in production', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster({
      nodes: 1,
      env: { NODE_ENV: 'production', JWT_SECRET: randomBytes(32).toString('hex') },
    });
  });
  afterAll(() => cluster?.stop());

  it('only the four audits that need introspection differ', async () => {
    const results = await audit(cluster.node(0));
    expect(results.length).toBe(61);
    const failed = results.filter(({ status }) => status !== 'ok').map(({ id }) => id);
    expect(failed.toSorted()).toEqual(NEED_INTROSPECTION);
  });

  it.each([
    ['the full query', getIntrospectionQuery()],
    ['a type', '{ __type(name: "User") { name } }'],
    ['the schema under an alias, in a fragment', '{ ...a } fragment a on Query { x: __schema { queryType { name } } }'],
  ])('introspection is off, over HTTP and over a socket: %s', async (_name, query) => {
    const response = await post(cluster.node(0), query);
    expect(response.json).not.toHaveProperty('data');
    for (const errors of [response.json.errors, await overSocket(cluster, query)] as { extensions: object }[][]) {
      expect(errors[0]).toMatchObject({ message: expect.stringMatching(/introspection/i) as unknown });
      for (const { extensions } of errors) expect(extensions).toEqual({ code: 'GRAPHQL_VALIDATION_FAILED' });
    }
  });

  it.each(['http://chat.example', 'https://chat.example'])('the page of %s may call that host', async (origin) => {
    const request = { headers: { origin, host: 'chat.example', 'content-type': 'application/json' } };
    const response = await createClient(cluster.node(0)).raw({ ...request, body: '{"query":"{ __typename }"}' });
    expect(response.headers['access-control-allow-origin']).toBe(origin);
  });

  it.each(['ftp://chat.example', 'http://evil@chat.example', 'http://chat.example:80', 'http://other.example'])(
    'a page of %s may not',
    async (origin) => {
      const request = { headers: { origin, host: 'chat.example', 'content-type': 'application/json' } };
      const response = await createClient(cluster.node(0)).raw({ ...request, body: '{"query":"{ __typename }"}' });
      expect(response.json).toMatchObject({ errors: [{ extensions: { code: 'ORIGIN_NOT_ALLOWED' } }] });
    },
  );

  it('a type still has its name', async () => {
    expect((await post(cluster.node(0), '{ __typename }')).json).toEqual({ data: { __typename: 'Query' } });
  });

  it.each([
    ['a field', MISSPELT],
    ['an argument', '{ chats(frist: 1) { edges { cursor } } }'],
    ['a type', 'query ($a: RegisterInputt) { __typename }'],
    ['an enum value', '{ me { id } } mutation A { changeRole(chatId: "a", userId: "b", role: OWNR) { id } }'],
    ['an input field', 'mutation { login(input: { emial: "x", password: "y" }) { accessToken } }'],
  ])('suggestions are off, over HTTP and over a socket: %s', async (_name, query) => {
    const response = await post(cluster.node(0), query);
    expect(response.json.errors.length).toBeGreaterThan(0);
    expect(response.text).not.toMatch(/did you mean|firstName|"first"|"RegisterInput"|"OWNER"|"email" /i);
    const messages = (await overSocket(cluster, query)) as { message: string }[];
    expect(messages[0]!.message).not.toMatch(/did you mean/i);
  });

  it('suggestions are off for variables too', async () => {
    const ann = await registerPerson(cluster);
    const response = await ann.client().raw({
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        query:
          'mutation ($role: ChatRole!, $input: LoginInput!) { changeRole(chatId: "a", userId: "b", role: $role) { id } login(input: $input) { accessToken } }',
        variables: { role: 'OWNR', input: { emial: 'x', password: 'y', email: 'z' } },
      }),
    });
    expect(response.json.errors.length).toBeGreaterThanOrEqual(2);
    expect(response.text).not.toMatch(/did you mean/i);
  });

  it.each(['/graphql', '/', '/graphiql', '/playground', '/voyager'])('no page is served at %s', async (path) => {
    const response = await page(cluster.node(0), path);
    expect(response.status).toBe(path === '/graphql' ? 403 : 404);
    expect(response.text).not.toMatch(/<html|<script/i);
  });

  it('no error shows where it arose', async () => {
    for (const query of ['{', '{ nobody }', '{ me { id } }', '{ user(id: "x") { id } }'])
      expect((await post(cluster.node(0), query)).text).not.toMatch(/node_modules|\.js:|\.ts:|stack/);
  });
});
