import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { graphql } from '../support/generated/index.ts';
import type { CreateChatInput } from '../support/generated/graphql.ts';
import { registerPerson, send } from '../support/people.ts';
import type { Person } from '../support/people.ts';
import { absentId, badInput, NOT_FOUND, nobody, refusal, SIGN_IN_FIRST } from '../support/refusals.ts';

const CreateChat = graphql(/* GraphQL */ `
  mutation CreateChat($input: CreateChatInput!) {
    createChat(input: $input) {
      id
      kind
      title
      unreadCount
      lastMessage {
        body
      }
      members {
        role
        lastReadSeq
        user {
          id
        }
      }
    }
  }
`);

const ListedChats = graphql(/* GraphQL */ `
  query ListedChats {
    chats(first: 100) {
      edges {
        node {
          id
          kind
          title
        }
      }
    }
  }
`);

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster();
});
afterAll(() => cluster?.stop());

async function createChat(person: Person, input: CreateChatInput, nodeIndex = 0) {
  return (await person.client(nodeIndex).request(CreateChat, { input })).createChat;
}

async function listChats(person: Person) {
  const { chats } = await person.client().request(ListedChats);
  return chats.edges.map(({ node }) => node);
}

const rolesOf = (chat: { members: { role: string; user: { id: string } }[] }) =>
  Object.fromEntries(chat.members.map(({ user, role }) => [user.id, role]));

const register = (...firstNames: string[]) =>
  Promise.all(firstNames.map((firstName) => registerPerson(cluster, { firstName })));

const pair = () => register('Ann', 'Bob') as Promise<[Person, Person]>;

