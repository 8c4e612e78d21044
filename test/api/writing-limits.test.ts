import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCluster } from '../support/cluster.ts';
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
