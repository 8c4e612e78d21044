import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createUserStore } from '../../src/features/users/user-store.ts';
import type { UserSearch } from '../../src/features/users/user-store.ts';
import { createClient } from '../support/client.ts';
import { backend, startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { graphql } from '../support/generated/index.ts';
import { openDirectChat, openGroup, registerPerson, send } from '../support/people.ts';
import { openWatched } from '../support/statements.ts';
import type { WatchedDatabase } from '../support/statements.ts';

const Me = graphql(/* GraphQL */ `
  query MyProfile {
    me {
      id
      email
      firstName
      lastName
      avatarUrl
      isOnline
      lastSeenAt
      createdAt
    }
  }
`);

const Somebody = graphql(/* GraphQL */ `
  query Somebody($id: ID!) {
    user(id: $id) {
      id
      email
      firstName
      lastName
    }
  }
`);

const Everywhere = graphql(/* GraphQL */ `
  query SomebodyEverywhere($id: ID!, $chatId: ID!) {
    user(id: $id) {
      ...Shown
    }
    chat(id: $chatId) {
      members {
        user {
          ...Shown
        }
      }
      lastMessage {
        author {
          ...Shown
        }
      }
      messages {
        edges {
          node {
            author {
              ...Shown
            }
          }
        }
      }
    }
  }

  fragment Shown on User {
    id
    email
    firstName
    lastName
    avatarUrl
    createdAt
  }
`);

const Search = graphql(/* GraphQL */ `
  query SearchPeople($search: String!, $first: Int, $after: String) {
    users(search: $search, first: $first, after: $after) {
      edges {
        cursor
        node {
          id
          email
          firstName
          lastName
        }
      }
      pageInfo {
        hasNextPage
        hasPreviousPage
        startCursor
        endCursor
      }
    }
  }
`);

const UpdateProfile = graphql(/* GraphQL */ `
  mutation UpdateProfile($input: UpdateProfileInput!) {
    updateProfile(input: $input) {
      id
      email
      firstName
      lastName
    }
  }
`);

const RegisterAnother = graphql(/* GraphQL */ `
  mutation RegisterAnother($input: RegisterInput!) {
    register(input: $input) {
      user {
        id
        email
      }
    }
  }
`);

const Members = graphql(/* GraphQL */ `
  query EmailsOfMembers($id: ID!) {
    chat(id: $id) {
      members {
        user {
          id
          email
        }
      }
      lastMessage {
        author {
          id
          email
        }
        chat {
          members {
            user {
              id
              email
            }
          }
        }
      }
    }
  }
`);

const Added = graphql(/* GraphQL */ `
  subscription EmailsOfAuthors($chatId: ID!, $afterSeq: Int) {
    messageAdded(chatId: $chatId, afterSeq: $afterSeq) {
      author {
        id
        email
      }
      chat {
        members {
          user {
            id
            email
          }
        }
      }
    }
  }
`);

const ABSENT_ID = '01890000-0000-7000-8000-000000000000';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster();
});
afterAll(() => cluster?.stop());

const nobody = () => createClient(cluster.node(0));
const unauthenticated = { code: 'UNAUTHENTICATED', status: 200, extensions: { reason: 'MISSING' } };

/** A name that nobody else in this file has: letters only, as the search splits at everything else. */
const uniqueName = (start: string) =>
  start + [...randomBytes(8)].map((byte) => String.fromCharCode(97 + (byte % 26))).join('');

describe('me', () => {
  it('is the viewer, with what only they may see', async () => {
    const ann = await registerPerson(cluster, { firstName: 'Ann', lastName: 'Lee' });
    for (const nodeIndex of [0, 1])
      expect((await ann.client(nodeIndex).request(Me)).me).toEqual({
        id: ann.id,
        email: ann.email,
        firstName: 'Ann',
        lastName: 'Lee',
        avatarUrl: null,
        isOnline: false,
        lastSeenAt: null,
        createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      });
  });

  it('is nobody without a token', async () => {
    await expect(nobody().request(Me)).rejects.toMatchObject(unauthenticated);
  });
});

