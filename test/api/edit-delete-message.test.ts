import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { graphql } from '../support/generated/index.ts';
import type { EditMessageInput } from '../support/generated/graphql.ts';
import { readHistory } from '../support/history.ts';
import { changeRole, removeMember } from '../support/membership.ts';
import { openDirectChat, openGroup, registerPerson, send } from '../support/people.ts';
import type { Person } from '../support/people.ts';
import {
  absentId,
  badInput,
  CONFLICT,
  expectHidden,
  FORBIDDEN,
  nobody,
  refusal,
  SIGN_IN_FIRST,
} from '../support/refusals.ts';

const EditMessage = graphql(/* GraphQL */ `
  mutation EditMessage($input: EditMessageInput!) {
    editMessage(input: $input) {
      id
      seq
      type
      body
      extraData
      clientId
      isRead
      createdAt
      editedAt
      deletedAt
      author {
        id
      }
    }
  }
`);

const DeleteMessage = graphql(/* GraphQL */ `
  mutation DeleteMessage($messageId: ID!) {
    deleteMessage(messageId: $messageId) {
      id
      seq
      type
      body
      extraData
      clientId
      isRead
      createdAt
      editedAt
      deletedAt
      author {
        id
      }
    }
  }
`);

const NewestMessage = graphql(/* GraphQL */ `
  query NewestMessage($chatId: ID!) {
    chat(id: $chatId) {
      lastMessage {
        id
        body
        deletedAt
      }
    }
  }
`);

let cluster: Cluster;
let owner: Person;
let admin: Person;
let author: Person;
let member: Person;
let stranger: Person;

beforeAll(async () => {
  cluster = await startCluster();
  const names = ['Olga', 'Adam', 'Ann', 'Mia', 'Sam'];
  const people = await Promise.all(names.map((firstName) => registerPerson(cluster, { firstName })));
  [owner, admin, author, member, stranger] = people as [Person, Person, Person, Person, Person];
});
afterAll(() => cluster?.stop());

async function makeGroup() {
  const group = await openGroup(owner, [admin, author, member]);
  await changeRole(owner, group, admin, 'ADMIN');
  return group;
}

async function edit(person: Person, input: EditMessageInput, nodeIndex = 0) {
  return (await person.client(nodeIndex).request(EditMessage, { input })).editMessage;
}

async function erase(person: Person, message: { id: string }, nodeIndex = 0) {
  return (await person.client(nodeIndex).request(DeleteMessage, { messageId: message.id })).deleteMessage;
}

