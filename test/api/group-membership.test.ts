import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { backend, startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import type { Operation, VariablesOf } from '../support/document.ts';
import { graphql } from '../support/generated/index.ts';
import type { ChatRole } from '../support/generated/graphql.ts';
import { readHistory } from '../support/history.ts';
import {
  addMember,
  AddMembers,
  changeRole,
  ChangeRole,
  leaveChat,
  LeaveChat,
  removeMember,
  RemoveMember,
} from '../support/membership.ts';
import { openDirectChat, openGroup, registerPerson, send } from '../support/people.ts';
import type { Person } from '../support/people.ts';
import {
  absentId,
  badInput,
  CONFLICT,
  expectHidden,
  FORBIDDEN,
  NOT_FOUND,
  nobody,
  refusal,
  SIGN_IN_FIRST,
} from '../support/refusals.ts';

const UpdateChat = graphql(/* GraphQL */ `
  mutation UpdateChat($input: UpdateChatInput!) {
    updateChat(input: $input) {
      id
      title
    }
  }
`);

const DeleteChat = graphql(/* GraphQL */ `
  mutation DeleteChat($chatId: ID!) {
    deleteChat(chatId: $chatId)
  }
`);

const MarkRead = graphql(/* GraphQL */ `
  mutation MarkReadByStranger($chatId: ID!, $seq: Int!) {
    markRead(chatId: $chatId, seq: $seq) {
      id
    }
  }
`);

const GroupAsSeen = graphql(/* GraphQL */ `
  query GroupAsSeen($id: ID!) {
    chat(id: $id) {
      id
      title
      revision
      updatedAt
      unreadCount
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

const GroupsOfMine = graphql(/* GraphQL */ `
  query GroupsOfMine {
    chats(first: 100) {
      edges {
        node {
          id
        }
      }
    }
  }
`);

const MessageAsSeen = graphql(/* GraphQL */ `
  query MessageAsSeen($id: ID!) {
    message(id: $id) {
      id
      body
    }
  }
`);

interface Group {
  id: string;
}

let cluster: Cluster;
let owner: Person;
let admin: Person;
let member: Person;
let target: Person;
let newcomer: Person;
let stranger: Person;
let former: Person;

beforeAll(async () => {
  cluster = await startCluster();
  const names = ['Olga', 'Adam', 'Mia', 'Tom', 'Nia', 'Sam', 'Fay'];
  const people = await Promise.all(names.map((firstName) => registerPerson(cluster, { firstName })));
  [owner, admin, member, target, newcomer, stranger, former] = people as [
    Person,
    Person,
    Person,
    Person,
    Person,
    Person,
    Person,
  ];
});
afterAll(() => cluster?.stop());

/** Owner, admin, member and a member to act upon; `former` has been removed. */
async function makeGroup(): Promise<Group> {
  const group = await openGroup(owner, [admin, member, target, former]);
  await changeRole(owner, group, admin, 'ADMIN');
  await removeMember(owner, group, former);
  return group;
}

async function look(person: Person, chat: Group) {
  return (await person.client().request(GroupAsSeen, { id: chat.id })).chat;
}

async function rolesIn(chat: Group, seenBy: Person = owner): Promise<Record<string, ChatRole>> {
  const seen = await look(seenBy, chat);
  return Object.fromEntries(seen!.members.map(({ user, role }) => [user.id, role]));
}

async function chatIdsOf(person: Person) {
  const { chats } = await person.client().request(GroupsOfMine);
  return chats.edges.map(({ node }) => node.id);
}

/** One mutation, as anybody may attempt it on any chat. */
function act<Data, Variables>(operation: Operation<Data, Variables>, variables: (chatId: string) => Variables) {
  return {
    attempt: (person: Person, chat: Group) =>
      person.client().request(operation, ...([variables(chat.id)] as VariablesOf<Variables>)),
    attemptByNobody: (chat: Group) =>
      nobody(cluster).request(operation, ...([variables(chat.id)] as VariablesOf<Variables>)),
    expectHidden: (person: Person, chat: Group) =>
      expectHidden(person, operation, variables(chat.id), variables(absentId())),
  };
}

const acts = {
  addMembers: act(AddMembers, (chatId) => ({ chatId, userIds: [newcomer.id] })),
  removeMember: act(RemoveMember, (chatId) => ({ chatId, userId: target.id })),
  changeRole: act(ChangeRole, (chatId) => ({ chatId, userId: target.id, role: 'ADMIN' as const })),
  leaveChat: act(LeaveChat, (chatId) => ({ chatId })),
  updateChat: act(UpdateChat, (chatId) => ({ input: { chatId, title: 'Pier 7' } })),
  deleteChat: act(DeleteChat, (chatId) => ({ chatId })),
};
type ActName = keyof typeof acts;
const actNames = Object.keys(acts) as ActName[];

describe('who may do what in a group', () => {
  const roles = {
    owner: () => owner,
    admin: () => admin,
    member: () => member,
    stranger: () => stranger,
    'former member': () => former,
  };
  type Role = keyof typeof roles;

  const allowed: Record<ActName, Role[]> = {
    addMembers: ['owner', 'admin'],
    removeMember: ['owner', 'admin'],
    changeRole: ['owner'],
    leaveChat: ['admin', 'member'],
    updateChat: ['owner', 'admin'],
    deleteChat: ['owner'],
  };
  const forbidden: Record<ActName, Role[]> = {
    addMembers: ['member'],
    removeMember: ['member'],
    changeRole: ['admin', 'member'],
    leaveChat: [],
    updateChat: ['member'],
    deleteChat: ['admin', 'member'],
  };

  it.each(actNames.flatMap((name) => allowed[name].map((role) => ({ name, role }))))(
    '$name: $role may',
    async ({ name, role }) => {
      const group = await makeGroup();
      const before = await look(owner, group);
      await acts[name].attempt(roles[role](), group);
      const after =
        name === 'leaveChat' || name === 'deleteChat' ? await look(target, group) : await look(owner, group);
      expect(after).not.toEqual(before);
    },
  );

  it.each(actNames.flatMap((name) => forbidden[name].map((role) => ({ name, role }))))(
    '$name: $role sees the group, but may not, and it stays as it is',
    async ({ name, role }) => {
      const group = await makeGroup();
      const before = await look(owner, group);
      expect(await refusal(acts[name].attempt(roles[role](), group))).toEqual(FORBIDDEN);
      expect(await look(owner, group)).toEqual(before);
    },
  );

  it.each(actNames.flatMap((name) => (['stranger', 'former member'] as const).map((role) => ({ name, role }))))(
    '$name: to a $role the group is not there',
    async ({ name, role }) => {
      const group = await makeGroup();
      const before = await look(owner, group);
      await acts[name].expectHidden(roles[role](), group);
      expect(await look(owner, group)).toEqual(before);
    },
  );

  it.each(actNames)('%s: nobody without signing in', async (name) => {
    const group = await makeGroup();
    const before = await look(owner, group);
    expect(await refusal(acts[name].attemptByNobody(group))).toEqual(SIGN_IN_FIRST);
    expect(await look(owner, group)).toEqual(before);
  });

  it.each(actNames)('%s: an id that is none is the input’s fault', async (name) => {
    const field = name === 'updateChat' ? 'input.chatId' : 'chatId';
    expect(await refusal(acts[name].attempt(owner, { id: 'harbour' }))).toEqual(badInput(field));
  });
});

describe.runIf(backend === 'distributed')('who is no member holds up nobody', () => {
  let group: Group;
  let holder: pg.Client;
  beforeAll(async () => {
    group = await makeGroup();
    holder = new pg.Client({ connectionString: cluster.databaseUrl! });
    await holder.connect();
    await holder.query('BEGIN');
    await holder.query('SELECT 1 FROM chat WHERE id = $1 FOR NO KEY UPDATE', [group.id]);
  });
  afterAll(() => holder?.end());

  // Whoever would take the chat's row waits for it, and is told in the end that it was not to be had.
  it.each(actNames)('%s: it is said at once that the group is not there', async (name) => {
    for (const person of [stranger, former])
      expect(await refusal(acts[name].attempt(person, group))).toEqual(NOT_FOUND);
  });

  it('markRead: it is said at once that the group is not there', async () => {
    for (const person of [stranger, former])
      expect(await refusal(person.client().request(MarkRead, { chatId: group.id, seq: 1 }))).toEqual(NOT_FOUND);
  });
});

describe('a direct chat belongs to its two people', () => {
  it.each(actNames)('%s: neither of them may', async (name) => {
    const [ann, tom] = [await registerPerson(cluster, { firstName: 'Ann' }), target];
    const chat = await openDirectChat(ann, tom);
    const before = await look(ann, chat);
    for (const person of [ann, tom]) expect(await refusal(acts[name].attempt(person, chat))).toEqual(FORBIDDEN);
    expect(await look(ann, chat)).toEqual(before);
  });

  it.each(actNames)('%s: to a stranger it is not there', async (name) => {
    const chat = await openDirectChat(member, target);
    const before = await look(member, chat);
    await acts[name].expectHidden(stranger, chat);
    expect(await look(member, chat)).toEqual(before);
  });
});

describe('addMembers', () => {
  it('lets people in as members, and they find the group', async () => {
    const group = await makeGroup();
    const { addMembers } = await admin
      .client()
      .request(AddMembers, { chatId: group.id, userIds: [newcomer.id, stranger.id, newcomer.id.toUpperCase()] });
    const roles = Object.fromEntries(addMembers.members.map(({ user, role }) => [user.id, role]));
    expect(roles).toEqual({
      [owner.id]: 'OWNER',
      [admin.id]: 'ADMIN',
      [member.id]: 'MEMBER',
      [target.id]: 'MEMBER',
      [newcomer.id]: 'MEMBER',
      [stranger.id]: 'MEMBER',
    });
    expect(await rolesIn(group, newcomer)).toEqual(roles);
    expect(await chatIdsOf(stranger)).toContain(group.id);
  });

  it('starts them at the newest message: what was said before is history, not unread', async () => {
    const group = await makeGroup();
    for (const body of ['one', 'two', 'three']) await send(owner, group, body);
    await addMember(owner, group, newcomer);
    const seen = await look(newcomer, group);
    expect(seen?.unreadCount).toBe(0);
    expect(seen?.members.find(({ user }) => user.id === newcomer.id)?.lastReadSeq).toBe(3);
    expect((await readHistory(newcomer, group)).map(({ body }) => body)).toEqual(['one', 'two', 'three']);
    await send(owner, group, 'four');
    expect((await look(newcomer, group))?.unreadCount).toBe(1);
  });

  it('starts somebody who comes back at the newest message again', async () => {
    const group = await makeGroup();
    await send(owner, group, 'while Tom is here');
    await removeMember(owner, group, target);
    await send(owner, group, 'while Tom is away');
    await addMember(owner, group, target);
    const seen = await look(target, group);
    expect(seen?.unreadCount).toBe(0);
    expect(seen?.members.find(({ user }) => user.id === target.id)).toMatchObject({ lastReadSeq: 2, role: 'MEMBER' });
  });

  it('adds nobody when one of them is a member already', async () => {
    const group = await makeGroup();
    const before = await look(owner, group);
    const attempt = (userIds: string[]) => refusal(owner.client().request(AddMembers, { chatId: group.id, userIds }));
    expect(await attempt([target.id])).toEqual(CONFLICT);
    expect(await attempt([newcomer.id, target.id])).toEqual(CONFLICT);
    expect(await attempt([owner.id])).toEqual(CONFLICT);
    expect(await look(owner, group)).toEqual(before);
    expect(await chatIdsOf(newcomer)).not.toContain(group.id);
  });

  it('adds nobody when one of them is not there', async () => {
    const group = await makeGroup();
    const userIds = [newcomer.id, absentId()];
    expect(await refusal(owner.client().request(AddMembers, { chatId: group.id, userIds }))).toEqual(NOT_FOUND);
    expect(await rolesIn(group)).not.toHaveProperty(newcomer.id);
  });

  it('refuses nobody at all, ids that are none, and too many', async () => {
    const group = await makeGroup();
    const attempt = (userIds: string[]) => refusal(owner.client().request(AddMembers, { chatId: group.id, userIds }));
    expect(await attempt([])).toEqual(badInput('userIds'));
    expect(await attempt([newcomer.id, 'sam'])).toEqual(badInput('userIds'));
    expect(await attempt(Array.from({ length: 1_001 }, absentId))).toEqual(badInput('userIds'));
    expect(await rolesIn(group)).not.toHaveProperty(newcomer.id);
  });

  it.runIf(backend === 'distributed')('fills a group with 1,000 members, and no more', async () => {
    const group = await openGroup(owner, [target]);
    await cluster.sql(
      `WITH crowd AS (
         INSERT INTO app_user (id, email, password_hash, first_name, last_name)
         SELECT gen_random_uuid(), 'crowd-' || n || '@example.test', 'none', 'Crowd', n FROM generate_series(1, 997) n
         RETURNING id)
       INSERT INTO chat_member (chat_id, user_id) SELECT $1, id FROM crowd`,
      [group.id],
    );
    const attempt = (userIds: string[]) => owner.client().request(AddMembers, { chatId: group.id, userIds });
    expect(await refusal(attempt([newcomer.id, stranger.id]))).toEqual(badInput('userIds'));
    expect((await attempt([newcomer.id])).addMembers.members).toHaveLength(1_000);
    expect(await refusal(attempt([stranger.id]))).toEqual(badInput('userIds'));
    expect(await chatIdsOf(stranger)).not.toContain(group.id);
  });

  it('adds somebody once when two do it at the same moment', async () => {
    for (let round = 1; round <= 10; round += 1) {
      const group = await makeGroup();
      const variables = { chatId: group.id, userIds: [newcomer.id] };
      const outcomes = await Promise.allSettled(
        [owner, admin].map((person, index) => person.client(index).request(AddMembers, variables)),
      );
      expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
      expect(outcomes.find(({ status }) => status === 'rejected')).toMatchObject({ reason: CONFLICT });
      expect(await rolesIn(group)).toMatchObject({ [newcomer.id]: 'MEMBER' });
    }
  });
});

describe('removeMember', () => {
  it('takes away everything that the member saw, and lets nothing more through', async () => {
    const group = await makeGroup();
    const said = await send(target, group, 'still here');
    const { removeMember: answer } = await admin
      .client()
      .request(RemoveMember, { chatId: group.id, userId: target.id });
    expect(answer.members.map(({ user }) => user.id).toSorted()).toEqual([owner.id, admin.id, member.id].toSorted());
    expect(await look(target, group)).toBeNull();
    expect(await chatIdsOf(target)).not.toContain(group.id);
    expect((await target.client().request(MessageAsSeen, { id: said.id })).message).toBeNull();
    expect(await refusal(send(target, group, 'am I?'))).toEqual(NOT_FOUND);
    expect((await readHistory(owner, group)).map(({ body }) => body)).toEqual(['still here']);
  });

  it('lets owners remove anybody else, and admins plain members alone', async () => {
    const group = await makeGroup();
    await addMember(owner, group, newcomer);
    await changeRole(owner, group, newcomer, 'OWNER');
    await changeRole(owner, group, target, 'ADMIN');
    const attempt = (by: Person, person: Person) =>
      by.client().request(RemoveMember, { chatId: group.id, userId: person.id });
    for (const person of [owner, target]) expect(await refusal(attempt(admin, person))).toEqual(FORBIDDEN);
    for (const person of [owner, admin, target]) expect(await refusal(attempt(member, person))).toEqual(FORBIDDEN);
    for (const person of [target, newcomer]) await attempt(owner, person);
    expect(await rolesIn(group)).toEqual({ [owner.id]: 'OWNER', [admin.id]: 'ADMIN', [member.id]: 'MEMBER' });
  });

  it('is not how one goes oneself', async () => {
    const group = await makeGroup();
    const attempt = (person: Person) =>
      refusal(person.client().request(RemoveMember, { chatId: group.id, userId: person.id }));
    expect(await attempt(owner)).toEqual(badInput('userId'));
    expect(await attempt(admin)).toEqual(FORBIDDEN);
    expect(await attempt(member)).toEqual(FORBIDDEN);
    expect(Object.keys(await rolesIn(group))).toHaveLength(4);
  });

  it('says the same of a person who is no member and of one who is not there', async () => {
    const group = await makeGroup();
    const remove = (userId: string) => ({ chatId: group.id, userId });
    for (const by of [owner, member]) {
      await expectHidden(by, RemoveMember, remove(stranger.id), remove(absentId()));
      await expectHidden(by, RemoveMember, remove(former.id), remove(absentId()));
    }
    expect(await refusal(owner.client().request(RemoveMember, remove('sam')))).toEqual(badInput('userId'));
  });
});

describe('leaveChat', () => {
  it('takes the leaver out, and the others see them gone', async () => {
    const group = await makeGroup();
    expect((await member.client(1).request(LeaveChat, { chatId: group.id })).leaveChat).toBe(true);
    expect(await look(member, group)).toBeNull();
    expect(await rolesIn(group)).not.toHaveProperty(member.id);
    expect(await refusal(member.client().request(LeaveChat, { chatId: group.id }))).toEqual(NOT_FOUND);
  });

  it('keeps the last owner until somebody else is one', async () => {
    const group = await makeGroup();
    const leave = () => owner.client().request(LeaveChat, { chatId: group.id });
    expect(await refusal(leave())).toEqual(CONFLICT);
    await changeRole(owner, group, member, 'OWNER');
    await leave();
    expect(await rolesIn(group, member)).toEqual({ [admin.id]: 'ADMIN', [member.id]: 'OWNER', [target.id]: 'MEMBER' });
  });

  it('keeps the last owner also where nobody else is left', async () => {
    const group = await openGroup(owner, []);
    expect(await refusal(owner.client().request(LeaveChat, { chatId: group.id }))).toEqual(CONFLICT);
    expect(await rolesIn(group)).toEqual({ [owner.id]: 'OWNER' });
  });

  it('keeps one of two owners who leave at the same moment', async () => {
    for (let round = 1; round <= 20; round += 1) {
      const group = await openGroup(owner, [target]);
      await changeRole(owner, group, target, 'OWNER');
      const both = [owner, target];
      const outcomes = await Promise.allSettled(
        both.map((person, index) => person.client(index).request(LeaveChat, { chatId: group.id })),
      );
      expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
      const stayed = outcomes.findIndex(({ status }) => status === 'rejected');
      expect(outcomes[stayed]).toMatchObject({ reason: CONFLICT });
      const last = both[stayed]!;
      expect(await rolesIn(group, last)).toEqual({ [last.id]: 'OWNER' });
    }
  });
});

describe('changeRole', () => {
  it('raises and lowers, and the new right counts at once', async () => {
    const group = await makeGroup();
    const change = (by: Person, person: Person, role: ChatRole) =>
      by.client(1).request(ChangeRole, { chatId: group.id, userId: person.id, role });
    const { changeRole: answer } = await change(owner, target, 'OWNER');
    expect(answer.members.find(({ user }) => user.id === target.id)?.role).toBe('OWNER');
    await change(target, owner, 'MEMBER');
    expect(await refusal(change(owner, owner, 'OWNER'))).toEqual(FORBIDDEN);
    await change(target, admin, 'MEMBER');
    expect(await refusal(acts.updateChat.attempt(admin, group))).toEqual(FORBIDDEN);
    expect(await rolesIn(group)).toEqual({
      [owner.id]: 'MEMBER',
      [admin.id]: 'MEMBER',
      [member.id]: 'MEMBER',
      [target.id]: 'OWNER',
    });
  });

  it('lets the last owner step down only once somebody else is one', async () => {
    const group = await makeGroup();
    const stepDown = (role: ChatRole) =>
      owner.client().request(ChangeRole, { chatId: group.id, userId: owner.id, role });
    for (const role of ['ADMIN', 'MEMBER'] as const) expect(await refusal(stepDown(role))).toEqual(CONFLICT);
    await stepDown('OWNER');
    await changeRole(owner, group, admin, 'OWNER');
    await stepDown('MEMBER');
    expect(await rolesIn(group)).toMatchObject({ [owner.id]: 'MEMBER', [admin.id]: 'OWNER' });
  });

  it('leaves an owner when two step down, or depose each other, at the same moment', async () => {
    for (let round = 1; round <= 20; round += 1) {
      const group = await openGroup(owner, [target]);
      await changeRole(owner, group, target, 'OWNER');
      const victims = round % 2 === 0 ? [owner, target] : [target, owner];
      await Promise.allSettled(
        [owner, target].map((person, index) =>
          person
            .client(index)
            .request(ChangeRole, { chatId: group.id, userId: victims[index]!.id, role: 'MEMBER' as const }),
        ),
      );
      expect(Object.values(await rolesIn(group)).toSorted()).toEqual(['MEMBER', 'OWNER']);
    }
  });

  it('changes nothing where the role is the same', async () => {
    const group = await makeGroup();
    const before = await look(owner, group);
    await changeRole(owner, group, admin, 'ADMIN');
    expect(await look(owner, group)).toEqual(before);
  });

  it('says the same of a person who is no member and of one who is not there', async () => {
    const group = await makeGroup();
    const raise = (userId: string) => ({ chatId: group.id, userId, role: 'ADMIN' as const });
    await expectHidden(owner, ChangeRole, raise(stranger.id), raise(absentId()));
    await expectHidden(owner, ChangeRole, raise(former.id), raise(absentId()));
  });

  it('refuses an id that is none and a role that is none', async () => {
    const group = await makeGroup();
    const attempt = (userId: string, role: string) =>
      refusal(owner.client().request(ChangeRole, { chatId: group.id, userId, role: role as ChatRole }));
    expect(await attempt('tom', 'ADMIN')).toEqual(badInput('userId'));
    expect(await attempt(target.id, 'KING')).toMatchObject({ code: 'BAD_USER_INPUT' });
    expect(await rolesIn(group)).toMatchObject({ [target.id]: 'MEMBER' });
  });
});

describe('updateChat', () => {
  it('names the group for everybody, and makes it their latest activity', async () => {
    const group = await makeGroup();
    const before = await look(target, group);
    const { updateChat } = await admin
      .client()
      .request(UpdateChat, { input: { chatId: group.id, title: '  Pier 7 🚢 ' } });
    expect(updateChat.title).toBe('Pier 7 🚢');
    const after = await look(target, group);
    expect(after).toMatchObject({ title: 'Pier 7 🚢', unreadCount: 0 });
    expect(after!.updatedAt > before!.updatedAt).toBe(true);
    expect(after!.revision).toBe(before!.revision + 1);
  });

  it('leaves a name that is left out or the same', async () => {
    const group = await makeGroup();
    const before = await look(owner, group);
    for (const input of [{ chatId: group.id }, { chatId: group.id, title: ' The harbour ' }])
      expect((await owner.client().request(UpdateChat, { input })).updateChat.title).toBe('The harbour');
    expect(await look(owner, group)).toEqual(before);
  });

  it.each([
    ['null', null],
    ['empty', ''],
    ['blank', ' \u200b\u00a0'],
    ['121 characters', '🚢'.repeat(121)],
    ['two lines', 'a\r\nb'],
    ['a control character', 'a\u0007'],
    ['NUL', 'a\0'],
    ['half a surrogate pair', '\udea2'],
  ])('refuses a title of %s', async (_what, title) => {
    const group = await makeGroup();
    const attempt = owner.client().request(UpdateChat, { input: { chatId: group.id, title } });
    expect(await refusal(attempt)).toEqual(badInput('input.title'));
    expect((await look(owner, group))?.title).toBe('The harbour');
  });
});

describe('deleteChat', () => {
  it('takes the group and its history from everybody', async () => {
    const group = await makeGroup();
    const first = await send(target, group, 'first');
    const last = await send(owner, group, 'last');
    expect((await owner.client(1).request(DeleteChat, { chatId: group.id })).deleteChat).toBe(true);
    for (const person of [owner, admin, member, target]) {
      expect(await look(person, group)).toBeNull();
      expect(await chatIdsOf(person)).not.toContain(group.id);
      for (const { id } of [first, last])
        expect((await person.client().request(MessageAsSeen, { id })).message).toBeNull();
    }
    expect(await refusal(owner.client().request(DeleteChat, { chatId: group.id }))).toEqual(NOT_FOUND);
    expect(await refusal(send(owner, group, 'anybody?'))).toEqual(NOT_FOUND);
  });

  it.runIf(backend === 'distributed')('leaves no row of it behind', async () => {
    const group = await makeGroup();
    await send(owner, group, 'gone in a moment');
    await owner.client().request(DeleteChat, { chatId: group.id });
    for (const [table, column] of [
      ['chat', 'id'],
      ['chat_member', 'chat_id'],
      ['message', 'chat_id'],
    ])
      expect(await cluster.sql(`SELECT 1 FROM ${table} WHERE ${column} = $1`, [group.id])).toEqual([]);
  });

  it('touches no other chat of its members', async () => {
    const [doomed, kept] = [await makeGroup(), await makeGroup()];
    await send(target, kept, 'still here');
    await owner.client().request(DeleteChat, { chatId: doomed.id });
    expect((await readHistory(member, kept)).map(({ body }) => body)).toEqual(['still here']);
  });
});

describe('a group’s member list', () => {
  it('is in the order in which they came', async () => {
    const group = await openGroup(owner, []);
    for (const person of [stranger, admin, newcomer]) await addMember(owner, group, person);
    await leaveChat(admin, group);
    await addMember(owner, group, admin);
    expect((await look(owner, group))?.members.map(({ user }) => user.id)).toEqual(
      [owner, stranger, newcomer, admin].map(({ id }) => id),
    );
  });
});