describe('user', () => {
  it('is anybody, by id', async () => {
    const [ann, bob] = [await registerPerson(cluster), await registerPerson(cluster, { firstName: 'Bob' })];
    for (const id of [bob.id, bob.id.toUpperCase()])
      expect((await ann.client(1).request(Somebody, { id })).user).toEqual({
        id: bob.id,
        email: null,
        firstName: 'Bob',
        lastName: 'Lovelace',
      });
  });

  it('is the same wherever they are met', async () => {
    const [ann, bob] = await Promise.all([registerPerson(cluster), registerPerson(cluster)]);
    const chat = await openGroup(ann, [bob]);
    await send(ann, chat, 'hello');
    for (const viewer of [ann, bob]) {
      const { user, chat: seen } = await viewer.client().request(Everywhere, { id: ann.id, chatId: chat.id });
      expect(user).toMatchObject({ id: ann.id, email: viewer === ann ? ann.email : null });
      expect(seen!.members.find((member) => member.user.id === ann.id)!.user).toEqual(user);
      expect(seen!.lastMessage!.author).toEqual(user);
      expect(seen!.messages.edges.map(({ node }) => node.author)).toEqual([user]);
    }
  });

  it('is null when nobody has the id', async () => {
    const ann = await registerPerson(cluster);
    expect(await ann.client().request(Somebody, { id: ABSENT_ID })).toEqual({ user: null });
  });

  it.each(['', '1', 'nonsense', `${ABSENT_ID}0`, `{${ABSENT_ID}}`, ABSENT_ID.replaceAll('-', ''), '\u0000'])(
    'refuses the id %j',
    async (id) => {
      const ann = await registerPerson(cluster);
      await expect(ann.client().request(Somebody, { id })).rejects.toMatchObject({
        code: 'BAD_USER_INPUT',
        status: 200,
        extensions: { field: 'id' },
      });
    },
  );

  it('is for who is signed in', async () => {
    await expect(nobody().request(Somebody, { id: ABSENT_ID })).rejects.toMatchObject(unauthenticated);
  });
});

describe('an e-mail', () => {
  it('is shown to its owner, also by the answer that signs them up', async () => {
    const ann = await registerPerson(cluster);
    expect((await ann.client(1).request(Somebody, { id: ann.id })).user?.email).toBe(ann.email);
    const input = {
      email: `${uniqueName('bob')}@example.test`,
      password: uniqueName('pass'),
      firstName: 'B',
      lastName: 'B',
    };
    expect((await nobody().request(RegisterAnother, { input })).register.user.email).toBe(input.email);
  });

  it('is hidden from everybody else, wherever they meet', async () => {
    const [ann, bob] = [await registerPerson(cluster), await registerPerson(cluster)];
    const chat = await openDirectChat(ann, bob);
    await send(bob, chat, 'hello');
    const seen = (await ann.client().request(Members, { id: chat.id })).chat!;
    const expected = [{ user: { id: ann.id, email: ann.email } }, { user: { id: bob.id, email: null } }];
    expect(seen.members).toHaveLength(2);
    expect(seen.members).toEqual(expect.arrayContaining(expected));
    expect(seen.lastMessage!.author).toEqual({ id: bob.id, email: null });
    expect(seen.lastMessage!.chat.members).toEqual(expect.arrayContaining(expected));
    const found = (await ann.client().request(Search, { search: bob.email })).users.edges;
    expect(found.map(({ node }) => [node.id, node.email])).toEqual([[bob.id, null]]);
  });

  it.each(['ws', 'sse'] as const)('is hidden in what several are told at once (%s)', async (transport) => {
    const [ann, bob, cleo] = [
      await registerPerson(cluster),
      await registerPerson(cluster),
      await registerPerson(cluster),
    ];
    const people = [ann, bob, cleo];
    const chat = await openGroup(ann, [bob, cleo]);
    const streams = await Promise.all(
      people.map((person) => person.client(1).subscribe(Added, { chatId: chat.id, afterSeq: 0 }, { transport })),
    );
    for (const author of [bob, ann]) {
      await send(author, chat, 'who am I?');
      for (const [index, viewer] of people.entries()) {
        const { messageAdded } = await streams[index]!.next();
        expect(messageAdded.author).toEqual({ id: author.id, email: viewer === author ? author.email : null });
        expect(messageAdded.chat.members).toHaveLength(3);
        for (const { user } of messageAdded.chat.members)
          expect(user.email).toBe(user.id === viewer.id ? viewer.email : null);
      }
    }
    await Promise.all(streams.map((stream) => stream.close()));
  });
});

