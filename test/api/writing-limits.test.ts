import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { backend, startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { readHistory } from '../support/history.ts';
import { openGroup, registerPerson, send } from '../support/people.ts';
import type { Person } from '../support/people.ts';
import { times } from '../support/query-bombs.ts';

const PER_MINUTE = 10;

describe('with ten messages and 50,000 bytes a minute', () => {
  let cluster: Cluster;
  let bob: Person;
  beforeAll(async () => {
    const env = { RATE_LIMIT: 'on', MESSAGES_PER_MINUTE: String(PER_MINUTE), MESSAGE_BYTES_PER_MINUTE: '50000' };
    cluster = await startCluster({ nodes: 1, env });
    bob = await registerPerson(cluster);
  });
  afterAll(() => cluster?.stop());

  const bodies = async (chat: { id: string }) => (await readHistory(bob, chat)).map(({ body }) => body);
  const refused = (field: string) => ({
    status: 200,
    errors: [
      { path: [field], extensions: { code: 'RATE_LIMITED', retryAfter: expect.toSatisfy((s) => s > 0 && s <= 60) } },
    ],
  });
  const edit = (person: Person, messageId: string, body: string) =>
    person.client().request('mutation ($input: EditMessageInput!) { editMessage(input: $input) { id } }', {
      input: { messageId, body },
    });

  it('somebody sends and edits so many, and may still delete and read; others write on', async () => {
    const ann = await registerPerson(cluster);
    const chat = await openGroup(ann, [bob]);
    const { id } = await send(ann, chat, 'first');
    for (let nth = 2; nth < PER_MINUTE; nth += 1) await send(ann, chat, `message ${nth}`);
    await edit(ann, id, 'edited');
    await expect(send(ann, chat, 'too many')).rejects.toMatchObject(refused('sendMessage'));
    await expect(edit(ann, id, 'edited too often')).rejects.toMatchObject(refused('editMessage'));
    await send(bob, chat, 'bob');
    expect(await bodies(chat)).toEqual(['edited', ...times(PER_MINUTE - 2, (nth) => `message ${nth + 2}`), 'bob']);
    const query =
      'mutation ($id: ID!, $chatId: ID!) { deleteMessage(messageId: $id) { body } markRead(chatId: $chatId, seq: 10) { id } }';
    expect(await ann.client().request(query, { id, chatId: chat.id })).toMatchObject({ deleteMessage: { body: '' } });
  });

  it.each<[field: string, args: (chatId: string, userId: string) => string]>([
    ['addMembers', (chatId, userId) => `(chatId: "${chatId}", userIds: ["${userId}"]) { id }`],
    ['removeMember', (chatId, userId) => `(chatId: "${chatId}", userId: "${userId}") { id }`],
    ['changeRole', (chatId, userId) => `(chatId: "${chatId}", userId: "${userId}", role: ADMIN) { id }`],
    ['leaveChat', (chatId) => `(chatId: "${chatId}")`],
    ['updateProfile', () => '(input: { firstName: "Anna" }) { id }'],
  ])('%s is one writing', async (field, args) => {
    const ann = await registerPerson(cluster);
    const chat = await openGroup(ann, [bob]);
    for (let nth = 1; nth < PER_MINUTE; nth += 1) await send(ann, chat, `message ${nth}`);
    const act = () => ann.client().request(`mutation { ${field}${args(chat.id, bob.id)} }`, {});
    // Whether it may be done or not.
    await act().catch(({ code }: { code: string }) => expect(code).not.toBe('RATE_LIMITED'));
    await expect(act()).rejects.toMatchObject(refused(field));
  });

  it.runIf(backend === 'distributed')(
    'so is, of ten messages that a member’s going turns read, that of one',
    async () => {
      const [ann, cleo] = [await registerPerson(cluster), await registerPerson(cluster)];
      const chat = await openGroup(ann, [bob, cleo]);
      const count = 10 * PER_MINUTE;
      await cluster.sql(
        `INSERT INTO message (id, chat_id, seq, author_id, body)
        SELECT gen_random_uuid(), $1, n, $2, 'said' FROM generate_series(1, $3::int) n`,
        [chat.id, ann.id, count],
      );
      await cluster.sql('UPDATE chat SET last_seq = $2, revision = $2 WHERE id = $1', [chat.id, count]);
      const query = 'mutation ($chatId: ID!, $seq: Int!) { markRead(chatId: $chatId, seq: $seq) { id } }';
      await bob.client().request(query, { chatId: chat.id, seq: count });
      const remove = `mutation ($chatId: ID!, $userId: ID!) { removeMember(chatId: $chatId, userId: $userId) {
      messages(first: 1) { edges { node { isRead } } } } }`;
      expect(await ann.client().request(remove, { chatId: chat.id, userId: cleo.id })).toMatchObject({
        removeMember: { messages: { edges: [{ node: { isRead: true } }] } },
      });
      await expect(send(ann, chat, 'too many')).rejects.toMatchObject(refused('sendMessage'));
    },
  );

  it('each field of a document counts, and each repetition of a message', async () => {
    const ann = await registerPerson(cluster);
    const chat = await openGroup(ann, [bob]);
    const fields = times(PER_MINUTE + 2, (nth) => `m${nth}: sendMessage(input: $input) { seq }`).join(' ');
    const { json } = await ann.client().raw({
      headers: { 'content-type': 'application/json', authorization: `Bearer ${ann.accessToken}` },
      body: JSON.stringify({
        query: `mutation ($input: SendMessageInput!) { ${fields} }`,
        variables: { input: { chatId: chat.id, body: 'once', clientId: 'one' } },
      }),
    });
    expect(json.errors[0]).toMatchObject({ path: [`m${PER_MINUTE}`], extensions: { code: 'RATE_LIMITED' } });
    expect(await bodies(chat)).toEqual(['once']);
  });

  it('the bytes are counted, of what is attached, too', async () => {
    const ann = await registerPerson(cluster);
    const chat = await openGroup(ann, [bob]);
    // Of four bytes each.
    await send(ann, chat, '\u{1f600}'.repeat(7_000));
    await send(ann, chat, 'x'.repeat(7_000), { extraData: { note: 'x'.repeat(8_000) } });
    await send(ann, chat, 'x'.repeat(6_900));
    await expect(send(ann, chat, 'x'.repeat(200))).rejects.toMatchObject(refused('sendMessage'));
    expect(await bodies(chat)).toHaveLength(3);
  });

  it('the bytes of a number are those that it takes to keep', async () => {
    const ann = await registerPerson(cluster);
    const chat = await openGroup(ann, [bob]);
    // Of 309 bytes each.
    const extraData = Array<number>(26).fill(1e308);
    for (let nth = 0; nth < 6; nth += 1) await send(ann, chat, 'x', { extraData });
    await expect(send(ann, chat, 'x', { extraData })).rejects.toMatchObject(refused('sendMessage'));
  });
});
