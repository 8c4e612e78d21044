import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { OperationTypeNode } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ERROR_CODES } from '../../src/errors.ts';
import type { ErrorCode } from '../../src/errors.ts';
import { createSchema } from '../../src/graphql/schema.ts';
import { createAsker } from '../support/asker.ts';
import type { Asker, Way } from '../support/asker.ts';
import { gatherCast, openGroupOf } from '../support/cast.ts';
import type { Cast, Group } from '../support/cast.ts';
import { startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { hostileOperation } from '../support/hostile-operations.ts';
import type { HostileOperation } from '../support/hostile-operations.ts';
import { startIdentityProvider } from '../support/identity-provider.ts';
import type { IdentityProvider } from '../support/identity-provider.ts';
import { openGroup, send } from '../support/people.ts';
import { absentId } from '../support/refusals.ts';
import { rootFields } from '../support/schema-walk.ts';
import type { RootField } from '../support/schema-walk.ts';
import { atFullSize } from '../support/size.ts';

const OPERATIONS = atFullSize(10_000, 1_000);
const AT_ONCE = 10;

/** What no input brings about: these say that it is the server that failed. */
const FAILURES: readonly ErrorCode[] = ['INTERNAL_SERVER_ERROR', 'SERVICE_UNAVAILABLE', 'TIMEOUT'];

/** What no answer shows: how the server is built, and what on. None of the inputs holds a word of it. */
const INTERNALS = new RegExp(
  [
    /prisma|pglite|postgres|sqlstate|app_user|chat_member|relation "|violates|input syntax|syntax error at/,
    /node_modules|originalError|"stack|\.[jt]s:\d+|\bat .+:\d+:\d+|\bE(CONN|PIPE|NOENT)|\bP2\d{3}\b/,
  ]
    .map(({ source }) => source)
    .join('|'),
  'i',
);

/** Nothing hostile can be given to it, and who asked cannot ask again. */
const ENDS_SESSION = 'Mutation.logout';

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

describe('operations of hostile values', () => {
  it(`are answered in words for clients, ${OPERATIONS} of them`, { timeout: 1_800_000 }, async () => {
    const roots = rootFields(createSchema()).filter(({ name }) => name !== ENDS_SESSION);
    const batch = fc.array(hostileOperation(roots, known), { minLength: AT_ONCE, maxLength: AT_ONCE });
    const done = new Set<string>();
    await fc.assert(
      fc.asyncProperty(batch, async (operations) => {
        const answers = Promise.all(operations.map((operation, at) => tryOut(operation, at)));
        await keepTalkingUntil(answers);
        for (const { name, result } of await answers) if (result) done.add(name);
      }),
      { numRuns: OPERATIONS / AT_ONCE, endOnFailure: true },
    );
    // Not all were stopped at the door; which ones came further is chance.
    expect(done.size).toBeGreaterThan(10);
  });
});

describe('every text that people write', () => {
  it.each([
    ['emoji in sequences', '👩‍👩‍👧‍👦🏴󠁧󠁢󠁳󠁣󠁴󠁿👍🏽🇺🇦1️⃣'],
    ['right-to-left marks', '\u200fשלום\u200e \u202egnp.exe\u202c \u2066a\u2069'],
    ['marks that combine, in their order', 'e\u0301 é q\u0307\u0323 Z̸̧͎a̵͖͝l̶̟͑'],
    ['letters that have other forms', '\u212b ﬁ ﷺ ǅ İı ß'],
    ['the ends of the planes', '\u{1f6a2}\u{2fffd}\u{10fffd}\ue000'],
  ])('is given back as it was: %s', async (_what, text) => {
    const { owner, member } = cast.people;
    const group = await openGroup(owner, [member]);
    const extraData = { [text]: [text] };
    const live = await member.client().subscribe(ADDED, { chatId: group.id });
    const ran = await asker.run('websocket', owner, {
      operation: OperationTypeNode.MUTATION,
      query: WRITE,
      variables: { send: { chatId: group.id, body: text, clientId: text, extraData }, id: group.id, text },
    });
    const id = ran.data.sendMessage.id as string;
    const login = { email: owner.email, password: owner.password, deviceName: text };
    const onNewDevice = (await owner.client().request(SIGN_IN, { login })) as any;
    expect(onNewDevice.login.user).toMatchObject({ firstName: text, lastName: text });
    const { message, chat } = (await member.client().request(READ, { id, chatId: group.id })) as any;
    const author = { firstName: text, lastName: text };
    expect(message).toEqual({ body: text, clientId: text, extraData, author });
    expect(chat).toEqual({ title: text });
    const { sessions } = (await owner.client().request('{ sessions { deviceName } }')) as any;
    expect(sessions).toContainEqual({ deviceName: text });
    // Of what came live, the newest.
    await expect
      .poll(() => live.collected.at(-1))
      .toMatchObject({ messageAdded: { body: text, clientId: text, extraData } });
    await live.close();
  });

  const ADDED = `subscription ($chatId: ID!) {
    messageAdded(chatId: $chatId, afterSeq: 0) { body clientId extraData }
  }`;
  const WRITE = `mutation ($send: SendMessageInput!, $id: ID!, $text: String!) {
    sendMessage(input: $send) { id }
    updateChat(input: { chatId: $id, title: $text }) { id }
    updateProfile(input: { firstName: $text, lastName: $text }) { id }
  }`;
  const SIGN_IN = 'mutation ($login: LoginInput!) { login(input: $login) { user { firstName lastName } } }';
  const READ = `query ($id: ID!, $chatId: ID!) {
    message(id: $id) { body clientId extraData author { firstName lastName } } chat(id: $chatId) { title }
  }`;
});

/** What there is of the owner's and of others', but for what would leave the owner without. */
function known({ name, operation }: RootField, argument: string): string[] {
  const { people, pat, directs, foreignDirect } = cast;
  const others = [people.member.id, people.admin.id, people.stranger.id, pat.id];
  const chats = [directs.owner.id, foreignDirect.id];
  const messages = [group.messages.member, directs.owner.messageId, foreignDirect.messageId];
  if (name === 'Query.user' || /^(user|member)Ids?$/.test(argument)) return others;
  if (name === 'Query.message' || argument === 'messageId')
    return name === 'Mutation.deleteMessage' ? messages : [...messages, group.messages.owner];
  if (name === 'Mutation.revokeSessions') return [absentId()];
  if (operation === OperationTypeNode.SUBSCRIPTION) return [group.id, foreignDirect.id];
  return name === 'Mutation.leaveChat' || name === 'Mutation.deleteChat' ? chats : [...chats, group.id];
}

async function tryOut(operation: HostileOperation, at: number): Promise<{ name: string; result: unknown }> {
  const { name, query, variables, args } = operation;
  // A frame has less room than a body.
  const fits = Buffer.byteLength(JSON.stringify({ query, variables })) < 60_000;
  const way: Way = at % 3 === 0 && fits ? 'websocket' : 'http';
  const asked = `${way}: ${query.slice(0, 2_000)}\n${JSON.stringify(variables).slice(0, 2_000)}`;
  const answer = await asker.run(way, at === 1 ? null : cast.people.owner, operation).catch((error: unknown) => {
    throw new Error(asked, { cause: error });
  });
  const told = `${asked}\n${answer.text.slice(0, 2_000)}`;
  expect(answer.text, told).not.toMatch(INTERNALS);
  for (const { extensions } of answer.errors ?? []) {
    expect(ERROR_CODES, told).toContain(extensions?.['code']);
    expect(FAILURES, told).not.toContain(extensions?.['code']);
  }
  const result = answer.data?.[name.split('.')[1]!] as unknown;
  expectEchoed(args['input'], result, told);
  return { name, result };
}

/** Whoever was given leave to listen hears something. */
async function keepTalkingUntil(answers: Promise<unknown>): Promise<void> {
  const over = answers.then(
    () => true,
    () => true,
  );
  while (!(await Promise.race([delay(20, false), over]))) {
    const { id: messageId } = await send(cast.people.owner, group, 'still here');
    await cast.people.owner.client().request(EDIT, { input: { messageId, body: 'and here' } });
  }
}

const EDIT = 'mutation ($input: EditMessageInput!) { editMessage(input: $input) { id } }';

const KEPT = ['body', 'clientId', 'extraData'];
const TRIMMED = ['title', 'firstName', 'lastName'];

/** What was taken is what is given back. */
function expectEchoed(input: unknown, result: unknown, told: string): void {
  if (!isRecord(input) || !isRecord(result)) return;
  // As JSON has it: without -0 and NaN.
  const sent = JSON.parse(JSON.stringify(input)) as Record<string, unknown>;
  for (const name of KEPT) if (name in sent && name in result) expect(result[name], told).toEqual(sent[name]);
  for (const name of TRIMMED) {
    const text = input[name];
    if (typeof text === 'string' && name in result) expect(result[name], told).toBe(text.trim());
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
