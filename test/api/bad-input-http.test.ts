import { randomBytes, randomUUID } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAccessTokens } from '../../src/auth/access-tokens.ts';
import { secretKey } from '../../src/auth/signing-keys.ts';
import { ERROR_CODES } from '../../src/errors.ts';
import type { ErrorCode } from '../../src/errors.ts';
import { createClient } from '../support/client.ts';
import type { RawRequest, RawResponse } from '../support/client.ts';
import { startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { openDirectChat, openGroup, registerPerson, send } from '../support/people.ts';
import type { Person } from '../support/people.ts';
import { eventually, within } from '../support/wait.ts';
import { exchange, openWire } from '../support/wire.ts';

const JWT_SECRET = randomBytes(32).toString('hex');
const GRAPHQL_RESPONSE = 'application/graphql-response+json';
const JSON_RESPONSE = 'application/json';
const CSRF = { 'apollo-require-preflight': '1' };

interface Place {
  ann: Person;
  /** Of Ann and Bob. */
  chatId: string;
  /** That Ann owns, and nobody else is in. */
  groupId: string;
  /** Of Bob and Cid. */
  foreignChatId: string;
  token: string;
}

interface Case {
  name: string;
  request: (place: Place) => RawRequest;
  code: ErrorCode;
  /** Over application/graphql-response+json, and over application/json where that differs. */
  status: number | [graphqlResponse: number, json: number];
  field?: string;
  headers?: Record<string, string | RegExp>;
}

let cluster: Cluster;
let place: Place;

beforeAll(async () => {
  cluster = await startCluster({ nodes: 1, env: { JWT_SECRET } });
  const [ann, bob, cid] = await Promise.all(
    ['Ann', 'Bob', 'Cid'].map((firstName) => registerPerson(cluster, { firstName })),
  );
  const chat = await openDirectChat(ann!, bob!);
  await send(ann!, chat, 'hello', { clientId: 'taken' });
  place = {
    ann: ann!,
    chatId: chat.id,
    groupId: (await openGroup(ann!, [])).id,
    foreignChatId: (await openDirectChat(bob!, cid!)).id,
    token: ann!.accessToken,
  };
});
afterAll(() => cluster?.stop());

const raw = (request: RawRequest) => createClient(cluster.node(0)).raw(request);

/** A body as it is. */
const bytes = (name: string, body: string | Buffer): Case => ({
  name,
  request: () => ({ headers: { 'content-type': 'application/json' }, body }),
  code: 'BAD_REQUEST',
  status: 400,
});

/** A body that is JSON, but no GraphQL request. */
const params = (name: string, value: unknown): Case => bytes(name, JSON.stringify(value));

const post = (value: object, headers: Record<string, string> = {}): RawRequest => ({
  headers: { 'content-type': 'application/json', ...headers },
  body: JSON.stringify(value),
});

const document = (name: string, query: string, code: ErrorCode = 'GRAPHQL_VALIDATION_FAILED'): Case => ({
  name,
  request: () => post({ query }),
  code,
  status: [400, 200],
});

const resolution = (name: string, value: object): Case => ({
  name,
  request: () => post(value),
  code: 'OPERATION_RESOLUTION_FAILURE',
  status: 400,
});

/** Variables that do not fit their types: refused before anything runs. */
const coercion = (name: string, query: string, variables: object = {}): Case => ({
  name,
  request: ({ token }) => post({ query, variables }, { authorization: `Bearer ${token}` }),
  code: 'BAD_USER_INPUT',
  status: 400,
});

/** An operation of Ann's that runs, and is refused by the product's rules. */
const refused = (
  name: string,
  query: string,
  variables: (place: Place) => object,
  expected: { code?: ErrorCode; field?: string },
): Case => ({
  name,
  request: (at) => post({ query, variables: variables(at) }, { authorization: `Bearer ${at.token}` }),
  code: 'BAD_USER_INPUT',
  status: 200,
  ...expected,
});

const unauthenticated = (name: string, authorization: (place: Place) => string): Case => ({
  name,
  request: (at) => post({ query: '{ me { id } }' }, { authorization: authorization(at) }),
  code: 'UNAUTHENTICATED',
  status: 401,
  headers: { 'www-authenticate': /^Bearer/ },
});

const method = (name: string): Case => ({
  name: `${name} /graphql`,
  request: () => ({ method: name, headers: { 'content-type': 'application/json' } }),
  code: 'BAD_REQUEST',
  status: 405,
  headers: { allow: 'GET, POST' },
});

const mediaType = (type: string | undefined, body = '{"query":"{ __typename }"}'): Case => ({
  name: `content-type ${type ?? 'absent'}`,
  request: () => ({ headers: { ...CSRF, ...(type !== undefined && { 'content-type': type }) }, body }),
  code: 'UNSUPPORTED_MEDIA_TYPE',
  status: 415,
});

const get = (name: string, search: Record<string, string>, rest: Partial<Case> = {}): Case => ({
  name: `GET with ${name}`,
  request: () => ({ method: 'GET', path: `/graphql?${new URLSearchParams(search).toString()}`, headers: CSRF }),
  code: 'BAD_REQUEST',
  status: 400,
  ...rest,
});

const SEND = 'mutation ($input: SendMessageInput!) { sendMessage(input: $input) { id } }';
const REGISTER = 'mutation ($input: RegisterInput!) { register(input: $input) { accessToken } }';
const MESSAGES =
  'query ($id: ID!, $first: Int, $last: Int, $after: String, $before: String) ' +
  '{ chat(id: $id) { messages(first: $first, last: $last, after: $after, before: $before) { edges { cursor } } } }';
const CHATS = 'query ($first: Int, $after: String) { chats(first: $first, after: $after) { edges { cursor } } }';

const message =
  (input: object) =>
  ({ chatId }: Place) => ({ input: { chatId, body: 'hello', ...input } });
const account = (input: object) => () => ({
  input: {
    email: `${randomUUID()}@example.test`,
    password: 'violet-harbour-9',
    firstName: 'Dee',
    lastName: 'Doe',
    ...input,
  },
});
const page =
  (variables: object) =>
  ({ chatId }: Place) => ({ id: chatId, ...variables });

const nested = (levels: number): unknown => {
  let value: unknown = 1;
  for (let level = 0; level < levels; level += 1) value = { a: value };
  return value;
};

const cases: Case[] = [
  // What is no GraphQL request.
  bytes('an empty body', ''),
  bytes('half an object', '{'),
  bytes('null', 'null'),
  bytes('a string', '"x"'),
  bytes('a number', '1'),
  bytes('an empty array', '[]'),
  params('a batch of one', [{ query: '{ __typename }' }]),
  params(
    'a batch of twenty',
    Array.from({ length: 20 }, () => ({ query: '{ __typename }' })),
  ),
  params('no query', {}),
  params('query null', { query: null }),
  params('query 1', { query: 1 }),
  params('query {}', { query: {} }),
  params('query []', { query: [] }),
  params('query true', { query: true }),
  params('variables "x"', { query: '{ __typename }', variables: 'x' }),
  params('variables []', { query: '{ __typename }', variables: [] }),
  params('variables 1', { query: '{ __typename }', variables: 1 }),
  params('extensions []', { query: '{ __typename }', extensions: [] }),
  params('extensions "x"', { query: '{ __typename }', extensions: 'x' }),
  params('an unknown parameter', { query: '{ __typename }', foo: 1 }),
  bytes('a body nested 20,000 deep', '['.repeat(20_000) + ']'.repeat(20_000)),
  bytes(
    'variables nested 20,000 deep',
    `{"query":"{ __typename }","variables":{"a":${'['.repeat(20_000)}${']'.repeat(20_000)}}}`,
  ),
  bytes('variables of 5,001 objects', `{"query":"{ __typename }","variables":{"a":[${'{},'.repeat(5_000)}{}]}}`),
  bytes('extensions of 5,001 lists', `{"query":"{ __typename }","extensions":{"a":[${'[],'.repeat(5_000)}[]]}}`),
  bytes('a byte order mark', '\uFEFF{"query":"{ __typename }"}'),
  bytes('UTF-16', Buffer.from('\uFEFF{"query":"{ __typename }"}', 'utf16le')),
  bytes('UTF-16 without a mark', Buffer.from('{"query":"{ __typename }"}', 'utf16le')),
  bytes(
    'bytes that are not UTF-8',
    Buffer.from([...Buffer.from('{"query":"# '), 0xc3, 0x28, ...Buffer.from('\\n{ __typename }"}')]),
  ),
  get('no query', {}),
  get('variables that are no JSON', { query: '{ __typename }', variables: '{' }),
  get('variables that are a string', { query: '{ __typename }', variables: '"x"' }),
  get('extensions that are no JSON', { query: '{ __typename }', extensions: 'x' }),
  ...['%ff', '%c3%28', '%ed%a0%80', '%', '%zz'].map((text): Case => ({
    name: `GET with ${text} in the address`,
    request: () => ({ method: 'GET', path: `/graphql?query=%7B__typename%7D%23${text}`, headers: CSRF }),
    code: 'BAD_REQUEST',
    status: 400,
  })),

  // Documents.
  document('an empty query', '', 'GRAPHQL_PARSE_FAILED'),
  document('a blank query', ' \n\t ', 'GRAPHQL_PARSE_FAILED'),
  document('an open brace', '{', 'GRAPHQL_PARSE_FAILED'),
  document('an unknown character', '{ me { id } } ☃', 'GRAPHQL_PARSE_FAILED'),
  document('an open string', '{ user(id: "x) { id } }', 'GRAPHQL_PARSE_FAILED'),
  get('a document that cannot be parsed', { query: '{' }, { code: 'GRAPHQL_PARSE_FAILED', status: [400, 200] }),
  document('an unknown field', '{ nobody }'),
  document('an unknown argument', '{ me(of: 1) { id } }'),
  document('an unknown type', 'query ($x: Nothing) { __typename }'),
  document('an unknown directive', '{ me @nope { id } }'),
  document('a missing argument', '{ user { id } }'),
  document('a leaf with a selection', '{ me { id { x } } }'),
  document('an object without one', '{ me }'),
  document('circular fragments', '{ me { ...a } } fragment a on User { ...b } fragment b on User { ...a }'),
  document('an unused fragment', '{ __typename } fragment a on User { id }'),
  document('an unknown fragment', '{ me { ...a } }'),
  document('an undeclared variable', '{ user(id: $id) { id } }'),
  document('a literal of the wrong type', '{ chats(first: "x") { edges { cursor } } }'),
  document('an Int literal beyond 32 bits', '{ chats(first: 2147483648) { edges { cursor } } }'),
  document('an unknown enum value', 'mutation { changeRole(chatId: "a", userId: "b", role: KING) { id } }'),
  document('a subscription whether or not', 'subscription ($s: Boolean!) { chatUpdated @include(if: $s) { id } }'),
  document('two fields in a subscription', 'subscription { a: chatUpdated { id } b: chatUpdated { id } }'),

  // Which operation.
  resolution('two operations and no name', { query: 'query A { __typename } query B { __typename }' }),
  resolution('an unknown operationName', { query: 'query A { __typename }', operationName: 'B' }),
  resolution('an empty operationName', { query: 'query A { __typename }', operationName: '' }),
  resolution('operationName {}', { query: 'query A { __typename }', operationName: {} }),
  resolution('only a type', { query: 'type Query { a: Int }' }),
  resolution('only a fragment', { query: 'fragment a on User { id }' }),

  // Variables.
  coercion('a missing variable', 'query ($id: ID!) { user(id: $id) { id } }'),
  coercion('a null for what must be there', 'query ($id: ID!) { user(id: $id) { id } }', { id: null }),
  coercion('an object for an ID', 'query ($id: ID!) { user(id: $id) { id } }', { id: {} }),
  coercion('a text for an Int', 'query ($n: Int) { chats(first: $n) { edges { cursor } } }', { n: 'x' }),
  coercion('an Int beyond 32 bits', 'query ($n: Int) { chats(first: $n) { edges { cursor } } }', { n: 2_147_483_648 }),
  coercion('half an Int', 'query ($n: Int) { chats(first: $n) { edges { cursor } } }', { n: 1.5 }),
  coercion(
    'an unknown enum value',
    'mutation ($role: ChatRole!) { changeRole(chatId: "a", userId: "b", role: $role) { id } }',
    {
      role: 'KING',
    },
  ),
  coercion('a text for an input', SEND, { input: 'x' }),
  coercion('an input without a field', SEND, { input: { chatId: 'x' } }),
  coercion('an input with an unknown field', SEND, { input: { chatId: 'x', body: 'x', authorId: 'x' } }),
  coercion('an object for a text', SEND, { input: { chatId: 'x', body: {} } }),
  coercion('ten thousand nulls', 'mutation ($ids: [ID!]!) { addMembers(chatId: "x", userIds: $ids) { id } }', {
    ids: Array(10_000).fill(null),
  }),

  // Pages.
  refused(
    'a null for a condition with a preset',
    'query ($s: Boolean = true) { me { id @skip(if: $s) } }',
    () => ({ s: null }),
    {
      field: 'if',
    },
  ),
  refused('a null for an ID with a preset', 'query ($id: ID = "x") { user(id: $id) { id } }', () => ({ id: null }), {
    field: 'id',
  }),
  refused('first 0', MESSAGES, page({ first: 0 }), { field: 'first' }),
  refused('first -1', MESSAGES, page({ first: -1 }), { field: 'first' }),
  refused('first 101', MESSAGES, page({ first: 101 }), { field: 'first' }),
  refused('first 1,000,000,000', MESSAGES, page({ first: 1e9 }), { field: 'first' }),
  refused('last 0', MESSAGES, page({ last: 0 }), { field: 'last' }),
  refused('first and last', MESSAGES, page({ first: 1, last: 1 }), { field: 'last' }),
  refused('a cursor that is garbage', MESSAGES, page({ after: 'x' }), { field: 'after' }),
  refused('a cursor of another list', CHATS, () => ({ after: Buffer.from('message:1').toString('base64url') }), {
    field: 'after',
  }),
  refused('an endless cursor', MESSAGES, page({ before: 'x'.repeat(10_000) }), { field: 'before' }),

  // Texts.
  refused('an empty body', SEND, message({ body: '' }), { field: 'input.body' }),
  refused('a body of spaces', SEND, message({ body: ' \n\t\u00a0' }), { field: 'input.body' }),
  refused('a body of zero width', SEND, message({ body: '\u200b\u200d\u2060\ufeff' }), { field: 'input.body' }),
  refused('a body of 8,001 characters', SEND, message({ body: 'x'.repeat(8_001) }), { field: 'input.body' }),
  refused('a body of 8,001 emoji', SEND, message({ body: '🦊'.repeat(8_001) }), { field: 'input.body' }),
  refused('a NUL', SEND, message({ body: 'a\0b' }), { field: 'input.body' }),
  refused('half a surrogate pair', SEND, message({ body: 'a\ud800b' }), { field: 'input.body' }),
  refused('an endless clientId', SEND, message({ clientId: 'x'.repeat(129) }), { field: 'input.clientId' }),
  refused('a clientId that was used for another body', SEND, message({ clientId: 'taken', body: 'other' }), {
    code: 'CONFLICT',
  }),
  refused('extraData of more than 8 KiB', SEND, message({ extraData: 'x'.repeat(8_193) }), {
    field: 'input.extraData',
  }),
  refused(
    'extraData of 27 numbers that take 309 bytes each to keep',
    SEND,
    message({ extraData: Array(27).fill(1e308) }),
    {
      field: 'input.extraData',
    },
  ),
  refused('extraData of 501 objects', SEND, message({ extraData: Array.from({ length: 500 }, () => ({})) }), {
    field: 'input.extraData',
  }),
  refused('extraData nested 9 deep', SEND, message({ extraData: nested(9) }), { field: 'input.extraData' }),
  refused('a NUL in extraData', SEND, message({ extraData: { a: '\0' } }), { field: 'input.extraData' }),
  refused('half a surrogate pair in a key', SEND, message({ extraData: { '\ud800': 1 } }), {
    field: 'input.extraData',
  }),
  refused(
    'a title of two lines',
    'mutation ($input: UpdateChatInput!) { updateChat(input: $input) { id } }',
    ({ groupId }) => ({ input: { chatId: groupId, title: 'a\nb' } }),
    { field: 'input.title' },
  ),
  refused(
    'ten thousand members',
    'mutation ($id: ID!, $ids: [ID!]!) { addMembers(chatId: $id, userIds: $ids) { id } }',
    ({ groupId }) => ({ id: groupId, ids: Array(10_000).fill('x') }),
    { field: 'userIds' },
  ),

  // Ids.
  refused('an id that is no UUID', SEND, message({ chatId: 'x' }), { field: 'input.chatId' }),
  refused('an id of SQL', 'query ($id: ID!) { chat(id: $id) { id } }', () => ({ id: "' OR 1=1 --" }), { field: 'id' }),
  refused('an absent chat', SEND, message({ chatId: randomUUID() }), { code: 'NOT_FOUND' }),
  refused('a chat of others', SEND, (at) => ({ input: { chatId: at.foreignChatId, body: 'x' } }), {
    code: 'NOT_FOUND',
  }),
  refused(
    'a member who is none',
    'mutation ($id: ID!, $user: ID!) { removeMember(chatId: $id, userId: $user) { id } }',
    ({ groupId }) => ({ id: groupId, user: randomUUID() }),
    { code: 'NOT_FOUND' },
  ),
  refused(
    'the last owner leaves',
    'mutation ($id: ID!) { leaveChat(chatId: $id) }',
    ({ groupId }) => ({ id: groupId }),
    { code: 'CONFLICT' },
  ),
  refused(
    'a title for a direct chat',
    'mutation ($id: ID!) { updateChat(input: { chatId: $id, title: "x" }) { id } }',
    ({ chatId }) => ({ id: chatId }),
    { code: 'FORBIDDEN' },
  ),

  // Accounts.
  refused('no e-mail address', REGISTER, account({ email: 'x' }), { field: 'input.email' }),
  refused('an endless e-mail address', REGISTER, account({ email: `${'x'.repeat(250)}@example.test` }), {
    field: 'input.email',
  }),
  refused('an e-mail address with a NUL', REGISTER, account({ email: 'a\0@example.test' }), { field: 'input.email' }),
  refused('a taken e-mail address', REGISTER, ({ ann }) => account({ email: ann.email })(), { code: 'CONFLICT' }),
  refused('a password of 7 characters', REGISTER, account({ password: 'xQ9-zzP' }), { field: 'input.password' }),
  refused('a password of 129 characters', REGISTER, account({ password: 'xQ9'.repeat(43) }), {
    field: 'input.password',
  }),
  refused('a well-known password', REGISTER, account({ password: 'password1' }), { field: 'input.password' }),
  refused('a blank name', REGISTER, account({ firstName: ' ' }), { field: 'input.firstName' }),
  refused('a name of 61 characters', REGISTER, account({ lastName: 'x'.repeat(61) }), { field: 'input.lastName' }),
  refused(
    'a wrong password',
    'mutation ($input: LoginInput!) { login(input: $input) { accessToken } }',
    ({ ann }) => ({ input: { email: ann.email, password: 'not this one' } }),
    { code: 'INVALID_CREDENTIALS' },
  ),
  refused(
    'an unknown user',
    'mutation ($input: LoginInput!) { login(input: $input) { accessToken } }',
    () => ({ input: { email: `${randomUUID()}@example.test`, password: 'not this one' } }),
    { code: 'INVALID_CREDENTIALS' },
  ),
  refused('a refresh token that is garbage', 'mutation { refresh(refreshToken: "x") { accessToken } }', () => ({}), {
    code: 'INVALID_REFRESH_TOKEN',
  }),
  refused(
    'an access token for a refresh token',
    'mutation ($t: String!) { refresh(refreshToken: $t) { accessToken } }',
    ({ token }) => ({ t: token }),
    {
      code: 'INVALID_REFRESH_TOKEN',
    },
  ),

  // Who asks.
  {
    name: 'no token for a field that needs one',
    request: () => post({ query: '{ me { id } }' }),
    code: 'UNAUTHENTICATED',
    status: 200,
  },
  unauthenticated('Bearer alone', () => 'Bearer'),
  unauthenticated('Bearer and a space', () => 'Bearer '),
  unauthenticated('a token without Bearer', ({ token }) => token),
  unauthenticated('a token in two parts', ({ token }) => `Bearer ${token.replace('.', ' ')}`),
  unauthenticated('garbage', () => 'Bearer garbage'),
  unauthenticated('a token with its end cut off', ({ token }) => `Bearer ${token.slice(0, -4)}`),
  unauthenticated('a token of 12 KB', () => `Bearer ${'x'.repeat(12_000)}`),
  unauthenticated('the Basic scheme', () => `Basic ${Buffer.from('a:b').toString('base64')}`),
  unauthenticated('a refresh token', ({ ann }) => `Bearer ${ann.refreshToken}`),

  // Methods, media types, origins.
  get('a mutation', { query: 'mutation { logout }' }, { status: 405, headers: { allow: 'POST' } }),
  ...['PUT', 'DELETE', 'PATCH'].map(method),
  mediaType('text/plain'),
  mediaType('text/plain;charset=utf-8, application/json'),
  mediaType(undefined),
  mediaType('application/x-www-form-urlencoded', 'query=%7B__typename%7D'),
  mediaType(
    'multipart/form-data; boundary=x',
    '--x\r\ncontent-disposition: form-data; name="operations"\r\n\r\n{}\r\n--x--',
  ),
  mediaType('application/graphql', '{ __typename }'),
  mediaType('application/json; charset=utf-16'),
  {
    ...get('nothing that a link could not send', { query: '{ __typename }' }),
    request: () => ({ method: 'GET', path: '/graphql?query=%7B__typename%7D', headers: {} }),
    code: 'CSRF_PREVENTED',
    status: 403,
  },
  ...['https://evil.example', 'null', 'http://localhost:8100.evil.example', 'capacitor://localhost.evil.example'].map(
    (origin): Case => ({
      name: `Origin ${origin}`,
      request: () => post({ query: '{ __typename }' }, { origin }),
      code: 'ORIGIN_NOT_ALLOWED',
      status: 403,
    }),
  ),
  {
    name: 'a body that says it has 100 KiB and a byte',
    request: () => post({ query: '{ __typename }', variables: { x: 'x'.repeat(100 * 1024 + 1) } }),
    code: 'REQUEST_ENTITY_TOO_LARGE',
    status: 413,
  },
];

/** What no answer shows: how the server is built, and what it was given to keep. */
const INTERNALS = /originalError|node_modules|prisma|postgres|P2\d{3}|\bat .+:\d+:\d+|ECONN|stack/i;

function expectRefusal(
  response: RawResponse,
  expected: { status: number; code: ErrorCode; field?: string | undefined },
) {
  const { errors, data } = response.json as { errors: { extensions: Record<string, unknown> }[]; data?: unknown };
  expect({
    status: response.status,
    code: errors[0]!.extensions['code'],
    field: errors[0]!.extensions['field'],
  }).toEqual(expected);
  expect(errors.length).toBeLessThanOrEqual(5);
  for (const { extensions } of errors) expect(ERROR_CODES).toContain(extensions['code']);
  if (response.status !== 200) expect(data).toBeUndefined();
  expect(response.text).not.toMatch(INTERNALS);
}

describe.each([
  [GRAPHQL_RESPONSE, 0],
  [JSON_RESPONSE, 1],
])('over %s', (accept, index) => {
  it.each(cases)('refuses $name', async ({ request, code, status, field, headers = {} }) => {
    const asked = request(place);
    const response = await raw({ ...asked, headers: { accept, ...asked.headers } });
    expectRefusal(response, { status: typeof status === 'number' ? status : status[index]!, code, field });
    for (const [name, value] of Object.entries(headers)) expect(response.headers[name]).toMatch(value);
    if (code === 'ORIGIN_NOT_ALLOWED') expect(response.headers).not.toHaveProperty('access-control-allow-origin');
  });
});

describe('an expired token', () => {
  it('is refused as a whole, and says so', async () => {
    const { generation, userId, sessionId } = readClaims(place.token);
    const past = createAccessTokens({ key: secretKey(new TextEncoder().encode(JWT_SECRET)), ttlMs: -1_000 });
    const { token } = await past.issue({ userId, sessionId, generation }, new Date(Date.now() + 60_000));
    const response = await raw(post({ query: '{ __typename }' }, { authorization: `Bearer ${token}` }));
    expectRefusal(response, { status: 401, code: 'UNAUTHENTICATED', field: undefined });
    expect(response.json.errors[0].extensions).toMatchObject({ reason: 'TOKEN_EXPIRED' });
    expect(response.headers['www-authenticate']).toBe('Bearer error="invalid_token"');
  });

  it('would have been good a moment ago', async () => {
    const { generation, userId, sessionId } = readClaims(place.token);
    const now = createAccessTokens({ key: secretKey(new TextEncoder().encode(JWT_SECRET)), ttlMs: 60_000 });
    const { token } = await now.issue({ userId, sessionId, generation }, new Date(Date.now() + 60_000));
    const response = await raw(post({ query: '{ me { id } }' }, { authorization: `Bearer ${token}` }));
    expect(response.json).toEqual({ data: { me: { id: place.ann.id } } });
  });

  function readClaims(token: string) {
    const claims = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as Record<string, unknown>;
    return { userId: claims['sub'] as string, sessionId: claims['sid'] as string, generation: claims['gen'] as number };
  }
});

describe('Accept', () => {
  it.each(['image/png', 'text/html', 'application/json;charset=utf-16', 'application/json;q=0'])(
    'of %s alone is refused before anything runs',
    async (accept) => {
      const email = `${randomUUID()}@example.test`;
      const body = { query: REGISTER, variables: account({ email })() };
      const response = await raw(post(body, { accept }));
      expectRefusal(response, { status: 406, code: 'NOT_ACCEPTABLE', field: undefined });
      const again = await raw(post(body));
      expect(again.json.data.register.accessToken).toMatch(/^ey/);
    },
  );

  it('has to name a stream for a subscription', async () => {
    const authorization = `Bearer ${place.token}`;
    const response = await raw(
      post({ query: 'subscription { chatUpdated { id } }' }, { authorization, accept: JSON_RESPONSE }),
    );
    expectRefusal(response, { status: 406, code: 'NOT_ACCEPTABLE', field: undefined });
  });

  it.each([
    [undefined, JSON_RESPONSE],
    ['*/*', JSON_RESPONSE],
    ['application/*;q=0.5', JSON_RESPONSE],
    [`${GRAPHQL_RESPONSE}, ${JSON_RESPONSE};q=0.9`, GRAPHQL_RESPONSE],
    [`image/png, ${JSON_RESPONSE}`, JSON_RESPONSE],
  ])('of %s is answered', async (accept, type) => {
    const response = await raw(post({ query: '{ __typename }' }, accept === undefined ? {} : { accept }));
    expect(response.status).toBe(200);
    expect(response.json).toEqual({ data: { __typename: 'Query' } });
    if (accept?.includes('json')) expect(response.headers['content-type']).toBe(`${type}; charset=utf-8`);
  });
});

describe('a body that is too large', () => {
  const query = '{ __typename }';
  const bodyOf = (size: number) => {
    const frame = JSON.stringify({ query, variables: { x: '' } });
    return JSON.stringify({ query, variables: { x: 'x'.repeat(size - frame.length) } });
  };

  it('has 100 KiB and a byte; 100 KiB are taken', async () => {
    const most = await raw({ ...post({}), body: bodyOf(100 * 1024) });
    expect(most.json).toEqual({ data: { __typename: 'Query' } });
    const response = await raw({ ...post({}), body: bodyOf(100 * 1024 + 1) });
    expectRefusal(response, { status: 413, code: 'REQUEST_ENTITY_TOO_LARGE', field: undefined });
  });

  it.each([100 * 1024 + 1, 5 * 1024 * 1024])('is refused without a content-length too: %i bytes', async (size) => {
    const response = await sendInChunks(bodyOf(size));
    expectRefusal(response, { status: 413, code: 'REQUEST_ENTITY_TOO_LARGE', field: undefined });
  });

  it('is read to its end after the answer, so that no reset overtakes it', async () => {
    const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`;
    const ended = new Promise<string>((resolve, reject) => {
      const socket = connect(cluster.node(0).port, '127.0.0.1', () => {
        socket.write('POST /graphql HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n');
        socket.write(`Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(2)}`);
      });
      let answer = '';
      socket.setEncoding('utf8').on('data', (text: string) => {
        const early = !answer.endsWith(']}');
        answer += text;
        // The answer is here, and the client has not noticed.
        if (early && answer.endsWith(']}')) socket.write(`${chunk.repeat(80)}0\r\n\r\n`);
      });
      socket.on('error', reject).on('close', () => resolve(answer));
    });
    expect(await within(ended, 10_000, 'the end of the connection')).toMatch(
      /^HTTP\/1.1 413 [^]*REQUEST_ENTITY_TOO_LARGE/,
    );
  });

  it.each([
    ['bytes', 400, 'x'.repeat(0x10000)],
    ['chunks', 20_000, 'x'],
  ])('is not read on for ever, when it has no end: too many %s close the connection', async (_name, count, piece) => {
    const head = 'POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n';
    const wire = await openWire(cluster.node(0));
    wire.write(head);
    await wire.sees('UNSUPPORTED_MEDIA_TYPE');
    wire.write(`${piece.length.toString(16)}\r\n${piece}\r\n`.repeat(count));
    await within(wire.closed, 10_000, 'the end of the connection');
  });

  it.each([
    ['a probe', 'GET /livez', 200],
    ['a preflight', 'OPTIONS /graphql', 204],
    ['a path where nothing is', 'POST /nope', 404],
    ['what expects the impossible', 'POST /graphql', 417],
  ])('nor is it with %s', async (_name, what, status) => {
    const wire = await openWire(cluster.node(0));
    const expectation = status === 417 ? 'Expect: the-impossible\r\n' : '';
    wire.write(`${what} HTTP/1.1\r\nHost: x\r\n${expectation}Transfer-Encoding: chunked\r\n\r\n`);
    await wire.sees(`HTTP/1.1 ${status} `);
    wire.write('1\r\nx\r\n'.repeat(20_000));
    await within(wire.closed, 10_000, 'the end of the connection');
  });

  /** Each of them one chunk of HTTP. */
  const inPieces = (body: string, bytesEach: number) => {
    const pieces = body.match(new RegExp(`.{1,${bytesEach}}`, 'g'))!;
    const chunks = pieces.map((piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`);
    const head = 'POST /graphql HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n';
    return exchange(cluster.node(0), `${head}Transfer-Encoding: chunked\r\n\r\n${chunks.join('')}0\r\n\r\n`);
  };

  it('is one, too, in more than 5,000 pieces, however small it is as a whole', async () => {
    const answer = await inPieces(bodyOf(5_001), 1);
    expect(answer).toMatch(/^HTTP\/1.1 400 [^]*BAD_REQUEST/);
    expect(answer).not.toContain('data');
  });

  it.each([
    [5_000, 1],
    [100 * 1024, 21],
    [100 * 1024, 30_000],
  ])('is none of %i bytes in pieces of %i: it is read as it came', async (size, bytesEach) => {
    const text = '{ whole: __typename }';
    const body = JSON.stringify({ query: `#${'x'.repeat(900)}\n${text}`, variables: { x: '' } });
    const padded = body.replace('"x":""', `"x":"${'x'.repeat(size - body.length)}"`);
    expect(await inPieces(padded, bytesEach)).toContain('{"data":{"whole":"Query"}}');
  });

  /** Node takes the transfer coding by itself where the length is not known. */
  function sendInChunks(body: string): Promise<RawResponse> {
    return new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/json' };
      const request = httpRequest(cluster.node(0).url, { method: 'POST', headers, agent: false }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.on('end', () =>
          resolve({ status: response.statusCode!, headers: response.headers, text, json: JSON.parse(text) as unknown }),
        );
      });
      request.on('error', reject);
      for (let at = 0; at < body.length; at += 16_384) request.write(body.slice(at, at + 16_384));
      request.end();
    });
  }
});