describe('updateProfile', () => {
  it('changes the names for everybody, on every node', async () => {
    const [ann, bob] = [await registerPerson(cluster, { firstName: 'Ann' }), await registerPerson(cluster)];
    const lastName = uniqueName('Marchetti');
    const { updateProfile } = await ann.client().request(UpdateProfile, { input: { firstName: ' Anna ', lastName } });
    expect(updateProfile).toEqual({ id: ann.id, email: ann.email, firstName: 'Anna', lastName });
    expect((await bob.client(1).request(Somebody, { id: ann.id })).user).toMatchObject({ firstName: 'Anna', lastName });
  });

  it('has the person found by the new names, and by the old no more', async () => {
    const [before, after] = [uniqueName('Oldenburg'), uniqueName('Newcastle')];
    const [ann, bob] = [await registerPerson(cluster, { lastName: before }), await registerPerson(cluster)];
    const find = async (search: string) =>
      (await bob.client(1).request(Search, { search })).users.edges.map(({ node }) => node.id);
    expect(await find(before)).toEqual([ann.id]);
    await ann.client().request(UpdateProfile, { input: { lastName: after } });
    expect(await find(before)).toEqual([]);
    expect(await find(after)).toEqual([ann.id]);
  });

  it('leaves alone what is left out', async () => {
    const ann = await registerPerson(cluster, { firstName: 'Ann', lastName: 'Lee' });
    const change = async (input: { firstName?: string; lastName?: string }) =>
      (await ann.client().request(UpdateProfile, { input })).updateProfile;
    expect(await change({ firstName: 'Anna' })).toMatchObject({ firstName: 'Anna', lastName: 'Lee' });
    expect(await change({ lastName: 'Li' })).toMatchObject({ firstName: 'Anna', lastName: 'Li' });
    expect(await change({})).toMatchObject({ firstName: 'Anna', lastName: 'Li' });
  });

  it('takes many changes at once', async () => {
    const ann = await registerPerson(cluster);
    const names = Array.from({ length: 12 }, () => uniqueName('Concorde'));
    await Promise.all(
      names.map((lastName, index) => ann.client(index % 2).request(UpdateProfile, { input: { lastName } })),
    );
    const { me } = await ann.client().request(Me);
    expect(names).toContain(me.lastName);
    const bob = await registerPerson(cluster);
    for (const search of names) {
      const { edges } = (await bob.client().request(Search, { search })).users;
      expect(edges.map(({ node }) => node.id)).toEqual(search === me.lastName ? [ann.id] : []);
    }
  });

  it.each([
    ['firstName', ''],
    ['firstName', ' \u200b '],
    ['firstName', 'x'.repeat(61)],
    ['firstName', null],
    ['lastName', 'Le\ne'],
    ['lastName', 'Le\u0000e'],
    ['lastName', 'Le\udc00e'],
    ['lastName', null],
  ] as const)('refuses %s %j', async (field, value) => {
    const ann = await registerPerson(cluster);
    await expect(ann.client().request(UpdateProfile, { input: { [field]: value } })).rejects.toMatchObject({
      code: 'BAD_USER_INPUT',
      status: 200,
      extensions: { field: `input.${field}` },
    });
    expect((await ann.client().request(Me)).me).toMatchObject({ firstName: 'Ada', lastName: 'Lovelace' });
  });

  it('is for who is signed in', async () => {
    await expect(nobody().request(UpdateProfile, { input: { firstName: 'Eve' } })).rejects.toMatchObject(
      unauthenticated,
    );
  });

  it('is for the viewer’s own profile: nobody else can be named', async () => {
    const [ann, bob] = [await registerPerson(cluster), await registerPerson(cluster, { firstName: 'Bob' })];
    const input = { id: bob.id, firstName: 'Eve' };
    await expect(ann.client().request(UpdateProfile, { input })).rejects.toMatchObject({
      code: 'BAD_USER_INPUT',
      status: 400,
    });
    expect((await ann.client().request(Somebody, { id: bob.id })).user).toMatchObject({ firstName: 'Bob' });
  });
});

