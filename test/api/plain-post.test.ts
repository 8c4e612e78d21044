import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { openDirectChat, registerPerson } from '../support/people.ts';
import type { Person } from '../support/people.ts';

/** One operation in JSON takes a short way through the server. A parameter that is null sends the same the long way. */
const THE_LONG_WAY = { other: null };

const ACCEPTS = [
  '*/*',
  'application/json',
  'application/graphql-response+json',
  'application/graphql-response+json,application/json;q=0.9',
  'application/json, application/graphql-response+json',
  'text/html, application/*;q=0.8',
  'application/json; charset=utf-8',
  'application/json; charset=utf-16, application/graphql-response+json',
  'text/event-stream, application/graphql-response+json',
];

describe('an operation', () => {
  let cluster: Cluster;
  let ann: Person;
  let chatId: string;
  beforeAll(async () => {
    cluster = await startCluster({ nodes: 1, env: { INTROSPECTION: 'on' } });
    ann = await registerPerson(cluster);
    chatId = (await openDirectChat(ann, await registerPerson(cluster))).id;
  });
  afterAll(() => cluster?.stop());

  async function post(params: object, accept: string, token: string | null) {
    const response = await fetch(cluster.node(0).url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept,
        ...(token !== null && { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(params),
    });
    const headers = new Map(response.headers);
    const requestId = headers.get('x-request-id');
    for (const name of ['date', 'x-request-id', 'content-length', 'transfer-encoding']) headers.delete(name);
    const body = (await response.text()).replaceAll(requestId!, 'the request');
    return { status: response.status, headers: Object.fromEntries(headers), body };
  }

  const deep = `query { chat(id: "1") ${'{ members { user '.repeat(7)} { id } ${'} }'.repeat(7)} }`;

  interface Case {
    params: object;
    token?: string | null;
    /** What is in the answer: the case is the one that it is called. */
    holds: string;
  }

  const cases: Record<string, () => Case> = {
    'that succeeds': () => ({ params: { query: '{ me { id email } }' }, holds: `"email":"${ann.email}"` }),
    'with variables and a name': () => ({
      params: {
        query: 'query A { me { id } } query B($id: ID!) { chat(id: $id) { id kind unreadCount } }',
        operationName: 'B',
        variables: { id: chatId },
        extensions: { any: 'thing' },
      },
      holds: '"kind":"DIRECT"',
    }),
    'whose answer holds an error beside data': () => ({
      params: { query: `{ me { id } chat(id: "${chatId}") { messages(first: 0) { edges { cursor } } } }` },
      holds: '"chat":null',
    }),
    'of nobody': () => ({ params: { query: '{ me { id } }' }, token: null, holds: 'UNAUTHENTICATED' }),
    'of a bad token': () => ({ params: { query: '{ me { id } }' }, token: 'no-token', holds: 'UNAUTHENTICATED' }),
    'that is refused by its resolver': () => ({
      params: {
        query: 'mutation ($input: SendMessageInput!) { sendMessage(input: $input) { id } }',
        variables: { input: { chatId: '0197a6f0-0000-7000-8000-000000000000', body: 'x' } },
      },
      holds: 'NOT_FOUND',
    }),
    'whose variables cannot be coerced': () => ({
      params: { query: 'query ($id: ID!) { chat(id: $id) { id } }', variables: { id: { no: 'id' } } },
      holds: 'BAD_USER_INPUT',
    }),
    'that lacks a variable': () => ({
      params: { query: 'query ($id: ID!) { chat(id: $id) { id } }' },
      holds: 'BAD_USER_INPUT',
    }),
    'that cannot be parsed': () => ({ params: { query: '{ me {' }, holds: 'GRAPHQL_PARSE_FAILED' }),
    'that is empty': () => ({ params: { query: '' }, holds: 'GRAPHQL_PARSE_FAILED' }),
    'that is not valid': () => ({ params: { query: '{ me { idd } nothing }' }, holds: 'GRAPHQL_VALIDATION_FAILED' }),
    'that is one of two, without a name': () => ({
      params: { query: 'query A { __typename } query B { __typename }' },
      holds: 'OPERATION_RESOLUTION_FAILURE',
    }),
    'that is not there': () => ({
      params: { query: '{ __typename }', operationName: 'C' },
      holds: 'OPERATION_RESOLUTION_FAILURE',
    }),
    'that is too deep': () => ({ params: { query: deep }, holds: 'QUERY_TOO_COMPLEX' }),
    'that costs too much': () => ({
      params: {
        query:
          '{ chats(first: 100) { edges { node { messages(first: 100) { edges { node { chat { members { role } } } } } } } } }',
      },
      holds: 'QUERY_TOO_COMPLEX',
    }),
    'that subscribes': () => ({
      params: { query: `subscription { messageAdded(chatId: "${chatId}") { id } }` },
      holds: 'NOT_ACCEPTABLE',
    }),
    'that introspects': () => ({ params: { query: '{ __schema { queryType { name } } }' }, holds: '"name":"Query"' }),
    'with nothing for variables': () => ({
      params: { query: '{ __typename }', variables: null, operationName: null },
      holds: '"__typename":"Query"',
    }),
    'with a list for variables': () => ({ params: { query: '{ __typename }', variables: [] }, holds: 'BAD_REQUEST' }),
    'without a query': () => ({ params: { variables: {} }, holds: 'BAD_REQUEST' }),
    'with an id in place of a query': () => ({ params: { documentId: 'x' }, holds: 'BAD_REQUEST' }),
    'with an id beside a query': () => ({
      params: { query: '{ __typename }', documentId: 'x' },
      holds: 'BAD_REQUEST',
    }),
    'with nothing for an id': () => ({
      params: { query: '{ __typename }', documentId: null },
      holds: '"__typename":"Query"',
    }),
    'with a number for a query': () => ({ params: { query: 1 }, holds: 'BAD_REQUEST' }),
  };

  it.each(Object.keys(cases))('%s: both ways answer the same', async (name) => {
    const { params, token = ann.accessToken, holds } = cases[name]!();
    for (const accept of ACCEPTS) {
      // That answer does not end.
      if (name === 'that subscribes' && /\*\/\*|event-stream/.test(accept)) continue;
      const [short, long] = await Promise.all([
        post(params, accept, token),
        post({ ...params, ...THE_LONG_WAY }, accept, token),
      ]);
      expect(short, accept).toEqual(long);
      expect(short.body, accept).toContain(holds);
      expect(short.headers['content-type'], accept).toMatch(/^application\/(graphql-response\+)?json; charset=utf-8$/);
    }
  });
});
