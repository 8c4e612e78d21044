import { buildSchema, isObjectType, parse } from 'graphql';
import type { DocumentNode, GraphQLField, GraphQLResolveInfo, GraphQLSchema } from 'graphql';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import type { Context } from '../../src/graphql/context.ts';
import { createDeadlines } from '../../src/graphql/deadlines.ts';
import { createOperations } from '../../src/graphql/operations.ts';
import { createSchema } from '../../src/graphql/schema.ts';
import { NO_METRICS } from '../../src/metrics/metrics.ts';
import { useAnswerSharing } from '../../src/graphql/answer-sharing.ts';
import type { Share } from '../../src/realtime/lane.ts';

const schema = createSchema();

/** What a subscriber who asks this has in common with others; undefined: nothing. */
function shareOf(
  asked: string | DocumentNode,
  variableValues: Record<string, unknown> = {},
  { inSchema = schema, plugin = useAnswerSharing(pino({ level: 'silent' })) } = {},
): Share<unknown> | undefined {
  const contextValue = { outlet: {}, services: {}, liveLoaders: () => ({}), prisma: {} } as unknown as Context;
  const document = typeof asked === 'string' ? parse(asked) : asked;
  const args = { schema: inSchema, document, variableValues, contextValue };
  void plugin.onSubscribe!({ args } as unknown as Parameters<NonNullable<typeof plugin.onSubscribe>>[0]);
  return contextValue.share;
}

const added = (selection: string) => `subscription ($chatId: ID!) { messageAdded(chatId: $chatId) ${selection} }`;

describe('what depends on the viewer', () => {
  const fields = Object.values(schema.getTypeMap()).flatMap((type) => {
    const isRoot = ['Query', 'Mutation', 'Subscription'].includes(type.name);
    if (!isObjectType(type) || isRoot || type.name.startsWith('__')) return [];
    return Object.values(type.getFields()).map((field) => ({ name: `${type.name}.${field.name}`, field }));
  });

  it('is marked in the schema, and nothing else is', async () => {
    const reading = [];
    for (const { name, field } of fields) if (await readsViewer(field)) reading.push(name);
    const marked = fields.filter(({ field }) => field.extensions['viewerDependent'] === true);
    expect(marked.map(({ name }) => name)).toEqual(reading);
    expect(reading).toEqual(['AuthPayload.user', 'Chat.unreadCount', 'Session.isCurrent', 'User.email']);
  });

  it.each([
    ['a field', added('{ author { email } }')],
    ['under another name', added('{ author { id: email } }')],
    ['in a fragment', `${added('{ ...M }')} fragment M on Message { author { ...U } } fragment U on User { email }`],
    ['in an inline fragment', added('{ ... on Message { author { ... { email } } } }')],
    ['behind a directive', added('{ author { email @include(if: false) } }')],
    ['far away', added('{ chat { lastMessage { chat { members { user { email } } } } } }')],
    ['of the chat', added('{ chat { unreadCount } }')],
    [
      'of the root',
      `subscription { ...R } fragment R on Subscription { messageAdded(chatId: 1) { author { email } } }`,
    ],
  ])('%s makes the whole document personal', (_where, text) => {
    expect(shareOf(text)).toBeUndefined();
  });

  it('is not what most selections ask for', () => {
    const usual =
      '{ id seq body extraData createdAt isRead author { id firstName isOnline } chat { id members { role } } }';
    expect(shareOf(added(usual))).toBeDefined();
  });
});

describe('those who have the same key', () => {
  const key = (...args: Parameters<typeof shareOf>) => shareOf(...args)!.key;

  it('asked for the same of an event, from wherever they want to begin', () => {
    const text = 'subscription Live($c: ID!, $a: Int) { messageAdded(chatId: $c, afterSeq: $a) { seq } }';
    expect(key(text, { c: 'x', a: 1 })).toBe(key(text, { c: 'x', a: 2 }));
    expect(key(text, { c: 'x' })).toBe(key(text, { c: 'x', a: null }));
  });

  it('gave the same variables, where these have a part in the answer', () => {
    const text = `subscription ($c: ID!, $n: Int, $b: Boolean!) {
      messageAdded(chatId: $c, afterSeq: $n) { seq @include(if: $b) chat { messages(first: $n) { edges { cursor } } } }
    }`;
    const same = { c: 'x', n: 1, b: true };
    expect(key(text, same)).toBe(key(text, { ...same }));
    expect(key(text, same)).not.toBe(key(text, { ...same, n: 2 }));
    expect(key(text, same)).not.toBe(key(text, { ...same, b: false }));
    expect(key(text, { c: 'x', b: true })).not.toBe(key(text, { c: 'x', b: true, n: null }));
  });

  it('sent the same text', () => {
    expect(key(added('{ seq }'))).toBe(key(added('{ seq }')));
    expect(key(added('{ seq }'))).not.toBe(key(added('{ seq body }')));
  });

  it('named the same document of a list, by its id or by its text', () => {
    const listed = [
      { id: 'one', text: added('{ seq }') },
      { id: 'two', text: added('{ seq body }') },
    ];
    const deadlines = createDeadlines();
    const { textOf, parse } = createOperations(schema, { introspection: true, deadlines, metrics: NO_METRICS, listed });
    deadlines.stop();
    const keyOf = (request: object) => key(parse(textOf(request)!));
    expect(keyOf({ documentId: 'one' })).toBe(keyOf({ query: added('{ seq }') }));
    expect(keyOf({ documentId: 'one' })).not.toBe(keyOf({ documentId: 'two' }));
  });
});