describe('users', () => {
  const search = async (text: string, page: { first?: number; after?: string } = {}) =>
    (await viewer.client(1).request(Search, { search: text, ...page })).users;
  const idsFor = async (text: string) => (await search(text)).edges.map(({ node }) => node.id);

  let viewer: Awaited<ReturnType<typeof registerPerson>>;
  beforeAll(async () => {
    viewer = await registerPerson(cluster, { firstName: 'Viewer', lastName: 'Själv' });
  });

  describe('are found', () => {
    let josé: typeof viewer;
    let zoë: typeof viewer;
    let li: typeof viewer;
    beforeAll(async () => {
      josé = await registerPerson(cluster, { firstName: 'José-María', lastName: 'O’Neill Zapatero' });
      zoë = await registerPerson(cluster, { firstName: 'Zoë', lastName: 'Žižková-Zapata' });
      li = await registerPerson(cluster, { firstName: '小龙', lastName: '李' });
    });

    it.each([
      'jos',
      'José',
      'MARÍA',
      'neill',
      'o neill',
      'O’Neill',
      'mar zap',
      'zapatero jose',
      '  jose,  maria  ',
      'jose jo',
    ])('by the beginnings of their words: %j', async (text) => {
      expect(await idsFor(text)).toEqual([josé.id]);
    });

    it.each(['osé', 'eill', 'jose x', 'josé zoë', 'zapateros', 'maria-jose-zoe'])(
      'by nothing else: %j',
      async (text) => {
        expect(await idsFor(text)).toEqual([]);
      },
    );

    it.each(['zoe', 'ZOË', 'Zoe\u0308', 'zizkova', 'Žižková', 'žIŽ zap'])('whatever the accents: %j', async (text) => {
      expect(await idsFor(text)).toEqual([zoë.id]);
    });

    it('in any script', async () => {
      for (const text of ['李', '小', '小龙', '李 小龙']) expect(await idsFor(text)).toEqual([li.id]);
      expect(await idsFor('龙')).toEqual([]);
    });

    it('each once, by name', async () => {
      expect(await idsFor('zap')).toEqual([josé.id, zoë.id]);
    });

    it('by the whole of their e-mail, in any case', async () => {
      for (const text of [zoë.email, zoë.email.toUpperCase(), ` ${zoë.email} `])
        expect(await idsFor(text)).toEqual([zoë.id]);
      for (const text of [zoë.email.slice(0, -1), zoë.email.slice(1), '@example.test'])
        expect(await idsFor(text)).toEqual([]);
    });

    it('but never by themselves', async () => {
      const finder = await registerPerson(cluster);
      const idsForSelf = async (text: string) =>
        (await zoë.client().request(Search, { search: text })).users.edges.map(({ node }) => node.id);
      for (const text of ['zoe', zoë.email]) {
        expect(await idsForSelf(text)).toEqual([]);
        expect((await finder.client().request(Search, { search: text })).users.edges).toHaveLength(1);
      }
    });
  });

  it.each(['%', '_', '%%', 'Wal%', 'W_lburga', '%burga', 'Walburg_', '*', '.*', '---', '\\', "'", '"', ';--', '😶‍🌫️'])(
    'are not found by %j: it stands for nothing but itself',
    async (text) => {
      await registerPerson(cluster, { firstName: 'Walburga', lastName: 'Pike' });
      const expected = text === 'Wal%' || text === 'Walburg_' ? await idsFor('walburg') : [];
      expect(await idsFor(text)).toEqual(expected);
    },
  );

  it.each(['', '   ', '\u200b', '\n\t'])('are not searched by the blank %j', async (text) => {
    await expect(search(text)).rejects.toMatchObject({
      code: 'BAD_USER_INPUT',
      status: 200,
      extensions: { field: 'search' },
    });
  });

  it.each(['x'.repeat(201), 'a\u0000b', 'a\ud800b'])('are not searched by %j', async (text) => {
    await expect(search(text)).rejects.toMatchObject({ code: 'BAD_USER_INPUT', extensions: { field: 'search' } });
  });

  it('are for who is signed in', async () => {
    await expect(nobody().request(Search, { search: 'zoe' })).rejects.toMatchObject(unauthenticated);
  });

  describe('by pages', () => {
    const family = uniqueName('Quillon');
    let ids: string[];
    beforeAll(async () => {
      const firstNames = ['Cy', 'al', 'Di', 'Al', 'bo', 'Al', 'Ed', 'Cy', 'Flo'];
      const people = await Promise.all(
        firstNames.map((firstName) => registerPerson(cluster, { firstName, lastName: family })),
      );
      const key = ({ firstName, id }: { firstName: string; id: string }) => `${firstName.toLowerCase()} ${id}`;
      ids = people.toSorted((a, b) => (key(a) < key(b) ? -1 : 1)).map(({ id }) => id);
    });

    it.each([1, 2, 4, 9, 100])('of %i, each of them comes once and in order', async (first) => {
      const seen: string[] = [];
      let after: string | undefined;
      for (;;) {
        const { edges, pageInfo } = await search(family, { first, ...(after !== undefined && { after }) });
        expect(edges.length).toBeLessThanOrEqual(first);
        expect(pageInfo.hasPreviousPage).toBe(after !== undefined);
        expect(pageInfo.startCursor).toBe(edges[0]!.cursor);
        expect(pageInfo.endCursor).toBe(edges.at(-1)!.cursor);
        seen.push(...edges.map(({ node }) => node.id));
        if (!pageInfo.hasNextPage) break;
        expect(edges).toHaveLength(first);
        after = pageInfo.endCursor!;
      }
      expect(seen).toEqual(ids);
    });

    it('end with an empty page', async () => {
      const last = (await search(family, { first: 100 })).pageInfo.endCursor!;
      expect(await search(family, { after: last })).toEqual({
        edges: [],
        pageInfo: { hasNextPage: false, hasPreviousPage: true, startCursor: null, endCursor: null },
      });
    });

    it.each([0, -1, 101, 2_147_483_647])('are never of %i', async (first) => {
      await expect(search(family, { first })).rejects.toMatchObject({
        code: 'BAD_USER_INPUT',
        extensions: { field: 'first' },
      });
    });

    const cursor = (text: string) => Buffer.from(text).toString('base64url');
    it.each([
      '',
      'garbage',
      cursor('user:'),
      cursor('user:7'),
      cursor(`user:${'-'.repeat(36)}`),
      cursor(`user:${'a'.repeat(36)}`),
      cursor(`message:1`),
      'x'.repeat(5_000),
    ])('never begin behind %j', async (after) => {
      await expect(search(family, { after })).rejects.toMatchObject({
        code: 'BAD_USER_INPUT',
        extensions: { field: 'after' },
      });
    });
  });
});