describe('what Node refuses by itself', () => {
  it.each([
    ['headers of more than 16 KB', `GET /graphql HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(17_000)}\r\n\r\n`, 431],
    [
      'a length and chunks',
      'POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
    ],
    ['a length below nothing', 'POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n', 400],
    ['a request that is no HTTP', 'hello\r\n\r\n', 400],
    ['no host', 'GET /graphql HTTP/1.1\r\n\r\n', 400],
  ])('%s', async (_name, text, status) => {
    expect(await exchange(cluster.node(0), text)).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  });
});

describe('a host', () => {
  const STREAM = 'Accept: text/event-stream\r\n';
  const ask = async (lines: string, accept: string, version = '1.1') => {
    const wire = await openWire(cluster.node(0));
    const head = `${lines}${accept}Apollo-Require-Preflight: 1\r\n`;
    wire.write(`GET /graphql?query=%7B__typename%7D HTTP/${version}\r\n${head}\r\n`);
    await wire.sees(/\r\n\r\n[^]*(Query|errors|Error)/);
    wire.destroy();
    return wire.received;
  };
  const none = ['', '[', ']', '[::1', '::1', 'a b', 'a\tb', '%', '%zz', '<', '1.2.3.4.5', ':4000', 'x:y', 'x:99999'];
  const more = ['x:1:2', 'a/b', 'a\\b', 'a?b', 'a#b', 'a@b', 'x\r\nHost: x', 'x\r\nHOST: y'];
  const some = [
    'x',
    'chat.example',
    'chat.example.:443',
    'a_b:80',
    'x:',
    '192.0.2.1:4000',
    '[::1]',
    '[2001:db8::1]:80',
  ];

  it.each([...none, ...more])('that is none, or more than that, is refused: %j', async (host) => {
    for (const accept of ['', STREAM]) {
      const answer = await ask(`Host: ${host}\r\n`, accept);
      expect(answer).toMatch(/^HTTP\/1.1 400 [^]*"code":"BAD_REQUEST"/);
      expect(answer).not.toMatch(INTERNALS);
    }
  });

  it.each(some)('that is one is taken: %j', async (host) => {
    for (const accept of ['', STREAM]) expect(await ask(`Host: ${host}\r\n`, accept)).toContain('Query');
  });

  it('may be left out in HTTP 1.0', async () => {
    for (const accept of ['', STREAM]) expect(await ask('', accept, '1.0')).toContain('Query');
  });
});

