import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSchema } from '../../src/graphql/schema.ts';
import { createAsker } from '../support/asker.ts';
import type { Asker, Way } from '../support/asker.ts';
import { ACTORS, gatherCast, openGroupOf } from '../support/cast.ts';
import type { Actor, Cast, Group } from '../support/cast.ts';
import { startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { startIdentityProvider } from '../support/identity-provider.ts';
import type { IdentityProvider } from '../support/identity-provider.ts';
import { addMember, removeMember } from '../support/membership.ts';
import { openGroup, send, SendMessage, signInPerson } from '../support/people.ts';
import { NOT_FOUND, refusal } from '../support/refusals.ts';
import { fieldsOf, objectTypes, readTable, rootFields, selectAll, visitAnswer } from '../support/schema-walk.ts';
import type { RootField } from '../support/schema-walk.ts';

/*
 * Who sees which field of the group and of its owner, by whatever path of the schema. A field that is new to the
 * schema has to be put here.
 */
const AUDIENCES = readTable<'who' | Actor>(`
  who          | anonymous | stranger | former | member | admin | owner
  members      |     -     |    -     |   -    |   +    |   +   |   +
  signed in    |     -     |    +     |   +    |   +    |   +   |   +
  themself     |     -     |    -     |   -    |   -    |   -   |   +
  who signs in |     -     |    -     |   -    |   -    |   -   |   -
`);

const FIELDS = readTable<'type' | 'who' | 'fields'>(`
  type              | who          | fields
  AuthPayload       | who signs in | accessToken accessTokenExpiresAt refreshToken refreshTokenExpiresAt user
  Chat              | members      | changeCursor createdAt id kind lastMessage members messages revision title
  Chat              | members      | unreadCount updatedAt
  ChatConnection    | members      | changeCursor edges pageInfo
  ChatEdge          | members      | cursor node
  ChatMember        | members      | joinedAt lastReadSeq role user
  LinkedIdentity    | themself     | issuer linkedAt
  Message           | members      | author body chat clientId createdAt cursor deletedAt editedAt extraData id isRead
  Message           | members      | revision seq type
  MessageConnection | members      | edges pageInfo
  MessageEdge       | members      | cursor node
  PageInfo          | signed in    | endCursor hasNextPage hasPreviousPage startCursor
  Session           | themself     | createdAt deviceName id isCurrent lastUsedAt
  User              | signed in    | avatarUrl createdAt firstName id isOnline lastName lastSeenAt
  User              | themself     | email
  UserConnection    | signed in    | edges pageInfo
  UserEdge          | signed in    | cursor node
`).flatMap(({ type, who, fields }) => fields.split(' ').map((field) => ({ name: `${type}.${field}`, who })));

/** Of these, null says as much as any value: no picture, online now. */
const NULL_TELLS = ['User.avatarUrl', 'User.lastSeenAt'];

const schema = createSchema();
const roots = rootFields(schema);
const rootOf = (name: string) => roots.find((root) => root.name === name)!;

/** What nobody else should ever read. */
const SECRETS = { title: 'a title of ours', body: 'a word among us', clientId: 'a client id', extra: 'an attachment' };

let cluster: Cluster;
let provider: IdentityProvider;
let cast: Cast;
let group: Group;
let asker: Asker;
/** Of all objects that the table is about. */
let ids: Set<string>;

beforeAll(async () => {
  provider = await startIdentityProvider();
  cluster = await startCluster({ nodes: 1, env: provider.env });
  asker = createAsker(cluster);
  cast = await gatherCast(cluster);
  group = await openGroupOf(cast, SECRETS.title);
  const { owner, member } = cast.people;
  const { body, clientId, extra } = SECRETS;
  const said = await send(owner, group, body, { clientId, extraData: { extra } });
  await member.client().request(DELETE, { id: group.messages.member });
  await owner.client().request(LINK, { input: { idToken: provider.issue(), password: owner.password } });
  const { sessions } = (await owner.client().request('{ sessions { id } }')) as { sessions: Array<{ id: string }> };
  ids = new Set([owner.id, group.id, said.id, ...Object.values(group.messages), ...sessions.map(({ id }) => id)]);
});
afterAll(async () => {
  await asker?.close();
  await cluster?.stop();
  await provider?.close();
});

const LINK = 'mutation ($input: LinkProviderInput!) { linkProvider(input: $input) }';
const DELETE = 'mutation ($id: ID!) { deleteMessage(messageId: $id) { id } }';

/** Every way in to the group and its owner, and some that change nothing on the way. */
const doorsOf = (actor: Actor): Array<[name: string, args: Record<string, unknown>]> => [
  ['Query.chat', { id: group.id }],
  ['Query.chats', { first: 20 }],
  ['Query.identities', {}],
  ['Query.me', {}],
  ...[...ids].map((id): [string, Record<string, unknown>] => ['Query.message', { id }]),
  ['Query.sessions', {}],
  ['Query.user', { id: cast.people.owner.id }],
  ['Query.users', { search: 'Cast' }],
  ['Query.users', { search: cast.people.owner.email }],
  ['Mutation.markRead', { chatId: group.id, seq: 0 }],
  ['Mutation.updateProfile', { input: {} }],
  ['Mutation.createChat', { input: { memberIds: [cast.pat.id] } }],
  ['Subscription.chatUpdated', { after: cast.beginnings[actor === 'anonymous' ? 'owner' : actor] }],
  ['Subscription.messageAdded', { chatId: group.id, afterSeq: 0 }],
  ['Subscription.messageUpdated', { chatId: group.id, afterRevision: 0 }],
];

describe('the table', () => {
  it('has every field of every object type of the schema', () => {
    const all = objectTypes(schema).flatMap((type) => fieldsOf(type).map((field) => `${type.name}.${field.name}`));
    expect(FIELDS.map(({ name }) => name).toSorted()).toEqual(all.toSorted());
  });
});

describe.each(['http', 'websocket'] as const)('over %s', (way) => {
  it.each(ACTORS)('the %s sees what the table says, and nobody else’s e-mail', async (actor) => {
    const answers = await readEverything(way, actor);
    const seen = new Set(answers.flatMap(({ root, data }) => seenIn(root, data)));
    expect([...seen].toSorted()).toEqual(visibleTo(actor).toSorted());
    const texts = answers.map(({ text }) => text).join('\n');
    const own = actor === 'anonymous' ? [] : [cast.people[actor].email];
    expect([...new Set(texts.match(/[\w-]+@example\.test/g))]).toEqual(own);
    if (!seen.has('Chat.id')) for (const secret of Object.values(SECRETS)) expect(texts).not.toContain(secret);
  });
});

function visibleTo(actor: Actor): string[] {
  const audiences = AUDIENCES.filter((row) => row[actor] === '+').map(({ who }) => who);
  return FIELDS.filter(({ who }) => audiences.includes(who)).map(({ name }) => name);
}

async function readEverything(way: Way, actor: Actor) {
  const who = actor === 'anonymous' ? null : cast.people[actor];
  return Promise.all(
    doorsOf(actor).map(async ([name, args]) => {
      const root = rootOf(name);
      const { text, data, errors } = await asker.ask(way, who, root, args, selectAll(root.field));
      const codes = errors?.map(({ extensions }) => extensions?.['code']) ?? [];
      for (const code of codes) expect(['UNAUTHENTICATED', 'NOT_FOUND'], name).toContain(code);
      return { root, text, data: data?.[root.field.name] as unknown };
    }),
  );
}

const idsIn = (answer: unknown) =>
  JSON.stringify(answer ?? null).match(/[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}/g) ?? [];

/** The fields that told something of the group or of its owner. */
function seenIn(root: RootField, answer: unknown): string[] {
  const found: string[] = [];
  // Of people in general, since nobody finds themself; of chats only where theirs is among them. Nobody else is linked.
  const isOfList = ['Query.users', 'Query.identities'].includes(root.name) || idsIn(answer).some((id) => ids.has(id));
  visitAnswer(root.field, answer, (type, field, value, path) => {
    const nearest = path.find((object): object is { id: string } => 'id' in object);
    const isAboutThem = nearest ? ids.has(nearest.id) : isOfList;
    const name = `${type.name}.${field.name}`;
    if (isAboutThem && (value !== null || NULL_TELLS.includes(name))) found.push(name);
  });
  return found;
}

describe('who signs in', () => {
  it.each(['register', 'login', 'loginWithProvider', 'refresh'])(
    'by %s sees all of it, and their own e-mail',
    async (name) => {
      const root = rootOf(`Mutation.${name}`);
      const args = {
        register: {
          input: { email: 'rae@example.test', password: 'copper lantern 7', firstName: 'Rae', lastName: 'New' },
        },
        login: { input: { email: cast.pat.email, password: cast.pat.password } },
        loginWithProvider: {
          input: { idToken: provider.issue({ claims: { email: 'zoe@example.test', email_verified: true } }) },
        },
        refresh: { refreshToken: (await signInPerson(cluster, cast.pat)).refreshToken },
      }[name]!;
      const { data } = await asker.ask('http', null, root, args, selectAll(root.field));
      const own = { register: 'rae@example.test', loginWithProvider: 'zoe@example.test' }[name] ?? cast.pat.email;
      expect(data[name].user.email).toBe(own);
      for (const { name: field, who } of FIELDS)
        if (who === 'who signs in') expect(data[name][field.split('.')[1]!], field).toBeTruthy();
    },
  );
});

describe('what a former member has kept', () => {
  it('opens nothing', async () => {
    const { owner, former } = cast.people;
    const kept = await openGroup(owner, [former]);
    const message = await send(former, kept, 'while I was here', { clientId: 'mine' });
    const before = (await former.client().request(LIST)) as any;
    expect(before.chats.edges[0].node.id).toBe(kept.id);
    await removeMember(owner, kept, former);

    // Positions, of lists in which it stood.
    const { cursor, node } = before.chats.edges[0];
    const behind = (await former.client().request(LIST, { after: cursor })) as any;
    expect(JSON.stringify(behind)).not.toContain(kept.id);
    const { id } = cast.directs.former;
    for (const position of ['after', 'before']) {
      const variables = { id, [position]: node.messages.pageInfo.endCursor };
      expect(JSON.stringify(await former.client().request(HISTORY, variables))).not.toContain(message.id);
    }
    const changes = await former.client().subscribe(CHANGES, { after: before.chats.changeCursor });
    await send(cast.pat, { id }, 'are you there?');
    expect(await changes.next()).toEqual({ chatUpdated: { id } });
    await changes.close();

    // Not even what they said themself, under the name that they gave it.
    const again = { chatId: kept.id, body: 'while I was here', clientId: 'mine' };
    expect(await refusal(former.client().request(SendMessage, { input: again }))).toEqual(NOT_FOUND);
    await addMember(owner, kept, former);
    expect((await former.client().request(SendMessage, { input: again })).sendMessage.id).toBe(message.id);
  });

  const LIST = `query ($after: String) { chats(after: $after) {
    changeCursor edges { cursor node { id messages { pageInfo { endCursor } } } }
  } }`;
  const HISTORY = `query ($id: ID!, $after: String, $before: String) {
    chat(id: $id) { messages(after: $after, before: $before) { edges { node { id } } } }
  }`;
  const CHANGES = 'subscription ($after: String) { chatUpdated(after: $after) { id } }';
});