/** Whatever the marks say, no answer is shared that somebody's context had a part in. */
describe('a field that is not marked and reads the viewer', () => {
  const inSchema = buildSchema(`
    type Query { nothing: Int } type Subscription { said: Said! }
    type Said { text: String, mine: String, hidden: String, copied: String, late: String }
  `);
  const resolvers: Record<string, (source: unknown, args: unknown, context: Context) => unknown> = {
    mine: (_said, _args, { viewer }) => viewer?.userId,
    hidden(_said, _args, context) {
      try {
        return context.viewer?.userId;
      } catch {
        return null;
      }
    },
    copied: (_said, _args, context) => ({ ...context }).viewer?.userId ?? null,
    async late(_said, _args, context) {
      await Promise.resolve();
      return context.selves.includes('x') ? 'x' : null;
    },
  };
  const said = inSchema.getType('Said');
  if (isObjectType(said))
    for (const [name, resolve] of Object.entries(resolvers)) said.getFields()[name]!.resolve = resolve;

  it.each(Object.keys(resolvers))('is found out when it is asked for, and never shared: %s', async (field) => {
    const plugin = useAnswerSharing(pino({ level: 'silent' }));
    const text = `subscription { said { text ${field} } }`;
    const share = shareOf(text, {}, { inSchema, plugin })!;
    expect(await share.createAnswer()({ text: 'hello', said: { text: 'hello' } })).toBeNull();
    expect(await share.createAnswer()({ text: 'hello', said: { text: 'hello' } })).toBeNull();
  });

  it('harms no answer that does not hold it', async () => {
    const share = shareOf('subscription { said { text } }', {}, { inSchema })!;
    expect(await share.createAnswer()({ said: { text: 'hello' } })).toBe('{"data":{"said":{"text":"hello"}}}');
  });

  it('is not looked at again, once it was found out', async () => {
    const plugin = useAnswerSharing(pino({ level: 'silent' }));
    const document = parse('subscription { said { mine } }');
    const ask = () => {
      const contextValue = { outlet: {}, liveLoaders: () => ({}) } as unknown as Context;
      const args = { schema: inSchema, document, contextValue };
      void plugin.onSubscribe!({ args } as unknown as Parameters<NonNullable<typeof plugin.onSubscribe>>[0]);
      return contextValue.share;
    };
    await ask()!.createAnswer()({ said: {} });
    expect(ask()).toBeUndefined();
  });
});

it('an answer with an error is not shared', async () => {
  const inSchema: GraphQLSchema = buildSchema(
    'type Query { a: Int } type Subscription { said: Said } type Said { a: Int! }',
  );
  const share = shareOf('subscription { said { a } }', {}, { inSchema })!;
  expect(await share.createAnswer()({ said: { a: null } })).toBeNull();
  expect(await share.createAnswer()({ said: { a: 1 } })).toBe('{"data":{"said":{"a":1}}}');
});

/** Runs the resolver in a world where everything is there, and says whether it looked for the viewer. */
async function readsViewer(field: GraphQLField<unknown, Context>): Promise<boolean> {
  let isRead = false;
  const anything: unknown = new Proxy(() => anything, {
    get: (_target, key) => {
      if (key === 'then') return undefined;
      if (key === Symbol.toPrimitive) return () => '1';
      if (key === Symbol.iterator) return function* () {};
      return anything;
    },
    apply: () => anything,
  });
  const context = new Proxy({} as Context, {
    get: (_target, key) => {
      if (['viewer', 'selves', 'client', 'requestId', 'openLine'].includes(String(key))) isRead = true;
      return anything;
    },
  });
  try {
    await field.resolve?.(anything, anything, context, anything as GraphQLResolveInfo);
  } catch {
    // What it does with what it is given is not the question.
  }
  return isRead;
}