describe('what is only odd', () => {
  it('is answered: the last of two equal keys counts', async () => {
    const body = '{"query":"{ nobody }","query":"{ __typename }"}';
    const response = await raw({ headers: { 'content-type': 'application/json' }, body });
    expect(response.json).toEqual({ data: { __typename: 'Query' } });
  });

  it('is answered: variables null, parameters null, variables that nobody declared', async () => {
    for (const rest of [{ variables: null }, { extensions: null, foo: null }, { variables: { nobody: 1 } }]) {
      const response = await raw(post({ query: '{ __typename }', ...rest }));
      expect(response.json).toEqual({ data: { __typename: 'Query' } });
    }
  });

  it('is kept as it is: emoji, right-to-left, HTML', async () => {
    const body = '👩‍👩‍👧 \u202eabc\u202c 𝔘 <script>alert(1)</script> {{x}} ${y} %s';
    const sent = await send(place.ann, { id: place.chatId }, body);
    expect(sent.body).toBe(body);
  });

  it('is kept as it is: keys that objects have by themselves', async () => {
    const extraData = JSON.parse(
      '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}',
    ) as unknown;
    const input = { chatId: place.chatId, body: 'x', extraData };
    const query = 'mutation ($input: SendMessageInput!) { sendMessage(input: $input) { extraData } }';
    const response = await raw(post({ query, variables: { input } }, { authorization: `Bearer ${place.token}` }));
    expect(JSON.stringify(response.json.data.sendMessage.extraData)).toBe(JSON.stringify(extraData));
    const after = await raw(post({ query: '{ me { id } }' }, { authorization: `Bearer ${place.token}` }));
    expect(after.text).toBe(`{"data":{"me":{"id":"${place.ann.id}"}}}`);
  });

  it('is ignored: a token in the address', async () => {
    const path = `/graphql?access_token=${place.token}&token=${place.token}`;
    const response = await raw({ ...post({ query: '{ me { id } }' }), path });
    expectRefusal(response, { status: 200, code: 'UNAUTHENTICATED', field: undefined });
  });
});

