import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { backend, startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { openGroup, registerPerson, send } from '../support/people.ts';
import type { Person } from '../support/people.ts';
import { FULL_PAGES, messages, times } from '../support/query-bombs.ts';
import { eventually, within } from '../support/wait.ts';

/** 16,000 code units. */
const LONGEST = '\u{1f30a}'.repeat(8_000);
const EXTRA_DATA = { note: 'x'.repeat(8_000) };
/** An operation that is asked so often is compiled. */
const TURNS = 30;

interface Result {
  data?: { chat: unknown };
  errors?: Array<{ extensions: { code: string } }>;
}

let cluster: Cluster;
let ann: Person;
let chatId: string;
beforeAll(async () => {
  cluster = await startCluster({ nodes: 1 });
  ann = await registerPerson(cluster);
  const chat = await openGroup(ann, []);
  chatId = chat.id;
  for (let nth = 0; nth < 100; nth += 1) await send(ann, chat, LONGEST, { extraData: EXTRA_DATA });
}, 120_000);
afterAll(() => cluster?.stop());

async function ask(inner: string): Promise<Result> {
  const query = `query ($chatId: ID!) { chat(id: $chatId) { ${inner} } }`;
  const { status, json } = await ann.client().raw({
    headers: { 'content-type': 'application/json', authorization: `Bearer ${ann.accessToken}` },
    body: JSON.stringify({ query, variables: { chatId } }),
  });
  expect(status).toBe(200);
  return json as Result;
}

const FULL = messages(FULL_PAGES, 'seq body extraData author { firstName }');
const aliases = (count: number, field: string) => times(count, (nth) => `a${nth}: ${field}`).join(' ');

it('the longest page that there can be is answered whole', async () => {
  const { data, errors } = await ask(FULL);
  expect(errors).toBeUndefined();
  const { edges } = (data!.chat as { messages: { edges: Array<{ node: object }> } }).messages;
  expect(edges).toHaveLength(100);
  for (const { node } of edges) expect(node).toMatchObject({ body: LONGEST, extraData: EXTRA_DATA });
});

describe.each([
  ['a text under several names', messages(FULL_PAGES, aliases(3, 'body'))],
  ['what is attached under several names', messages(FULL_PAGES, aliases(6, 'extraData'))],
  ['several pages', aliases(3, messages(FULL_PAGES, 'body'))],
  ['a page within a page', messages(FULL_PAGES, `chat { ${FULL} }`)],
  ['pages that are not even shown', messages(FULL_PAGES, `chat { ${messages(FULL_PAGES, 'seq')} }`)],
  ['last messages', messages(FULL_PAGES, `chat { ${aliases(10, 'lastMessage { seq }')} }`)],
])('%s', (_what, inner) => {
  it('is too complex, also once it is compiled', { timeout: 120_000 }, async () => {
    for (let turn = 0; turn < TURNS; turn += 1) {
      const { data, errors } = await ask(inner);
      expect(errors!.map(({ extensions }) => extensions.code)).toEqual(['QUERY_TOO_COMPLEX']);
      expect(data).toBeUndefined();
    }
  });
});

it.each(['', 'author { email }'])(
  'an event that says too much is an error, and the next one comes: %s',
  async (own) => {
    const query = `subscription ($chatId: ID!, $after: Int) {
    messageAdded(chatId: $chatId, afterSeq: $after) {
      seq ${own} chat { ${messages('last: $after', aliases(3, 'body'))} }
    }
  }`;
    const chat = await openGroup(ann, []);
    const lastSeq = 90;
    for (let nth = 0; nth < lastSeq; nth += 1) await send(ann, chat, LONGEST);
    const stream = await ann.client().subscribe<unknown, object>(query, { chatId: chat.id, after: lastSeq });
    for (let nth = 0; nth < 2; nth += 1) {
      await send(ann, chat, 'another');
      await expect(stream.next()).rejects.toMatchObject({ code: 'QUERY_TOO_COMPLEX' });
    }
    await stream.close();
    const modest = await ann
      .client()
      .subscribe<unknown, object>(query.replace('last: $after', 'last: 30'), { chatId: chat.id, after: lastSeq });
    expect(await modest.take(2)).toHaveLength(2);
    await modest.close();
  },
);

describe.runIf(backend === 'distributed')('everybody in many crowds', () => {
  beforeAll(async () => {
    const groups = await Promise.all(times(12, () => '').map(() => openGroup(ann, [])));
    await cluster.sql(
      `WITH people AS (
        INSERT INTO app_user (id, email, password_hash, first_name, last_name)
        SELECT gen_random_uuid(), 'crowd-' || n || '@example.test', '-', 'Crowd', 'Person' FROM generate_series(1, 900) n
        RETURNING id
      )
      INSERT INTO chat_member (chat_id, user_id, role, joined_at, last_read_seq)
      SELECT c.id, people.id, 'MEMBER', now(), 0 FROM people, unnest($1::uuid[]) AS c(id)`,
      [groups.map(({ id }) => id)],
    );
  });

  async function everybody(crowds: number, shown: string): Promise<Result> {
    const query = `{ chats(first: ${crowds}) { edges { node { members { ${shown} } } } } }`;
    const { json } = await ann.client().raw({
      headers: { 'content-type': 'application/json', authorization: `Bearer ${ann.accessToken}` },
      body: JSON.stringify({ query }),
    });
    return json as Result;
  }

  it('in an event are too many sooner: it comes as often as somebody writes', async () => {
    const { chats } = (await ann.client().request('{ chats(first: 1) { edges { node { id } } } }')) as {
      chats: { edges: Array<{ node: { id: string } }> };
    };
    const chatId = chats.edges[0]!.node.id;
    const listen = (names: number) =>
      ann
        .client()
        .subscribe<unknown, object>(
          `subscription ($chatId: ID!) { messageAdded(chatId: $chatId) { chat { ${aliases(names, 'members { role }')} } } }`,
          { chatId },
        );
    const [enough, tooMany] = [await listen(2), await listen(3)];
    const heard = [enough.next(), tooMany.next().catch((error: unknown) => error)];
    await eventually(async () => {
      await send(ann, { id: chatId }, 'hello');
      expect(await within(Promise.all(heard), 2_000, 'both')).toHaveLength(2);
    });
    expect(await heard[0]).toHaveProperty('messageAdded.chat');
    expect(await heard[1]).toMatchObject({ code: 'QUERY_TOO_COMPLEX' });
    await Promise.all([enough.close(), tooMany.close()]);
  });

  it.each([
    ['each person under many names', 3, aliases(2, 'user { firstName }'), aliases(12, 'user { firstName }')],
    [
      'one thing about each under many names',
      12,
      `role ${aliases(10, 'joinedAt')}`,
      `__typename role lastReadSeq joinedAt ${aliases(15, 'joinedAt')}`,
    ],
  ])('with %s, is too much', async (_what, crowds, enough, tooMuch) => {
    expect(await everybody(crowds, enough)).not.toHaveProperty('errors');
    const { data, errors } = await everybody(crowds, tooMuch);
    expect(errors!.map(({ extensions }) => extensions.code)).toEqual(['QUERY_TOO_COMPLEX']);
    expect(data).toBeUndefined();
  });
});
