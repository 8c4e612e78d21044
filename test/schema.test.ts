import { readFile } from 'node:fs/promises';
import { buildSchema, parse, print, printSchema, visit } from 'graphql';
import { beforeAll, describe, expect, it } from 'vitest';
import { createSchema } from '../src/graphql/schema.ts';
import { breaksOf, undescribedIn } from './support/schema-checks.ts';

const schema = createSchema();

it('is what schema.graphql says', async () => {
  const committed = await readFile(new URL('../schema.graphql', import.meta.url), 'utf8');
  expect(`${printSchema(schema)}\n`, 'the code has another schema: run `npm run schema:print`').toBe(committed);
});

it('contains the whole published contract', async () => {
  expect(breaksOf(buildSchema(await publishedSdl()), schema)).toEqual([]);
});

it('describes everything', () => {
  expect(undescribedIn(schema)).toEqual([]);
});

/** What the tests above rest on: each of these schemas is not what was published. */
describe('the published contract is broken by', () => {
  let sdl: string;
  beforeAll(async () => {
    const withoutDescription = { enter: (node: object) => ({ ...node, description: undefined }) };
    sdl = print(visit(parse(await publishedSdl()), withoutDescription));
  });

  it.each([
    ['a type of another name', /\bSession\b/g, 'Login', 'type Session is missing'],
    ['a type of another kind', 'scalar JSON', 'enum JSON { ANY }', 'JSON is of kind Enum, published as Scalar'],
    ['a field that is gone', '  isOnline: Boolean!\n', '', 'field User.isOnline is missing'],
    ['an operation that is gone', '  leaveChat(chatId: ID!): Boolean!\n', '', 'field Mutation.leaveChat is missing'],
    [
      'a field that may be null',
      '  seq: Int!\n',
      '  seq: Int\n',
      'field Message.seq has the type Int, published as Int!',
    ],
    [
      'a field that may no longer be null',
      'lastMessage: Message\n',
      'lastMessage: Message!\n',
      'field Chat.lastMessage has the type Message!, published as Message',
    ],
    [
      'a list whose items may be null',
      'members: [ChatMember!]!',
      'members: [ChatMember]!',
      'field Chat.members has the type [ChatMember]!, published as [ChatMember!]!',
    ],
    [
      'a field of another type',
      'lastReadSeq: Int!',
      'lastReadSeq: Float!',
      'field ChatMember.lastReadSeq has the type Float!, published as Int!',
    ],
    ['an argument that is gone', ', afterSeq: Int', '', 'argument Subscription.messageAdded(afterSeq) is missing'],
    [
      'an argument of another type',
      'revokeSessions(id: ID)',
      'revokeSessions(id: ID!)',
      'argument Mutation.revokeSessions(id) has the type ID!, published as ID',
    ],
    [
      'another default of an argument',
      'chats(first: Int = 20',
      'chats(first: Int = 50',
      'argument Query.chats(first) has the default 50, published as 20',
    ],
    [
      'a default that is gone',
      'chats(first: Int = 20',
      'chats(first: Int',
      'argument Query.chats(first) has the default none, published as 20',
    ],
    [
      'a new argument that must be given',
      '  me: User!',
      '  me(device: ID!): User!',
      'argument Query.me(device) is new and required: ID!',
    ],
    ['an input field that is gone', '  title: String\n}', '}', 'input field CreateChatInput(title) is missing'],
    [
      'an input field that must be given now',
      'clientId: String\n}',
      'clientId: String!\n}',
      'input field SendMessageInput(clientId) has the type String!, published as String',
    ],
    [
      'another default of an input field',
      'type: MessageType = TEXT',
      'type: MessageType = PHOTO',
      'input field SendMessageInput(type) has the default PHOTO, published as TEXT',
    ],
    [
      'a new input field that must be given',
      'input EditMessageInput {',
      'input EditMessageInput { reason: String!',
      'input field EditMessageInput(reason) is new and required: String!',
    ],
    ['an enum value that is gone', '  LOCATION\n', '', 'value MessageType.LOCATION is missing'],
    [
      'an enum value that old clients do not know',
      '  LOCATION\n',
      '  LOCATION\n  POLL\n',
      'value MessageType.POLL is new to clients',
    ],
  ])('%s', (_what, before, after, complaint) => {
    const mutant = sdl.replace(before, after);
    expect(mutant).not.toBe(sdl);
    expect(breaksOf(buildSchema(sdl), buildSchema(mutant))).toContain(complaint);
  });

  it('nothing that clients may ignore', () => {
    const grown = sdl
      .replace('  me: User!', '  me(device: ID, depth: Int! = 1): User!\n  news: [Boolean!]!')
      .replace('input EditMessageInput {', 'input EditMessageInput { reason: String, silent: Boolean! = false')
      .replace('type Session {', 'type Device { id: ID! }\ntype Session { device: Device!');
    expect(breaksOf(buildSchema(sdl), buildSchema(grown))).toEqual([]);
  });
});

it('misses no description', () => {
  const silent = buildSchema(`
    "Said." directive @quiet(loud: Int) on FIELD_DEFINITION
    "Said." enum Mood { GOOD }
    "Said." input Wish { for: String }
    "Said." type Query { all(of: Wish): Mood }
    scalar Time
  `);
  expect(undescribedIn(silent).toSorted()).toEqual(
    ['@quiet(loud)', 'Mood.GOOD', 'Query.all', 'Query.all(of)', 'Time', 'Wish.for'].toSorted(),
  );
});

function publishedSdl(): Promise<string> {
  return readFile(new URL('contract.graphql', import.meta.url), 'utf8');
}