describe('CORS', () => {
  const allowed = [
    'capacitor://localhost',
    'ionic://localhost',
    'https://localhost',
    'http://localhost',
    'http://localhost:8100',
  ];

  it.each(allowed)('lets %s call', async (origin) => {
    const preflight = await raw({
      method: 'OPTIONS',
      headers: {
        origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization,content-type',
      },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers).toMatchObject({
      'access-control-allow-origin': origin,
      'access-control-allow-methods': 'GET, POST',
      'access-control-allow-headers': 'authorization,content-type',
      'access-control-max-age': '7200',
      vary: 'Origin',
    });
    const response = await raw(post({ query: '{ __typename }' }, { origin }));
    expect(response.status).toBe(200);
    expect(response.headers).toMatchObject({ 'access-control-allow-origin': origin, vary: 'Origin' });
    expect(response.headers['access-control-expose-headers']).toMatch(/www-authenticate/);
    expect(response.headers).not.toHaveProperty('access-control-allow-credentials');
  });

  it('shows an allowed page its errors too', async () => {
    const origin = allowed[0]!;
    const refusals = await Promise.all([
      raw(post({ query: '{' }, { origin })),
      raw(post({ query: '{ me { id } }' }, { origin, authorization: 'Bearer x' })),
      raw({ method: 'PUT', headers: { origin } }),
      raw({ headers: { origin, 'content-type': 'text/plain' }, body: 'x' }),
    ]);
    for (const { headers } of refusals) expect(headers['access-control-allow-origin']).toBe(origin);
  });

  it('lets the page call that the server itself sent', async () => {
    const { origin } = cluster.node(0);
    const response = await raw(post({ query: '{ __typename }' }, { origin }));
    expect(response.headers['access-control-allow-origin']).toBe(origin);
  });

  it.each(['127.0.0.1:4000', '192.168.1.20:4000', '[::1]:4000', 'localhost:4001', 'parley.localhost'])(
    'and so over TLS, at an address of its own: %s',
    async (host) => {
      for (const origin of [`http://${host}`, `https://${host}`]) {
        const response = await raw(post({ query: '{ __typename }' }, { origin, host }));
        expect(response.headers['access-control-allow-origin']).toBe(origin);
      }
    },
  );

  it.each([
    ['ftp://127.0.0.1:4000', '127.0.0.1:4000'],
    ['javascript://127.0.0.1:4000/x', '127.0.0.1:4000'],
    ['http://127.0.0.1:4000/x', '127.0.0.1:4000'],
    ['http://evil@127.0.0.1:4000', '127.0.0.1:4000'],
    ['http://evil@127.0.0.1:4000', 'evil@127.0.0.1:4000'],
    ['http://127.0.0.1:4000', '127.0.0.1:4001'],
    // A name that leads to this machine.
    ['http://evil.example:4711', 'evil.example:4711'],
    ['http://localhost.evil.example', 'localhost.evil.example'],
    ['http://127.0.0.1.evil.example', '127.0.0.1.evil.example'],
    ['http://evillocalhost', 'evillocalhost'],
  ])('but not %s, whatever it says it was served by', async (origin, host) => {
    const response = await raw(post({ query: '{ __typename }' }, { origin, host }));
    expectRefusal(response, { status: 403, code: 'ORIGIN_NOT_ALLOWED', field: undefined });
  });

  it('tells the log of a foreign page', async () => {
    const origin = `https://${randomUUID()}.example`;
    await eventually(async () => {
      // Not of each: some other may just have been told of.
      expect((await raw({ headers: { origin } })).status).toBe(403);
      const line = cluster.node(0).logs.find((text) => text.includes(origin));
      expect(JSON.parse(line!)).toMatchObject({ event: 'security.origin_refused', origin });
    });
  });

  it('tells a foreign page nothing', async () => {
    const preflight = await raw({
      method: 'OPTIONS',
      headers: { origin: 'https://evil.example', 'access-control-request-method': 'POST' },
    });
    expectRefusal(preflight, { status: 403, code: 'ORIGIN_NOT_ALLOWED', field: undefined });
    expect(Object.keys(preflight.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
  });
});

describe('other paths', () => {
  it.each(['/nope', '/graphql/', '/graphqlx', '/GRAPHQL', '/..%2fgraphql', '/health'])(
    '%s is not found',
    async (path) => {
      const response = await raw({ ...post({ query: '{ __typename }' }), path });
      expect(response.status).toBe(404);
    },
  );

  it('a probe is only read', async () => {
    const response = await raw({ method: 'POST', path: '/livez' });
    expect(response.status).toBe(405);
    expect(response.headers['allow']).toBe('GET, HEAD');
  });

  it('no answer tells what the server is built with', async () => {
    const response = await raw(post({ query: '{ __typename }' }));
    expect(response.headers).not.toHaveProperty('x-powered-by');
    expect(response.headers).not.toHaveProperty('server');
    expect(response.headers).toMatchObject({ 'x-content-type-options': 'nosniff' });
  });
});

describe('after all that', () => {
  it('the server answers as ever, and found nothing to log as its own fault', async () => {
    const response = await raw(post({ query: '{ me { id } }' }, { authorization: `Bearer ${place.token}` }));
    expect(response.json).toEqual({ data: { me: { id: place.ann.id } } });
    const probe = await raw({ method: 'GET', path: '/readyz' });
    expect(probe.status).toBe(200);
    const faults = cluster.node(0).logs.filter((line) => (JSON.parse(line) as { level: number }).level >= 40);
    expect(faults).toEqual([]);
  });
});