describe.runIf(backend === 'distributed')('a search among 20,000 people', () => {
  let database: WatchedDatabase;

  beforeAll(async () => {
    await cluster.sql(`
      WITH people AS (
        INSERT INTO app_user (id, email, password_hash, first_name, last_name)
        SELECT gen_random_uuid(), 'crowd-' || n || '@example.test', '-',
          initcap(translate(to_char(n % 400, 'FM000'), '0123456789', 'aeioubcdfg')) || 'nna',
          initcap(translate(to_char(n / 4, 'FM0000'), '0123456789', 'klmnoprstu')) || 'sson'
        FROM generate_series(1, 20000) n
        RETURNING id, first_name, last_name
      )
      INSERT INTO user_name_word (word, user_id)
      SELECT lower(first_name), id FROM people UNION SELECT lower(last_name), id FROM people`);
    await cluster.sql('ANALYZE app_user, user_name_word');
    database = await openWatched(cluster.databaseUrl!);
  });
  afterAll(() => database?.close());

  /** What the store really asks, and how PostgreSQL would go about it. */
  async function plansOf(search: Omit<UserSearch, 'except'>) {
    const { prisma, query, statements } = database;
    statements.length = 0;
    const { items } = await createUserStore(prisma, query).search({ ...search, except: ABSENT_ID });
    const plans: string[] = [];
    for (const { text, values } of statements) {
      const rows = await cluster.sql(`EXPLAIN ${text}`, values);
      plans.push(rows.map((row) => row['QUERY PLAN']).join('\n'));
    }
    return { items, plans };
  }

  const page = { limit: 20, direction: 'forward' as const, after: null, before: null };

  it.each<[what: string, search: Omit<UserSearch, 'except'>]>([
    ['a name', { words: ['eeanna'], email: 'eeanna', page }],
    ['the beginning of a name', { words: ['lmn'], email: 'lmn', page }],
    ['two words', { words: ['eea', 'k'], email: 'eea k', page }],
    ['an e-mail', { words: ['crowd', '77', 'example', 'test'], email: 'crowd-77@example.test', page }],
  ])('reads no table from end to end for %s', async (_what, search) => {
    const { items, plans } = await plansOf(search);
    expect(items.length).toBeGreaterThan(0);
    expect(plans.length).toBeGreaterThan(0);
    for (const plan of plans) expect(plan).not.toContain('Seq Scan');
    const after = await plansOf({ ...search, page: { ...page, after: items[0]!.id } });
    for (const plan of after.plans) expect(plan).not.toContain('Seq Scan');
  });

  it('would show a table that is read from end to end', async () => {
    const rows = await cluster.sql(`EXPLAIN SELECT id FROM app_user WHERE first_name LIKE '%eea%'`);
    expect(rows.map((row) => row['QUERY PLAN']).join('\n')).toContain('Seq Scan on app_user');
  });
});