describe('createChat of a direct chat', () => {
  it('opens one for two equal members, and both find it', async () => {
    const [ann, bob] = await pair();
    const chat = await createChat(ann, { memberIds: [bob.id] });
    expect(chat).toMatchObject({ kind: 'DIRECT', title: null, unreadCount: 0, lastMessage: null });
    expect(rolesOf(chat)).toEqual({ [ann.id]: 'MEMBER', [bob.id]: 'MEMBER' });
    expect(chat.members.map((member) => member.lastReadSeq)).toEqual([0, 0]);
    const listed = { id: chat.id, kind: 'DIRECT', title: null };
    expect(await listChats(ann)).toEqual([listed]);
    expect(await listChats(bob)).toEqual([listed]);
  });

  it('answers the standing one, from either side and on either node', async () => {
    const [ann, bob] = await pair();
    const chat = await createChat(ann, { memberIds: [bob.id] });
    await send(ann, chat, 'hello');
    const again = await createChat(ann, { memberIds: [bob.id.toUpperCase()], kind: 'DIRECT', title: null }, 1);
    expect(again).toMatchObject({ id: chat.id, unreadCount: 0, lastMessage: { body: 'hello' } });
    const fromTheOtherSide = await createChat(bob, { memberIds: [ann.id] }, 1);
    expect(fromTheOtherSide).toMatchObject({ id: chat.id, unreadCount: 1, lastMessage: { body: 'hello' } });
    expect(await listChats(bob)).toHaveLength(1);
  });

  it('makes one chat of twenty racing creations, from both sides on both nodes', async () => {
    for (let round = 1; round <= 5; round += 1) {
      const [ann, bob] = await pair();
      const chats = await Promise.all(
        Array.from({ length: 20 }, (_, index) => {
          const [me, other] = index % 2 === 0 ? [ann, bob] : [bob, ann];
          return createChat(me, { memberIds: [other.id] }, index % 4 < 2 ? 0 : 1);
        }),
      );
      expect(new Set(chats.map((chat) => chat.id)).size).toBe(1);
      for (const chat of chats) expect(rolesOf(chat)).toEqual({ [ann.id]: 'MEMBER', [bob.id]: 'MEMBER' });
      expect(await listChats(ann)).toHaveLength(1);
      expect(await listChats(bob)).toHaveLength(1);
    }
  });

  it('makes a chat of its own for each pair', async () => {
    const [ann, bob] = await pair();
    const [cleo] = (await register('Cleo')) as [Person];
    const withBob = await createChat(ann, { memberIds: [bob.id] });
    const withCleo = await createChat(ann, { memberIds: [cleo.id] });
    const betweenThem = await createChat(bob, { memberIds: [cleo.id] });
    expect(new Set([withBob.id, withCleo.id, betweenThem.id]).size).toBe(3);
    expect(rolesOf(betweenThem)).toEqual({ [bob.id]: 'MEMBER', [cleo.id]: 'MEMBER' });
  });

  it('takes the viewer and repeated ids in memberIds for what they are', async () => {
    const [ann, bob] = await pair();
    const chat = await createChat(ann, { memberIds: [bob.id, ann.id, bob.id, bob.id.toUpperCase()] });
    expect(rolesOf(chat)).toEqual({ [ann.id]: 'MEMBER', [bob.id]: 'MEMBER' });
  });

  it('refuses anything but one other person, and a title', async () => {
    const [ann, bob] = await pair();
    const [cleo] = (await register('Cleo')) as [Person];
    const wrong = (memberIds: string[]) => refusal(createChat(ann, { memberIds }));
    expect(await wrong([])).toEqual(badInput('input.memberIds'));
    expect(await wrong([ann.id])).toEqual(badInput('input.memberIds'));
    expect(await wrong([bob.id, cleo.id])).toEqual(badInput('input.memberIds'));
    expect(await wrong([ann.id, bob.id, cleo.id])).toEqual(badInput('input.memberIds'));
    expect(await wrong(['bob'])).toEqual(badInput('input.memberIds'));
    expect(await wrong([''])).toEqual(badInput('input.memberIds'));
    for (const title of ['Us two', ''])
      expect(await refusal(createChat(ann, { memberIds: [bob.id], title }))).toEqual(badInput('input.title'));
    expect(await listChats(ann)).toEqual([]);
    expect(await listChats(bob)).toEqual([]);
  });

  it('knows no stranger to everybody', async () => {
    const [ann] = await pair();
    expect(await refusal(createChat(ann, { memberIds: [absentId()] }))).toEqual(NOT_FOUND);
    expect(await listChats(ann)).toEqual([]);
  });

  it('is for people who have signed in', async () => {
    const [, bob] = await pair();
    const attempt = nobody(cluster).request(CreateChat, { input: { memberIds: [bob.id] } });
    expect(await refusal(attempt)).toEqual(SIGN_IN_FIRST);
    expect(await listChats(bob)).toEqual([]);
  });
});

