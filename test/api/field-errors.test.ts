import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import type { GraphQLRequestError } from '../support/document.ts';
import { openGroup, registerPerson, send } from '../support/people.ts';
import type { Person } from '../support/people.ts';
import { FULL_PAGES, messages, times } from '../support/query-bombs.ts';

const WRITTEN = 100;

/** Fields that may be null, each with an error beneath it. */
const failing = (count: number) =>
  times(count, (i) => `f${i}: lastMessage { chat { messages(first: 0) { edges { cursor } } } }`).join(' ');

describe('in a chat of a hundred messages', () => {
  let cluster: Cluster;
  let ann: Person;
  let chatId: string;
  beforeAll(async () => {
    cluster = await startCluster({ nodes: 1 });
    ann = await registerPerson(cluster);
    const chat = await openGroup(ann, []);
    chatId = chat.id;
    for (let nth = 0; nth < WRITTEN; nth += 1) await send(ann, chat, `message ${nth}`);
  });
  afterAll(() => cluster?.stop());

  const ask = (inner: string) =>
    ann.client().raw({
      headers: { 'content-type': 'application/json', authorization: `Bearer ${ann.accessToken}` },
      body: JSON.stringify({
        query: `query ($id: ID!) { chat(id: $id) { ${messages(FULL_PAGES, `chat { ${inner} }`)} } }`,
        variables: { id: chatId },
      }),
    });

  // From the twentieth time on, a query is compiled.
  const OFTEN = 40;

  it('a hundred fields that failed are null, and each has its error', async () => {
    for (let nth = 0; nth < OFTEN; nth += 1) {
      const { status, json } = await ask(failing(1));
      expect(status).toBe(200);
      expect(json.data.chat.messages.edges).toHaveLength(WRITTEN);
      for (const edge of json.data.chat.messages.edges) expect(edge).toEqual({ node: { chat: { f0: null } } });
      expect(json.errors).toEqual(
        Array.from({ length: WRITTEN }, (_, index) => ({
          message: 'A page has 1 to 100 items.',
          locations: [{ line: 1, column: expect.any(Number) }],
          path: ['chat', 'messages', 'edges', index, 'node', 'chat', 'f0', 'chat', 'messages'],
          extensions: { code: 'BAD_USER_INPUT', field: 'first' },
        })),
      );
    }
  });

  it('an answer of more than that is null, with the first of its errors', async () => {
    for (let nth = 0; nth < OFTEN; nth += 1) {
      const { status, json } = await ask(`id ${failing(2)}`);
      expect(status).toBe(200);
      expect(json.data).toBeNull();
      expect(json.errors).toHaveLength(5);
      for (const { path, extensions } of json.errors) {
        expect(path.slice(0, 3)).toEqual(['chat', 'messages', 'edges']);
        expect(extensions).toEqual({ code: 'BAD_USER_INPUT', field: 'first' });
      }
    }
  });

  it.each(['ws', 'sse'] as const)('over %s, each event has its own hundred', async (transport) => {
    const query = `subscription ($id: ID!, $after: Int) { messageAdded(chatId: $id, afterSeq: $after) { seq chat { ${failing(15)} } } }`;
    const variables = { id: chatId, after: WRITTEN - 10 };
    const events = await ann.client().subscribe(query, variables, { transport });
    for (let nth = 0; nth < 10; nth += 1) {
      const error = await events.next().catch((thrown: unknown) => thrown);
      expect((error as GraphQLRequestError).errors).toHaveLength(15);
    }
  });
});
