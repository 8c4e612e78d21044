import { randomUUID } from 'node:crypto';
import { OperationTypeNode } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSchema } from '../../src/graphql/schema.ts';
import { createAsker } from '../support/asker.ts';
import type { Answer, Asker, Way } from '../support/asker.ts';
import { ACTORS, gatherCast, openGroupOf } from '../support/cast.ts';
import type { Actor, Cast, Group } from '../support/cast.ts';
import { startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { startIdentityProvider } from '../support/identity-provider.ts';
import type { IdentityProvider } from '../support/identity-provider.ts';
import { signInPerson } from '../support/people.ts';
import type { Person } from '../support/people.ts';
import { absentId } from '../support/refusals.ts';
import { idPaths, readTable, rootFields, selectLeast } from '../support/schema-walk.ts';
import type { RootField } from '../support/schema-walk.ts';

/*
 * Who may what, as a table: every root field, every id that it takes, and what becomes of it by who asks. All but the
 * anonymous and the stranger are or were in the group. A field that is new to the schema has to be given its rows.
 *
 * + done, or answered    - null, as if there were none    U UNAUTHENTICATED    N NOT_FOUND    F FORBIDDEN
 * B BAD_USER_INPUT       C CONFLICT                       P INVALID_CREDENTIALS
 *
 * What is hidden (N, -) is answered in the very bytes of what is absent.
 */
const MATRIX = readTable<'asks' | 'names' | Actor>(`
  asks                                  | names                      | anonymous | stranger | former | member | admin | owner
  Query.chat(id)                        | the group                  |     U     |    -     |   -    |   +    |   +   |   +
  Query.chat(id)                        | own direct chat            |     U     |    +     |   +    |   +    |   +   |   +
  Query.chat(id)                        | foreign direct chat        |     U     |    -     |   -    |   -    |   -   |   -
  Query.chat(id)                        | a message                  |     U     |    -     |   -    |   -    |   -   |   -
  Query.chat(id)                        | absent                     |     U     |    -     |   -    |   -    |   -   |   -
  Query.chat(id)                        | malformed                  |     U     |    B     |   B    |   B    |   B   |   B
  Query.chats                           |                            |     U     |    +     |   +    |   +    |   +   |   +
  Query.identities                      |                            |     U     |    +     |   +    |   +    |   +   |   +
  Query.me                              |                            |     U     |    +     |   +    |   +    |   +   |   +
  Query.message(id)                     | own message                |     U     |    -     |   -    |   +    |   +   |   +
  Query.message(id)                     | the owner’s message        |     U     |    -     |   -    |   +    |   +   |   +
  Query.message(id)                     | message in own direct      |     U     |    +     |   +    |   +    |   +   |   +
  Query.message(id)                     | message in foreign direct  |     U     |    -     |   -    |   -    |   -   |   -
  Query.message(id)                     | the group                  |     U     |    -     |   -    |   -    |   -   |   -
  Query.message(id)                     | absent                     |     U     |    -     |   -    |   -    |   -   |   -
  Query.message(id)                     | malformed                  |     U     |    B     |   B    |   B    |   B   |   B
  Query.sessions                        |                            |     U     |    +     |   +    |   +    |   +   |   +
  Query.user(id)                        | themself                   |     U     |    +     |   +    |   +    |   +   |   +
  Query.user(id)                        | Pat                        |     U     |    +     |   +    |   +    |   +   |   +
  Query.user(id)                        | absent                     |     U     |    -     |   -    |   -    |   -   |   -
  Query.user(id)                        | malformed                  |     U     |    B     |   B    |   B    |   B   |   B
  Query.users                           |                            |     U     |    +     |   +    |   +    |   +   |   +
  Query.verifyToken                     |                            |     +     |    +     |   +    |   +    |   +   |   +

  Mutation.addMembers(chatId)           | the group                  |     U     |    N     |   N    |   F    |   +   |   +
  Mutation.addMembers(chatId)           | own direct chat            |     U     |    F     |   F    |   F    |   F   |   F
  Mutation.addMembers(chatId)           | foreign direct chat        |     U     |    N     |   N    |   N    |   N   |   N
  Mutation.addMembers(chatId)           | absent                     |     U     |    N     |   N    |   N    |   N   |   N
  Mutation.addMembers(chatId)           | malformed                  |     U     |    B     |   B    |   B    |   B   |   B
  Mutation.addMembers(userIds)          | the stranger               |     U     |    N     |   N    |   F    |   +   |   +
  Mutation.addMembers(userIds)          | the former member          |     U     |    N     |   N    |   F    |   +   |   +
  Mutation.addMembers(userIds)          | the member                 |     U     |    N     |   N    |   F    |   C   |   C
  Mutation.addMembers(userIds)          | absent                     |     U     |    N     |   N    |   F    |   N   |   N
  Mutation.addMembers(userIds)          | malformed                  |     U     |    B     |   B    |   B    |   B   |   B
  Mutation.changePassword               |                            |     U     |    P     |   P    |   P    |   P   |   P
  Mutation.changeRole(chatId)           | the group                  |     U     |    N     |   N    |   F    |   F   |   +
  Mutation.changeRole(chatId)           | own direct chat            |     U     |    F     |   F    |   F    |   F   |   F
  Mutation.changeRole(chatId)           | foreign direct chat        |     U     |    N     |   N    |   N    |   N   |   N
  Mutation.changeRole(chatId)           | absent                     |     U     |    N     |   N    |   N    |   N   |   N
  Mutation.changeRole(chatId)           | malformed                  |     U     |    B     |   B    |   B    |   B   |   B
  Mutation.changeRole(userId)           | the member                 |     U     |    N     |   N    |   F    |   F   |   +
  Mutation.changeRole(userId)           | the owner                  |     U     |    N     |   N    |   F    |   F   |   C
  Mutation.changeRole(userId)           | themself                   |     U     |    N     |   N    |   F    |   F   |   C
  Mutation.changeRole(userId)           | the former member          |     U     |    N     |   N    |   F    |   F   |   N
  Mutation.changeRole(userId)           | absent                     |     U     |    N     |   N    |   F    |   F   |   N
  Mutation.changeRole(userId)           | malformed                  |     U     |    B     |   B    |   B    |   B   |   B
  Mutation.createChat(input.memberIds)  | Pat                        |     U     |    +     |   +    |   +    |   +   |   +
  Mutation.createChat(input.memberIds)  | themself                   |     U     |    B     |   B    |   B    |   B   |   B
  Mutation.createChat(input.memberIds)  | absent                     |     U     |    N     |   N    |   N    |   N   |   N
  Mutation.createChat(input.memberIds)  | malformed                  |     U     |    B     |   B    |   B    |   B   |   B
  Mutation.deleteAccount                |                            |     U     |    P     |   P    |   P    |   P   |   P
  Mutation.deleteAccountWithProvider    |                            |     U     |    P     |   P    |   P    |   P   |   P
  Mutation.deleteChat(chatId)           | the group                  |     U     |    N     |   N    |   F    |   F   |   +
  Mutation.deleteChat(chatId)           | own direct chat            |     U     |    F     |   F    |   F    |   F   |   F
  Mutation.deleteChat(chatId)           | foreign direct chat        |     U     |    N     |   N    |   N    |   N   |   N
  Mutation.deleteChat(chatId)           | absent                     |     U     |    N     |   N    |   N    |   N   |   N
  Mutation.deleteChat(chatId)           | malformed                  |     U     |    B     |   B    |   B    |   B   |   B
  Mutation.deleteMessage(messageId)     | own message                |     U     |    N     |   N    |   +    |   +   |   +
  Mutation.deleteMessage(messageId)     | the member’s message       |     U     |    N     |   N    |   +    |   +   |   +
  Mutation.deleteMessage(messageId)     | the owner’s message        |     U     |    N     |   N    |   F    |   +   |   +
  Mutation.deleteMessage(messageId)     | message in own direct      |     U     |    F     |   F    |   F    |   F   |   F
  Mutation.deleteMessage(messageId)     | message in foreign direct  |     U     |    N     |   N    |   N    |   N   |   N
  Mutation.deleteMessage(messageId)     | absent                     |     U     |    N     |   N    |   N    |   N   |   N
  Mutation.deleteMessage(messageId)     | malformed                  |     U     |    B     |   B    |   B    |   B   |   B
  Mutation.editMessage(input.messageId) | own message                |     U     |    N     |   N    |   +    |   +   |   +
  Mutation.editMessage(input.messageId) | the member’s message       |     U     |    N     |   N    |   +    |   F   |   F
  Mutation.editMessage(input.messageId) | the owner’s message        |     U     |    N     |   N    |   F    |   F   |   +
  Mutation.editMessage(input.messageId) | message in own direct      |     U     |    F     |   F    |   F    |   F   |   F
  Mutation.editMessage(input.messageId) | message in foreign direct  |     U     |    N     |   N    |   N    |   N   |   N
  Mutation.editMessage(input.messageId) | absent                     |     U     |    N     |   N    |   N    |   N   |   N
  Mutation.editMessage(input.messageId) | malformed                  |     U     |    B     |   B    |   B    |   B   |   B
  Mutation.leaveChat(chatId)            | the group                  |     U     |    N     |   N    |   +    |   +   |   C
  Mutation.leaveChat(chatId)            | own direct chat            |     U     |    F     |   F    |   F    |   F   |   F
  Mutation.leaveChat(chatId)            | foreign direct chat        |     U     |    N     |   N    |   N    |   N   |   N
  Mutation.leaveChat(chatId)            | absent                     |     U     |    N     |   N    |   N    |   N   |   N
  Mutation.leaveChat(chatId)            | malformed                  |     U     |    B     |   B    |   B    |   B   |   B
  Mutation.linkProvider                 |                            |     U     |    +     |   +    |   +    |   +   |   +
  Mutation.login                        |                            |     +     |    +     |   +    |   +    |   +   |   +
  Mutation.loginWithProvider            |                            |     +     |    +     |   +    |   +    |   +   |   +
  Mutation.logout                       |                            |     U     |    +     |   +    |   +    |   +   |   +
  Mutation.markRead(chatId)             | the group                  |     U     |    N     |   N    |   +    |   +   |   +
  Mutation.markRead(chatId)             | own direct chat            |     U     |    +     |   +    |   +    |   +   |   +
  Mutation.markRead(chatId)             | foreign direct chat        |     U     |    N     |   N    |   N    |   N   |   N
  Mutation.markRead(chatId)             | absent                     |     U     |    N     |   N    |   N    |   N   |   N
  Mutation.markRead(chatId)             | malformed                  |     U     |    B     |   B    |   B    |   B   |   B
  Mutation.refresh                      |                            |     +     |    +     |   +    |   +    |   +   |   +
  Mutation.register                     |                            |     +     |    +     |   +    |   +    |   +   |   +
  Mutation.removeMember(chatId)         | the group                  |     U     |    N     |   N    |   F    |   +   |   +
  Mutation.removeMember(chatId)         | own direct chat            |     U     |    F     |   F    |   F    |   F   |   F
  Mutation.removeMember(chatId)         | foreign direct chat        |     U     |    N     |   N    |   N    |   N   |   N
  Mutation.removeMember(chatId)         | absent                     |     U     |    N     |   N    |   N    |   N   |   N
  Mutation.removeMember(chatId)         | malformed                  |     U     |    B     |   B    |   B    |   B   |   B
  Mutation.removeMember(userId)         | the member                 |     U     |    N     |   N    |   F    |   +   |   +
  Mutation.removeMember(userId)         | the admin                  |     U     |    N     |   N    |   F    |   F   |   +
  Mutation.removeMember(userId)         | the owner                  |     U     |    N     |   N    |   F    |   F   |   B
  Mutation.removeMember(userId)         | the former member          |     U     |    N     |   N    |   N    |   N   |   N
  Mutation.removeMember(userId)         | absent                     |     U     |    N     |   N    |   N    |   N   |   N
  Mutation.removeMember(userId)         | malformed                  |     U     |    B     |   B    |   B    |   B   |   B
  Mutation.revokeSessions(id)           | own session                |     U     |    +     |   +    |   +    |   +   |   +
  Mutation.revokeSessions(id)           | Pat’s session              |     U     |    N     |   N    |   N    |   N   |   N
  Mutation.revokeSessions(id)           | absent                     |     U     |    N     |   N    |   N    |   N   |   N
  Mutation.revokeSessions(id)           | malformed                  |     U     |    B     |   B    |   B    |   B   |   B
  Mutation.sendMessage(input.chatId)    | the group                  |     U     |    N     |   N    |   +    |   +   |   +
  Mutation.sendMessage(input.chatId)    | own direct chat            |     U     |    +     |   +    |   +    |   +   |   +
  Mutation.sendMessage(input.chatId)    | foreign direct chat        |     U     |    N     |   N    |   N    |   N   |   N
  Mutation.sendMessage(input.chatId)    | absent                     |     U     |    N     |   N    |   N    |   N   |   N
  Mutation.sendMessage(input.chatId)    | malformed                  |     U     |    B     |   B    |   B    |   B   |   B
  Mutation.unlinkProvider               |                            |     U     |    +     |   +    |   +    |   +   |   +
  Mutation.updateChat(input.chatId)     | the group                  |     U     |    N     |   N    |   F    |   +   |   +
  Mutation.updateChat(input.chatId)     | own direct chat            |     U     |    F     |   F    |   F    |   F   |   F
  Mutation.updateChat(input.chatId)     | foreign direct chat        |     U     |    N     |   N    |   N    |   N   |   N
  Mutation.updateChat(input.chatId)     | absent                     |     U     |    N     |   N    |   N    |   N   |   N
  Mutation.updateChat(input.chatId)     | malformed                  |     U     |    B     |   B    |   B    |   B   |   B
  Mutation.updateProfile                |                            |     U     |    +     |   +    |   +    |   +   |   +

  Subscription.chatUpdated              |                            |     U     |    +     |   +    |   +    |   +   |   +
  Subscription.messageAdded(chatId)     | the group                  |     U     |    N     |   N    |   +    |   +   |   +
  Subscription.messageAdded(chatId)     | own direct chat            |     U     |    +     |   +    |   +    |   +   |   +
  Subscription.messageAdded(chatId)     | foreign direct chat        |     U     |    N     |   N    |   N    |   N   |   N
  Subscription.messageAdded(chatId)     | absent                     |     U     |    N     |   N    |   N    |   N   |   N
  Subscription.messageAdded(chatId)     | malformed                  |     U     |    B     |   B    |   B    |   B   |   B
  Subscription.messageUpdated(chatId)   | the group                  |     U     |    N     |   N    |   +    |   +   |   +
  Subscription.messageUpdated(chatId)   | own direct chat            |     U     |    +     |   +    |   +    |   +   |   +
  Subscription.messageUpdated(chatId)   | foreign direct chat        |     U     |    N     |   N    |   N    |   N   |   N
  Subscription.messageUpdated(chatId)   | absent                     |     U     |    N     |   N    |   N    |   N   |   N
  Subscription.messageUpdated(chatId)   | malformed                  |     U     |    B     |   B    |   B    |   B   |   B
`);

type Row = (typeof MATRIX)[number];

const CODES: Record<string, string> = {
  UNAUTHENTICATED: 'U',
  NOT_FOUND: 'N',
  FORBIDDEN: 'F',
  BAD_USER_INPUT: 'B',
  CONFLICT: 'C',
  INVALID_CREDENTIALS: 'P',
};

interface Scene {
  cast: Cast;
  group: Group;
  actor: Actor;
  /** The actor; the owner instead of the anonymous, for what nobody has. */
  person: Person;
}

/** What the rows name. */
const THINGS: Record<string, (scene: Scene) => string | Promise<string>> = {
  'the group': ({ group }) => group.id,
  'own direct chat': (scene) => directOf(scene).id,
  'foreign direct chat': ({ cast }) => cast.foreignDirect.id,
  'a message': ({ group }) => group.messages.owner,
  'own message': ({ group, actor }) => group.messages[actor === 'anonymous' || actor === 'stranger' ? 'owner' : actor],
  'the member’s message': ({ group }) => group.messages.member,
  'the owner’s message': ({ group }) => group.messages.owner,
  'message in own direct': (scene) => directOf(scene).messageId,
  'message in foreign direct': ({ cast }) => cast.foreignDirect.messageId,
  themself: ({ person }) => person.id,
  Pat: ({ cast }) => cast.pat.id,
  'the stranger': ({ cast }) => cast.people.stranger.id,
  'the former member': ({ cast }) => cast.people.former.id,
  'the member': ({ cast }) => cast.people.member.id,
  'the admin': ({ cast }) => cast.people.admin.id,
  'the owner': ({ cast }) => cast.people.owner.id,
  'own session': async ({ cast, person }) => sessionOf(await signInPerson(cast.cluster, person)),
  'Pat’s session': ({ cast }) => sessionOf(cast.pat),
  absent: absentId,
  malformed: () => 'no-id',
};

/** What else a field is asked with, so that the id alone decides. */
const ARGUMENTS: Record<string, (scene: Scene, row: Row) => object | Promise<object>> = {
  'Query.chat': () => ({}),
  'Query.chats': () => ({}),
  'Query.identities': () => ({}),
  'Query.me': () => ({}),
  'Query.message': () => ({}),
  'Query.sessions': () => ({}),
  'Query.user': () => ({}),
  'Query.users': () => ({ search: 'Cast' }),
  'Query.verifyToken': ({ cast }) => ({ token: cast.pat.refreshToken }),
  'Mutation.addMembers': ({ cast, group }) => ({ chatId: group.id, userIds: [cast.people.stranger.id] }),
  'Mutation.changePassword': ({ cast }) => ({ currentPassword: cast.pat.password, newPassword: 'copper lantern 7' }),
  'Mutation.changeRole': ({ cast, group }) => ({ chatId: group.id, userId: cast.people.member.id, role: 'ADMIN' }),
  'Mutation.createChat': () => ({ input: { kind: 'DIRECT' } }),
  'Mutation.deleteAccount': ({ cast }) => ({ password: cast.pat.password }),
  'Mutation.deleteAccountWithProvider': () => ({ idToken: provider.issue() }),
  'Mutation.deleteChat': () => ({}),
  'Mutation.deleteMessage': () => ({}),
  'Mutation.editMessage': () => ({ input: { body: 'rewritten' } }),
  'Mutation.leaveChat': () => ({}),
  'Mutation.linkProvider': ({ person: { id, password } }) => ({
    input: { idToken: provider.issue({ claims: { sub: id } }), password },
  }),
  'Mutation.login': ({ cast: { pat } }) => ({ input: { email: pat.email, password: pat.password } }),
  'Mutation.loginWithProvider': () => ({ input: { idToken: provider.issue() } }),
  'Mutation.logout': () => ({}),
  'Mutation.markRead': () => ({ seq: 1 }),
  'Mutation.refresh': async ({ cast }) => ({
    refreshToken: (await signInPerson(cast.cluster, cast.pat)).refreshToken,
  }),
  'Mutation.register': () => ({
    input: { email: `${randomUUID()}@example.test`, password: 'copper lantern 7', firstName: 'Rae', lastName: 'New' },
  }),
  'Mutation.removeMember': ({ cast, group }, { names }) => ({
    chatId: group.id,
    // In a direct chat too, somebody who is there.
    userId: names.endsWith('direct chat') ? cast.pat.id : cast.people.member.id,
  }),
  'Mutation.revokeSessions': () => ({}),
  'Mutation.sendMessage': () => ({ input: { body: 'said again' } }),
  'Mutation.unlinkProvider': ({ person: { password } }) => ({ password }),
  'Mutation.updateChat': () => ({ input: { title: 'Renamed' } }),
  'Mutation.updateProfile': ({ person: { firstName } }) => ({ input: { firstName } }),
  'Subscription.chatUpdated': ({ cast, actor }) => ({
    after: cast.beginnings[actor === 'anonymous' ? 'owner' : actor],
  }),
  'Subscription.messageAdded': () => ({ afterSeq: 0 }),
  'Subscription.messageUpdated': () => ({ afterRevision: 0 }),
};

/** What ends the session that asks is asked by one that is good for nothing else. */
const ENDS_SESSION = 'Mutation.logout';

/** What leaves the group another than the table says, each time it is done. */
const CHANGES_THE_SCENE = [
  'Mutation.addMembers',
  'Mutation.changeRole',
  'Mutation.deleteChat',
  'Mutation.deleteMessage',
  'Mutation.leaveChat',
  'Mutation.removeMember',
];

const fields = rootFields(createSchema());
const asksOf = (root: RootField) => {
  const paths = idPaths(root);
  return paths.length === 0 ? [root.name] : paths.map(({ path }) => `${root.name}(${path})`);
};

let cluster: Cluster;
let provider: IdentityProvider;
let cast: Cast;
let group: Group;
let asker: Asker;

beforeAll(async () => {
  provider = await startIdentityProvider();
  cluster = await startCluster({ nodes: 1, env: provider.env });
  asker = createAsker(cluster);
  cast = await gatherCast(cluster);
  group = await openGroupOf(cast);
});
afterAll(async () => {
  await asker?.close();
  await cluster?.stop();
  await provider?.close();
});

describe('the table', () => {
  it('has every root field of the schema, and every id that one takes', () => {
    expect([...new Set(MATRIX.map(({ asks }) => asks))].toSorted()).toEqual(fields.flatMap(asksOf).toSorted());
  });

  it('says of every id what becomes of what is there, what is absent, and what is no id', () => {
    for (const asks of fields.flatMap(asksOf).filter((asks) => asks.endsWith(')'))) {
      const names = MATRIX.filter((row) => row.asks === asks).map((row) => row.names);
      expect(names, asks).toEqual(expect.arrayContaining(['absent', 'malformed']));
      expect(names.length, asks).toBeGreaterThan(2);
    }
  });
});

describe.each(['http', 'sse', 'websocket'] as const)('over %s', (way) => {
  const answered = fields.filter(({ operation }) => way !== 'http' || operation !== OperationTypeNode.SUBSCRIPTION);

  it.each(answered.flatMap((root) => asksOf(root).map((asks) => [asks, root] as const)))('%s', async (asks, root) => {
    for (const row of MATRIX.filter((row) => row.asks === asks)) {
      const refused = await withNothingChanged(root, () =>
        Promise.all(ACTORS.filter((actor) => row[actor] !== '+').map((actor) => tell(way, root, row, actor))),
      );
      const done: Array<Partial<Row>> = [];
      for (const actor of ACTORS.filter((actor) => row[actor] === '+')) {
        done.push(await tell(way, root, row, actor));
        if (CHANGES_THE_SCENE.includes(root.name)) group = await openGroupOf(cast);
      }
      const { asks: _asks, names, ...expected } = row;
      // Who has no token gets no socket.
      if (way === 'websocket') expected.anonymous = 'U';
      expect(Object.assign({ names }, ...refused, ...done)).toEqual({ names, ...expected });
    }
  });
});

async function withNothingChanged<T>({ name, operation }: RootField, attempt: () => Promise<T>): Promise<T> {
  if (operation !== OperationTypeNode.MUTATION) return attempt();
  const before = await readState();
  const outcome = await attempt();
  expect(await readState(), `${name} changed something for somebody who was refused`).toEqual(before);
  return outcome;
}

/** What came of it, by the row's letters. */
async function tell(way: Way, root: RootField, row: Row, actor: Actor): Promise<Partial<Row>> {
  const scene = { cast, group, actor, person: cast.people[actor === 'anonymous' ? 'owner' : actor] };
  const person = root.name === ENDS_SESSION ? await signInPerson(cast.cluster, scene.person) : scene.person;
  const who = actor === 'anonymous' ? null : person;
  const ask = async (names: string) =>
    asker.ask(way, who, root, await argumentsOf(root, row, names, scene), selectLeast(root.field));
  const answer = await ask(row.names);
  const outcome = outcomeOf(root, answer);
  if ('N-'.includes(outcome) && row.names !== 'absent') {
    const absent = await ask('absent');
    expect(answer.text, `${row.asks} ${row.names}: ${actor}`).toBe(absent.text);
  }
  return { [actor]: outcome };
}

function outcomeOf({ field }: RootField, { data, errors }: Answer): string {
  if (!errors) return data[field.name] === null ? '-' : '+';
  expect(errors).toHaveLength(1);
  const code = String(errors[0]!.extensions?.['code']);
  return CODES[code] ?? code;
}

async function argumentsOf(root: RootField, row: Row, names: string, scene: Scene): Promise<Record<string, unknown>> {
  const args = structuredClone(await ARGUMENTS[root.name]!(scene, row)) as Record<string, any>;
  const taken = idPaths(root).find(({ path }) => row.asks === `${root.name}(${path})`);
  if (!taken) return args;
  const id = await THINGS[names]!(scene);
  const [last, ...outer] = taken.path.split('.').toReversed() as [string, ...string[]];
  const target = outer.toReversed().reduce((value, key) => (value[key] ??= {}), args);
  target[last] = taken.isList ? [id] : id;
  return args;
}

const directOf = ({ cast, actor }: Scene) => cast.directs[actor === 'anonymous' ? 'owner' : actor];

async function sessionOf(person: Person): Promise<string> {
  const { sessions } = (await person.client().request('{ sessions { id isCurrent } }')) as any;
  return sessions.find((session: { isCurrent: boolean }) => session.isCurrent).id as string;
}

/** What a refused request might have changed, as those see it whom it would have been done to. */
async function readState(): Promise<unknown[]> {
  const chat = `chat(id: $id) {
    title revision updatedAt members { role lastReadSeq user { id } }
    messages { edges { node { id body editedAt deletedAt } } }
  }`;
  const ofGroup = `query ($id: ID!) { ${chat} }`;
  const ofPat = `query ($id: ID!) { ${chat} sessions { id } me { firstName } chats { edges { node { id } } } }`;
  return Promise.all([
    cast.people.owner.client().request(ofGroup, { id: group.id }),
    cast.pat.client().request(ofPat, { id: cast.foreignDirect.id }),
  ]);
}