describe('createChat of a group', () => {
  it('makes its founder the owner and the others members', async () => {
    const [ann, bob, cleo] = (await register('Ann', 'Bob', 'Cleo')) as [Person, Person, Person];
    const chat = await createChat(ann, { memberIds: [bob.id, cleo.id], kind: 'GROUP', title: 'The harbour' });
    expect(chat).toMatchObject({ kind: 'GROUP', title: 'The harbour', unreadCount: 0, lastMessage: null });
    expect(rolesOf(chat)).toEqual({ [ann.id]: 'OWNER', [bob.id]: 'MEMBER', [cleo.id]: 'MEMBER' });
    for (const person of [ann, bob, cleo])
      expect(await listChats(person)).toEqual([{ id: chat.id, kind: 'GROUP', title: 'The harbour' }]);
  });

  it('makes a new group each time, of the same people and beside their direct chat', async () => {
    const [ann, bob] = await pair();
    const direct = await createChat(ann, { memberIds: [bob.id] });
    const first = await createChat(ann, { memberIds: [bob.id], kind: 'GROUP', title: 'Same' });
    const second = await createChat(ann, { memberIds: [bob.id], kind: 'GROUP', title: 'Same' });
    expect(new Set([direct.id, first.id, second.id]).size).toBe(3);
  });

  it('counts everybody once, and the founder as owner alone', async () => {
    const [ann, bob] = await pair();
    const memberIds = [bob.id, ann.id, bob.id.toUpperCase(), bob.id];
    const chat = await createChat(ann, { memberIds, kind: 'GROUP', title: 'Twice' });
    expect(chat.members).toHaveLength(2);
    expect(rolesOf(chat)).toEqual({ [ann.id]: 'OWNER', [bob.id]: 'MEMBER' });
    const alone = await createChat(ann, { memberIds: [ann.id], kind: 'GROUP', title: 'Notes to self' });
    expect(rolesOf(alone)).toEqual({ [ann.id]: 'OWNER' });
  });

  it.each([
    ['as it is written', 'Crème 🚢 <b>&amp;</b>', 'Crème 🚢 <b>&amp;</b>'],
    ['without the space around it', ' \n\tPier 7  ', 'Pier 7'],
    ['of 120 characters', 'é'.repeat(120), 'é'.repeat(120)],
    ['of 120 characters beyond the basic plane', '🚢'.repeat(120), '🚢'.repeat(120)],
  ])('keeps a title %s', async (_what, title, kept) => {
    const [ann, bob] = await pair();
    const chat = await createChat(ann, { memberIds: [bob.id], kind: 'GROUP', title });
    expect(chat.title).toBe(kept);
    expect((await listChats(bob))[0]?.title).toBe(kept);
  });

  it.each([
    ['that is missing', undefined],
    ['that is null', null],
    ['that is empty', ''],
    ['of white space', ' \t\n\u00a0\u3000'],
    ['of zero-width characters', '\u200b\u200d\u2060\ufeff'],
    ['of 121 characters', 'x'.repeat(121)],
    ['of 121 characters beyond the basic plane', '🚢'.repeat(121)],
    ['with a bell', 'ding\u0007dong'],
    ['with a line break', 'two\nlines'],
    ['with a line separator', 'two\u2028lines'],
    ['with an escape sequence', '\u001b[31mred'],
    ['with NUL', 'a\0b'],
    ['with half a surrogate pair', 'a\ud83d'],
  ])('refuses a title %s', async (_what, title) => {
    const [ann, bob] = await pair();
    const attempt = createChat(ann, { memberIds: [bob.id], kind: 'GROUP', title });
    expect(await refusal(attempt)).toEqual(badInput('input.title'));
    expect(await listChats(bob)).toEqual([]);
  });

  it('refuses ids that are none, and more than 1,000 members', async () => {
    const [ann, bob] = await pair();
    const attempt = (memberIds: string[]) =>
      refusal(createChat(ann, { memberIds, kind: 'GROUP', title: 'The harbour' }));
    expect(await attempt([bob.id, 'cleo'])).toEqual(badInput('input.memberIds'));
    expect(await attempt(Array.from({ length: 1_000 }, absentId))).toEqual(badInput('input.memberIds'));
    // With the founder these would be just 1,000: only that nobody has these ids is wrong with them.
    expect(await attempt(Array.from({ length: 999 }, absentId))).toEqual(NOT_FOUND);
  });

  it('is not made at all when one of the people is not there', async () => {
    const [ann, bob] = await pair();
    const attempt = createChat(ann, { memberIds: [bob.id, absentId()], kind: 'GROUP', title: 'The harbour' });
    expect(await refusal(attempt)).toEqual(NOT_FOUND);
    expect(await listChats(ann)).toEqual([]);
    expect(await listChats(bob)).toEqual([]);
  });

  it('is for people who have signed in', async () => {
    const [, bob] = await pair();
    const input = { memberIds: [bob.id], kind: 'GROUP' as const, title: 'The harbour' };
    expect(await refusal(nobody(cluster).request(CreateChat, { input }))).toEqual(SIGN_IN_FIRST);
    expect(await listChats(bob)).toEqual([]);
  });
});