describe('editMessage', () => {
  it('changes what was said, for everybody, and says when', async () => {
    const group = await makeGroup();
    const sent = await send(author, group, 'tpyo', { clientId: 'k1', type: 'PHOTO', extraData: { a: 1 } });
    const edited = await edit(author, { messageId: sent.id, body: ' typo 👩‍👩‍👧‍👦 ', extraData: { b: [2] } }, 1);
    const { editedAt, ...rest } = edited;
    expect(rest).toEqual({
      ...sent,
      body: ' typo 👩‍👩‍👧‍👦 ',
      extraData: { b: [2] },
      isRead: false,
      deletedAt: null,
    });
    expect(editedAt! >= sent.createdAt).toBe(true);
    expect(await readHistory(member, group)).toEqual([edited]);
  });

  it('keeps extraData that is left out, and takes it away for a null', async () => {
    const group = await makeGroup();
    const sent = await send(author, group, 'here', { extraData: { latitude: 59.3 } });
    expect(await edit(author, { messageId: sent.id, body: 'there' })).toMatchObject({
      body: 'there',
      extraData: { latitude: 59.3 },
    });
    expect(await edit(author, { messageId: sent.id, body: 'nowhere', extraData: null })).toMatchObject({
      body: 'nowhere',
      extraData: null,
    });
    expect((await readHistory(member, group))[0]).toMatchObject({ body: 'nowhere', extraData: null });
  });

  it('leaves the others’ messages, the order and the newest message as they are', async () => {
    const group = await makeGroup();
    const sent = await send(author, group, 'first');
    const second = await send(member, group, 'second');
    await edit(author, { messageId: sent.id, body: 'first, edited' });
    expect((await readHistory(member, group)).map(({ seq, body }) => [seq, body])).toEqual([
      [1, 'first, edited'],
      [2, 'second'],
    ]);
    expect((await send(author, group, 'third')).seq).toBe(3);
    expect((await readHistory(member, group))[1]).toMatchObject({ id: second.id, editedAt: null });
  });

  it.each([
    ['an empty body', { body: '' }, 'input.body'],
    ['zero-width characters alone', { body: '\u200b\u200d' }, 'input.body'],
    ['8,001 characters', { body: '🚢'.repeat(8_001) }, 'input.body'],
    ['NUL', { body: 'a\0' }, 'input.body'],
    ['half a surrogate pair', { body: '\ud83d' }, 'input.body'],
    ['extraData of 9 levels', { body: 'x', extraData: [[[[[[[[[1]]]]]]]]] }, 'input.extraData'],
    ['extraData beyond 8 KiB', { body: 'x', extraData: 'x'.repeat(8_191) }, 'input.extraData'],
    ['an id that is none', { body: 'x', messageId: 'first' }, 'input.messageId'],
  ])('refuses %s', async (_what, change, field) => {
    const group = await makeGroup();
    const sent = await send(author, group, 'as it was');
    expect(await refusal(edit(author, { messageId: sent.id, ...change }))).toEqual(badInput(field));
    expect((await readHistory(member, group))[0]).toMatchObject({ body: 'as it was', editedAt: null });
  });

  it('is the author’s alone: not a member’s, not an admin’s, not an owner’s', async () => {
    const group = await makeGroup();
    const sent = await send(author, group, 'my words');
    for (const person of [member, admin, owner])
      expect(await refusal(edit(person, { messageId: sent.id, body: 'your words' }))).toEqual(FORBIDDEN);
    const direct = await openDirectChat(author, member);
    const said = await send(author, direct, 'my words');
    expect(await refusal(edit(member, { messageId: said.id, body: 'your words' }))).toEqual(FORBIDDEN);
    for (const chat of [group, direct])
      expect((await readHistory(member, chat))[0]).toMatchObject({ body: 'my words', editedAt: null });
  });

  it('shows a stranger, and an author who has been removed, nothing', async () => {
    const group = await makeGroup();
    const sent = await send(author, group, 'my words');
    const input = (messageId: string) => ({ input: { messageId, body: 'other words' } });
    await removeMember(owner, group, author);
    for (const person of [stranger, author]) await expectHidden(person, EditMessage, input(sent.id), input(absentId()));
    expect((await readHistory(member, group))[0]).toMatchObject({ body: 'my words', editedAt: null });
  });

  it('is for people who have signed in', async () => {
    const group = await makeGroup();
    const sent = await send(author, group, 'my words');
    const attempt = nobody(cluster).request(EditMessage, { input: { messageId: sent.id, body: 'boo' } });
    expect(await refusal(attempt)).toEqual(SIGN_IN_FIRST);
    expect((await readHistory(member, group))[0]?.body).toBe('my words');
  });

  it('does not bring back what was deleted', async () => {
    const group = await makeGroup();
    const sent = await send(author, group, 'regret');
    await erase(author, sent);
    expect(await refusal(edit(author, { messageId: sent.id, body: 'on second thoughts' }))).toEqual(CONFLICT);
    expect((await readHistory(member, group))[0]).toMatchObject({ body: '', editedAt: null });
  });

  it('racing with the deletion never outlives it', async () => {
    const group = await makeGroup();
    for (let race = 1; race <= 20; race += 1) {
      const sent = await send(author, group, 'regret', { extraData: { a: 1 } });
      const edits = [0, 1].map((node) =>
        edit(author, { messageId: sent.id, body: 'edited', extraData: { b: 2 } }, node),
      );
      const deletion = erase(author, sent, race);
      for (const outcome of await Promise.allSettled(edits))
        if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject(CONFLICT);
      expect((await deletion).body).toBe('');
      expect((await readHistory(member, group)).at(-1)).toMatchObject({ id: sent.id, body: '', extraData: null });
    }
  });
});

