import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createClient } from '../support/client.ts';
import { backend, startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { deviceOf, renew, signIn } from '../support/devices.ts';
import { graphql } from '../support/generated/index.ts';
import type { ChatRole } from '../support/generated/graphql.ts';
import { openDirectChat, openGroup, registerPerson, send } from '../support/people.ts';
import type { Person } from '../support/people.ts';
import { eventually, within } from '../support/wait.ts';

const DeleteAccount = graphql(/* GraphQL */ `
  mutation DeleteAccount($password: String!) {
    deleteAccount(password: $password)
  }
`);

const ChangePassword = graphql(/* GraphQL */ `
  mutation ChangePasswordOfLeaving($currentPassword: String!, $newPassword: String!) {
    changePassword(currentPassword: $currentPassword, newPassword: $newPassword)
  }
`);

const WhoAmI = graphql(/* GraphQL */ `
  query WhoIsLeft {
    me {
      id
    }
  }
`);

const Somebody = graphql(/* GraphQL */ `
  query SomebodyDeleted($id: ID!, $search: String!, $token: String!) {
    user(id: $id) {
      id
    }
    users(search: $search) {
      edges {
        node {
          id
        }
      }
    }
    verifyToken(token: $token)
  }
`);

const Chat = graphql(/* GraphQL */ `
  query ChatAfterDeletion($id: ID!) {
    chat(id: $id) {
      kind
      members {
        role
        user {
          id
        }
      }
      messages {
        edges {
          node {
            seq
            body
            clientId
            author {
              id
            }
          }
        }
      }
      lastMessage {
        body
        author {
          id
        }
      }
    }
  }
`);

const Chats = graphql(/* GraphQL */ `
  query ChatsAfterDeletion {
    chats {
      edges {
        node {
          id
        }
      }
    }
  }
`);

const AddMember = graphql(/* GraphQL */ `
  mutation AddToSucceed($chatId: ID!, $userIds: [ID!]!) {
    addMembers(chatId: $chatId, userIds: $userIds) {
      id
    }
  }
`);

const ChangeRole = graphql(/* GraphQL */ `
  mutation ChangeRoleToSucceed($chatId: ID!, $userId: ID!, $role: ChatRole!) {
    changeRole(chatId: $chatId, userId: $userId, role: $role) {
      id
    }
  }
`);

const Added = graphql(/* GraphQL */ `
  subscription AddedAfterDeletion($chatId: ID!, $afterSeq: Int) {
    messageAdded(chatId: $chatId, afterSeq: $afterSeq) {
      body
      author {
        id
      }
    }
  }
`);

const Updated = graphql(/* GraphQL */ `
  subscription ChatsDuringDeletion {
    chatUpdated {
      id
      title
      members {
        role
        user {
          id
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

const remove = (person: Person, nodeIndex = 0) =>
  person.client(nodeIndex).request(DeleteAccount, { password: person.password });

const readChat = async (viewer: Person, { id }: { id: string }) => (await viewer.client(1).request(Chat, { id })).chat!;

const rolesIn = async (viewer: Person, chat: { id: string }): Promise<Record<string, ChatRole>> =>
  Object.fromEntries((await readChat(viewer, chat)).members.map(({ user, role }) => [user.id, role]));

describe('deleteAccount', () => {
  it('leaves the messages, without an author, and takes the memberships', async () => {
    const [ann, bob, cleo] = [
      await registerPerson(cluster),
      await registerPerson(cluster),
      await registerPerson(cluster),
    ];
    const chat = await openGroup(bob, [ann, cleo]);
    await send(bob, chat, 'who was there?');
    await send(ann, chat, 'I was', { clientId: 'a-1' });
    await send(ann, chat, 'with Cleo');

    expect(await remove(ann)).toEqual({ deleteAccount: true });

    for (const viewer of [bob, cleo]) {
      const { members, messages, lastMessage } = await readChat(viewer, chat);
      expect(members.map(({ user }) => user.id).toSorted()).toEqual([bob.id, cleo.id].toSorted());
      expect(messages.edges.map(({ node }) => node)).toEqual([
        { seq: 1, body: 'who was there?', clientId: null, author: { id: bob.id } },
        { seq: 2, body: 'I was', clientId: 'a-1', author: null },
        { seq: 3, body: 'with Cleo', clientId: null, author: null },
      ]);
      expect(lastMessage).toEqual({ body: 'with Cleo', author: null });
    }
    const live = await cleo.client(1).subscribe(Added, { chatId: chat.id, afterSeq: 1 });
    expect((await live.take(2)).map(({ messageAdded }) => messageAdded.author)).toEqual([null, null]);
    expect((await send(bob, chat, 'gone')).seq).toBe(4);
    expect((await live.next()).messageAdded).toEqual({ body: 'gone', author: { id: bob.id } });
    await live.close();
  });

  it('leaves a direct chat to the other', async () => {
    const [ann, bob] = [await registerPerson(cluster), await registerPerson(cluster)];
    const chat = await openDirectChat(ann, bob);
    await send(ann, chat, 'farewell');
    await remove(ann);
    expect(await readChat(bob, chat)).toMatchObject({
      kind: 'DIRECT',
      members: [{ role: 'MEMBER', user: { id: bob.id } }],
      messages: { edges: [{ node: { body: 'farewell', author: null } }] },
    });
    expect((await bob.client().request(Chats)).chats.edges).toEqual([{ node: { id: chat.id } }]);
  });

  it('is seen by those who listen', async () => {
    const [ann, bob] = [await registerPerson(cluster), await registerPerson(cluster)];
    const chat = await openGroup(ann, [bob], 'The mole');
    const live = await bob.client(1).subscribe(Updated, {});
    // Until the subscription is live, nothing is told of.
    const news = live.next();
    let told = false;
    void news.then(() => (told = true));
    await eventually(async () => {
      await send(ann, chat, 'are you listening?');
      expect(told).toBe(true);
    });
    await remove(ann);
    await eventually(async () => {
      const { chatUpdated } = await live.next();
      expect(chatUpdated).toEqual({
        id: chat.id,
        title: 'The mole',
        members: [{ role: 'OWNER', user: { id: bob.id } }],
      });
    });
    await live.close();
  });

  it('ends every session on every node, and nobody else’s', async () => {
    const [ann, bob] = [await registerPerson(cluster), await registerPerson(cluster)];
    const chat = await openDirectChat(ann, bob);
    await send(ann, chat, 'hello');
    const devices = [deviceOf(cluster, ann), await signIn(cluster, ann)];
    const live = await Promise.all(
      devices.map(async (device) => {
        const socket = await device.client(1).openSocket();
        const variables = { chatId: chat.id, afterSeq: 0 };
        const streams = [
          socket.subscribe(Added, variables),
          await device.client(1).subscribe(Added, variables, { transport: 'sse' }),
        ];
        await Promise.all(streams.map((stream) => stream.next()));
        return { socket, streams };
      }),
    );
    const neighbour = await bob.client(1).subscribe(Added, { chatId: chat.id, afterSeq: 1 });

    await remove(ann);

    const closes = Promise.all(live.map(({ socket }) => socket.closed));
    for (const closed of await within(closes, 2_000, 'the close of the live sockets'))
      expect(closed).toEqual({ code: 4401, reason: 'Session revoked' });
    // Of the session and of the membership, either may be noticed first.
    const ends = Promise.all(live.flatMap(({ streams }) => streams.map((stream) => stream.end)));
    for (const end of await within(ends, 2_000, 'the end of the live streams'))
      expect(end).toMatchObject({
        kind: 'error',
        errors: [{ extensions: { code: expect.stringMatching(/^(UNAUTHENTICATED|NOT_FOUND)$/) } }],
      });
    for (const { client, refreshToken } of devices) {
      await eventually(
        async () => {
          for (const nodeIndex of [0, 1])
            await expect(client(nodeIndex).request(WhoAmI)).rejects.toMatchObject({
              code: 'UNAUTHENTICATED',
              status: 401,
            });
        },
        { deadlineMs: 2_000 },
      );
      await expect(renew(cluster, refreshToken, 1)).rejects.toMatchObject({ code: 'INVALID_REFRESH_TOKEN' });
    }
    await expect(signIn(cluster, ann)).rejects.toMatchObject({ code: 'INVALID_CREDENTIALS' });

    await send(bob, chat, 'still here');
    expect((await neighbour.next()).messageAdded.body).toBe('still here');
    await neighbour.close();
  });

  it('leaves nobody to find', async () => {
    const [ann, bob] = [await registerPerson(cluster), await registerPerson(cluster)];
    const variables = { id: ann.id, search: ann.email, token: ann.refreshToken };
    expect(await bob.client(1).request(Somebody, variables)).toEqual({
      user: { id: ann.id },
      users: { edges: [{ node: { id: ann.id } }] },
      verifyToken: true,
    });
    await remove(ann);
    expect(await bob.client(1).request(Somebody, variables)).toEqual({
      user: null,
      users: { edges: [] },
      verifyToken: false,
    });
  });

  it('frees the e-mail: who signs up with it is somebody else', async () => {
    const [ann, bob] = [await registerPerson(cluster), await registerPerson(cluster)];
    const chat = await openDirectChat(ann, bob);
    await send(ann, chat, 'from the first Ann');
    await remove(ann);
    const again = await registerPerson(cluster, { email: ann.email, password: ann.password });
    expect(again.id).not.toBe(ann.id);
    expect((await again.client(1).request(Chats)).chats.edges).toEqual([]);
    expect(await again.client().request(Chat, { id: chat.id })).toEqual({ chat: null });
    expect((await readChat(bob, chat)).lastMessage).toEqual({ body: 'from the first Ann', author: null });
    const fresh = await openDirectChat(again, bob);
    expect(fresh.id).not.toBe(chat.id);
  });

  it.each(['', 'not the password', 'x'.repeat(9_000), '\u0000'])(
    'refuses the password %j, and changes nothing',
    async (password) => {
      const [ann, bob] = [await registerPerson(cluster), await registerPerson(cluster)];
      const chat = await openGroup(ann, [bob]);
      await expect(ann.client().request(DeleteAccount, { password })).rejects.toMatchObject({
        code: 'INVALID_CREDENTIALS',
        status: 200,
        extensions: { field: 'password' },
      });
      expect((await ann.client(1).request(WhoAmI)).me.id).toBe(ann.id);
      expect(await rolesIn(bob, chat)).toEqual({ [ann.id]: 'OWNER', [bob.id]: 'MEMBER' });
    },
  );

  it('refuses to go without a password', async () => {
    const ann = await registerPerson(cluster);
    await expect(ann.client().request(DeleteAccount, {} as { password: string })).rejects.toMatchObject({
      code: 'BAD_USER_INPUT',
      status: 400,
    });
  });

  it('is for who is signed in', async () => {
    const ann = await registerPerson(cluster);
    await expect(
      createClient(cluster.node(0)).request(DeleteAccount, { password: ann.password }),
    ).rejects.toMatchObject({ code: 'UNAUTHENTICATED', status: 200 });
    expect((await ann.client().request(WhoAmI)).me.id).toBe(ann.id);
  });

  it('is for the viewer’s own account: another’s password does not do', async () => {
    const [ann, bob] = [await registerPerson(cluster), await registerPerson(cluster)];
    await expect(ann.client().request(DeleteAccount, { password: bob.password })).rejects.toMatchObject({
      code: 'INVALID_CREDENTIALS',
    });
    for (const person of [ann, bob]) expect((await person.client().request(WhoAmI)).me.id).toBe(person.id);
  });
});

it('comes to its end, however often somebody lets the person in again', { timeout: 60_000 }, async () => {
  const [ann, bob] = [await registerPerson(cluster), await registerPerson(cluster)];
  const chats = await Promise.all(Array.from({ length: 20 }, () => openGroup(bob, [ann])));
  let isOver = false;
  const answers = new Set<string>();
  const letInAgain = async ({ id: chatId }: { id: string }) => {
    while (!isOver)
      await bob
        .client(1)
        .request(AddMember, { chatId, userIds: [ann.id] })
        .catch(({ code }: { code: string }) => answers.add(code));
  };
  const attempts = chats.map(letInAgain);
  try {
    expect(await remove(ann)).toEqual({ deleteAccount: true });
  } finally {
    isOver = true;
    await Promise.all(attempts);
  }
  // A member already, and absent.
  for (const code of answers) expect(['CONFLICT', 'NOT_FOUND']).toContain(code);
  for (const chat of chats) expect(await rolesIn(bob, chat)).toEqual({ [bob.id]: 'OWNER' });
});

describe.runIf(backend === 'distributed')('somebody who wrote much', () => {
  const MESSAGES = 400_000;

  const leftOf = async (person: Person, chat: { id: string }) => {
    const [row] = await cluster.sql<{ accounts: number; linked: number; kept: number }>(
      `SELECT (SELECT count(*)::int FROM app_user WHERE id = $1) AS accounts,
        (SELECT count(*)::int FROM message WHERE author_id = $1) AS linked,
        (SELECT count(*)::int FROM message WHERE chat_id = $2) AS kept`,
      [person.id, chat.id],
    );
    return row!;
  };

  it('goes too: more than is unlinked before one statement is cut off', { timeout: 120_000 }, async () => {
    const [ann, bob] = [await registerPerson(cluster), await registerPerson(cluster)];
    const chat = await openGroup(bob, [ann]);
    await cluster.sql(
      `INSERT INTO message (id, chat_id, seq, author_id, body)
        SELECT gen_random_uuid(), $1, n, $2, 'much' FROM generate_series(1, $3::int) n`,
      [chat.id, ann.id, MESSAGES],
    );
    await cluster.sql('UPDATE chat SET last_seq = $2 WHERE id = $1', [chat.id, MESSAGES]);
    // On a slow machine the answer may be that it takes too long: it goes on.
    await remove(ann).catch((error: unknown) => expect(error).toMatchObject({ code: 'TIMEOUT' }));
    await eventually(async () => expect(await leftOf(ann, chat)).toEqual({ accounts: 0, linked: 0, kept: MESSAGES }), {
      deadlineMs: 90_000,
      everyMs: 500,
    });
    expect((await readChat(bob, chat)).lastMessage).toEqual({ body: 'much', author: null });
  });
});

describe('a group whose owner’s account goes', () => {
  /** They join one after the other, in this order. */
  async function group(...roles: ChatRole[]) {
    const owner = await registerPerson(cluster);
    const chat = await openGroup(owner, []);
    const members: Person[] = [];
    for (const role of roles) {
      const member = await registerPerson(cluster);
      await owner.client().request(AddMember, { chatId: chat.id, userIds: [member.id] });
      if (role !== 'MEMBER') await owner.client().request(ChangeRole, { chatId: chat.id, userId: member.id, role });
      members.push(member);
    }
    return { owner, chat, members };
  }

  it.each<[what: string, before: ChatRole[], after: ChatRole[]]>([
    ['the longest-standing admin', ['MEMBER', 'ADMIN', 'ADMIN'], ['MEMBER', 'OWNER', 'ADMIN']],
    ['without an admin, the longest-standing member', ['MEMBER', 'MEMBER', 'MEMBER'], ['OWNER', 'MEMBER', 'MEMBER']],
    ['nobody, where there is another owner', ['MEMBER', 'ADMIN', 'OWNER'], ['MEMBER', 'ADMIN', 'OWNER']],
  ])('goes to %s', async (_what, before, after) => {
    const { owner, chat, members } = await group(...before);
    await remove(owner);
    const roles = await rolesIn(members[0]!, chat);
    expect(members.map(({ id }) => roles[id])).toEqual(after);
    expect(Object.keys(roles)).toHaveLength(members.length);
  });

  it('stays as it is when a member’s goes', async () => {
    const { owner, chat, members } = await group('ADMIN', 'MEMBER');
    await remove(members[0]!);
    expect(await rolesIn(owner, chat)).toEqual({ [owner.id]: 'OWNER', [members[1]!.id]: 'MEMBER' });
  });

  it('has an owner also when several go at once', async () => {
    const groups = [await group(), await group(), await group()];
    const owners = groups.map(({ owner }) => owner);
    const last = await registerPerson(cluster);
    for (const { owner, chat } of groups)
      for (const { id } of [...owners, last])
        if (id !== owner.id) await owner.client().request(AddMember, { chatId: chat.id, userIds: [id] });
    await Promise.all(owners.map((owner, index) => remove(owner, index % 2)));
    for (const { chat } of groups) expect(await rolesIn(last, chat)).toEqual({ [last.id]: 'OWNER' });
  });

  it.runIf(backend === 'distributed')('goes too, when nobody is left', async () => {
    const [ann, bob] = [await registerPerson(cluster), await registerPerson(cluster)];
    const chats = [await openGroup(ann, []), await openGroup(ann, [bob]), await openDirectChat(ann, bob)];
    for (const chat of chats) await send(ann, chat, 'anybody?');
    const ids = chats.map(({ id }) => id);
    const left = async (table: 'chat' | 'message') => {
      const column = table === 'chat' ? 'id' : 'chat_id';
      const rows = await cluster.sql<{ id: string }>(
        `SELECT ${column} AS id FROM ${table} WHERE ${column} = ANY($1::uuid[])`,
        [ids],
      );
      return rows.map(({ id }) => id).toSorted();
    };
    await remove(ann);
    expect(await left('chat')).toEqual(ids.slice(1).toSorted());
    expect(await left('message')).toEqual(ids.slice(1).toSorted());
    await remove(bob);
    expect(await left('chat')).toEqual([]);
    expect(await left('message')).toEqual([]);
  });
});

describe.runIf(backend === 'distributed')('while the account goes, or its password,', () => {
  /** Answers what becomes of an attempt whose statement waits for a change of the account that is under way. */
  async function meanwhile(change: string, person: Person, attempt: () => Promise<unknown>, statement: string) {
    const other = new pg.Client({ connectionString: cluster.databaseUrl! });
    await other.connect();
    try {
      await other.query('BEGIN');
      await other.query(change, [person.id]);
      const outcome = attempt().then(
        () => 'done',
        (error: { code: string }) => error.code,
      );
      await eventually(
        async () => {
          const waiting = await cluster.sql(
            `SELECT 1 FROM pg_stat_activity
              WHERE datname = current_database() AND wait_event_type = 'Lock' AND query ILIKE $1`,
            [`%${statement}%`],
          );
          expect(waiting).toHaveLength(1);
        },
        { deadlineMs: 4_000 },
      );
      await other.query('COMMIT');
      return await outcome;
    } finally {
      await other.end();
    }
  }

  const GOES = 'DELETE FROM app_user WHERE id = $1';
  const CHANGES = `UPDATE app_user SET password_hash = 'another' WHERE id = $1`;

  it('a login is refused as one to an account that never was', async () => {
    const ann = await registerPerson(cluster);
    expect(await meanwhile(GOES, ann, () => signIn(cluster, ann), 'INSERT INTO session')).toBe('INVALID_CREDENTIALS');
  });

  it.each([GOES, CHANGES])('a change of the password is refused as with a wrong one (%s)', async (change) => {
    const ann = await registerPerson(cluster);
    const attempt = () =>
      ann.client().request(ChangePassword, { currentPassword: ann.password, newPassword: 'copper-lantern-1' });
    expect(await meanwhile(change, ann, attempt, 'UPDATE%app_user')).toBe('INVALID_CREDENTIALS');
  });

  it('a deletion with the old one is refused, and deletes nothing', async () => {
    const ann = await registerPerson(cluster);
    expect(await meanwhile(CHANGES, ann, () => remove(ann), 'UPDATE app_user')).toBe('INVALID_CREDENTIALS');
    expect((await ann.client().request(WhoAmI)).me.id).toBe(ann.id);
  });

  it('a change of the password is refused once the account is leaving', async () => {
    for (let round = 0; round < 4; round += 1) {
      const ann = await registerPerson(cluster);
      const changing = ann
        .client(1)
        .request(ChangePassword, { currentPassword: ann.password, newPassword: 'copper-lantern-1' });
      const outcomes = await Promise.allSettled([remove(ann), changing]);
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    }
  });
});