describe('deleteMessage', () => {
  it('leaves a tombstone: the seq stays taken, the content is gone', async () => {
    const group = await makeGroup();
    const before = await send(author, group, 'before');
    const sent = await send(author, group, 'regret', { clientId: 'k1', type: 'LOCATION', extraData: { a: 1 } });
    const { deletedAt, ...tombstone } = await erase(author, sent, 1);
    expect(tombstone).toEqual({ ...sent, body: '', extraData: null, isRead: false, editedAt: null });
    expect(deletedAt! >= sent.createdAt).toBe(true);
    expect((await send(member, group, 'after')).seq).toBe(3);
    expect((await readHistory(member, group)).map(({ id, body }) => [id, body]).slice(0, 2)).toEqual([
      [before.id, 'before'],
      [sent.id, ''],
    ]);
  });

  it('leaves it as the chat’s newest message', async () => {
    const group = await makeGroup();
    const sent = await send(author, group, 'regret');
    const { deletedAt } = await erase(author, sent);
    const { chat } = await member.client(1).request(NewestMessage, { chatId: group.id });
    expect(chat?.lastMessage).toEqual({ id: sent.id, body: '', deletedAt });
  });

  it('twice changes nothing any more', async () => {
    const group = await makeGroup();
    const sent = await send(author, group, 'regret');
    const first = await erase(author, sent);
    for (const person of [author, admin, owner]) expect(await erase(person, sent, 1)).toEqual(first);
    expect(await readHistory(member, group)).toEqual([first]);
  });

  it('at the same moment on both nodes answers one tombstone', async () => {
    const group = await makeGroup();
    const sent = await send(author, group, 'regret');
    const answers = await Promise.all([0, 1, 0, 1].map((node) => erase(author, sent, node)));
    for (const answer of answers) expect(answer).toEqual(answers[0]);
  });

  it('is also for a group’s admins and owners, whoever wrote it', async () => {
    const group = await makeGroup();
    for (const [by, writer] of [
      [admin, author],
      [owner, author],
      [owner, admin],
      [admin, owner],
    ] as const) {
      const sent = await send(writer, group, 'rude');
      expect(await erase(by, sent)).toMatchObject({ body: '', author: { id: writer.id } });
      expect((await readHistory(member, group)).at(-1)).toMatchObject({ id: sent.id, body: '' });
    }
  });

  it('is not for plain members, nor for the other one of a direct chat', async () => {
    const group = await makeGroup();
    const direct = await openDirectChat(author, member);
    for (const chat of [group, direct]) {
      const sent = await send(author, chat, 'stays');
      expect(await refusal(erase(member, sent))).toEqual(FORBIDDEN);
      expect((await readHistory(member, chat)).at(-1)).toMatchObject({ body: 'stays', deletedAt: null });
    }
  });

  it('asks for the role of today', async () => {
    const group = await makeGroup();
    const sent = await send(author, group, 'stays');
    await changeRole(owner, group, admin, 'MEMBER');
    expect(await refusal(erase(admin, sent))).toEqual(FORBIDDEN);
    await changeRole(owner, group, member, 'ADMIN');
    expect(await erase(member, sent)).toMatchObject({ body: '' });
  });

  it('shows a stranger, and an author who has been removed, nothing', async () => {
    const group = await makeGroup();
    const sent = await send(author, group, 'stays');
    await removeMember(owner, group, author);
    for (const person of [stranger, author])
      await expectHidden(person, DeleteMessage, { messageId: sent.id }, { messageId: absentId() });
    expect((await readHistory(member, group))[0]).toMatchObject({ body: 'stays', deletedAt: null });
  });

  it('refuses an id that is none', async () => {
    const attempt = author.client().request(DeleteMessage, { messageId: 'first' });
    expect(await refusal(attempt)).toEqual(badInput('messageId'));
  });

  it('is for people who have signed in', async () => {
    const group = await makeGroup();
    const sent = await send(author, group, 'stays');
    const attempt = nobody(cluster).request(DeleteMessage, { messageId: sent.id });
    expect(await refusal(attempt)).toEqual(SIGN_IN_FIRST);
    expect((await readHistory(member, group))[0]?.body).toBe('stays');
  });
});
