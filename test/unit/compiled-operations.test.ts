import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { GraphQLBoolean, GraphQLEnumType, GraphQLFloat, GraphQLID, GraphQLInputObjectType, GraphQLInt } from 'graphql';
import { GraphQLList, GraphQLNonNull, GraphQLObjectType, GraphQLSchema, GraphQLString } from 'graphql';
import { execute as interpret, parse, validate } from 'graphql';
import type { ExecutionArgs, GraphQLNullableType } from 'graphql';
import { pino } from 'pino';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { AppError } from '../../src/errors.ts';
import { createExecute } from '../../src/graphql/compiled-operations.ts';
import type { CompiledOperationsOptions, Execute } from '../../src/graphql/compiled-operations.ts';
import { MAX_FIELD_ERRORS } from '../../src/graphql/field-errors.ts';
import { presentResult } from '../../src/graphql/present-error.ts';
import { NO_METRICS } from '../../src/metrics/metrics.ts';

interface Part {
  id: string;
}

const needed = <T extends GraphQLNullableType>(type: T) => new GraphQLNonNull(type);
const Kind = new GraphQLEnumType({ name: 'Kind', values: { ONE: { value: 1 }, TWO: { value: 2 } } });
const Filter = new GraphQLInputObjectType({
  name: 'Filter',
  fields: { kind: { type: Kind, defaultValue: 2 }, names: { type: new GraphQLList(needed(GraphQLString)) } },
});
const Thing: GraphQLObjectType<Part> = new GraphQLObjectType<Part>({
  name: 'Thing',
  fields: () => ({
    id: { type: needed(GraphQLID), resolve: ({ id }) => id },
    kind: { type: Kind, resolve: () => 2 },
    later: { type: GraphQLString, resolve: async ({ id }) => `later ${id}` },
    echo: {
      type: GraphQLString,
      args: {
        filter: { type: Filter },
        count: { type: GraphQLInt, defaultValue: 3 },
        flag: { type: GraphQLBoolean },
        kind: { type: Kind },
        numbers: { type: new GraphQLList(GraphQLInt) },
        share: { type: GraphQLFloat },
      },
      // Left out is not null.
      resolve: (_thing, args) => inspect(structuredClone(args), { sorted: true }),
    },
    parent: { type: Thing, resolve: ({ id }) => (id.length > 2 ? null : { id: `${id}'` }) },
    parts: {
      type: new GraphQLList(Thing),
      resolve: async ({ id }) => [{ id: `${id}1` }, null, Promise.resolve({ id: `${id}2` })],
    },
    refuses: {
      type: GraphQLString,
      resolve() {
        throw new AppError('FORBIDDEN', 'Not yours.', { field: 'id' });
      },
    },
    breaksLater: { type: needed(GraphQLString), resolve: () => Promise.reject(new Error('broken')) },
    lacks: { type: needed(GraphQLString), resolve: () => null },
    misfits: { type: GraphQLInt, resolve: () => 'no number' },
  }),
});
const schema = new GraphQLSchema({
  query: new GraphQLObjectType({
    name: 'Query',
    fields: {
      thing: {
        type: Thing,
        args: { id: { type: needed(GraphQLID) } },
        resolve: async (_root, { id }: Part) => ({ id }),
      },
      things: { type: needed(new GraphQLList(needed(Thing))), resolve: () => [{ id: 'a' }, { id: 'b' }] },
    },
  }),
  mutation: new GraphQLObjectType({
    name: 'Mutation',
    fields: {
      write: {
        type: needed(GraphQLString),
        args: { text: { type: needed(GraphQLString) } },
        resolve: (_root, { text }: { text: string }) => text,
      },
    },
  }),
});

function toArgs(text: string, variableValues: Record<string, unknown> = {}, operationName?: string): ExecutionArgs {
  return { schema, document: parse(text), variableValues, operationName, contextValue: {} };
}

/** Runs it, and tells who did: graphql-js asks the schema where to begin; a compiled operation has been told. */
function watch(execute: Execute, args: ExecutionArgs) {
  const asked = vi.spyOn(schema, 'getRootType');
  try {
    const result = execute(args);
    return { result, isInterpreted: asked.mock.calls.length > 0 };
  } finally {
    asked.mockRestore();
  }
}

const isInterpreted = (execute: Execute, args: ExecutionArgs) => watch(execute, args).isInterpreted;

/** One that has its compiler in hand. */
async function createReady(options: CompiledOperationsOptions): Promise<Execute> {
  const execute = createExecute({ ...options, afterRuns: 0 });
  const args = toArgs('{ __typename }');
  await vi.waitFor(() => expect(isInterpreted(execute, args)).toBe(false));
  return execute;
}

const PRESENT = { requestId: 'r', logger: pino({ level: 'silent' }), metrics: NO_METRICS, hideSuggestions: false };

describe('a compiled operation', () => {
  let compiled: Execute;
  beforeAll(async () => {
    compiled = await createReady({ everyMs: 0 });
  });

  it.each<[what: string, text: string, variables?: Record<string, unknown>]>([
    [
      'fields of every kind',
      'query ($id: ID!) { thing(id: $id) { id kind later parent { id parent { id } } } }',
      { id: 'x' },
    ],
    ['lists with holes', '{ things { id parts { id later kind } __typename } }'],
    ['aliases and order', '{ b: things { later id } a: things { id later } }'],
    ['fragments', '{ things { ...A } } fragment A on Thing { id ...B } fragment B on Thing { later }'],
    [
      'a fragment in several others',
      '{ things { ...A ...B ...C } x: things { ...C } } fragment A on Thing { id ...C } fragment B on Thing { kind ...C } fragment C on Thing { later parent { id } }',
    ],
    [
      'a fragment within itself, deeper',
      '{ things { ...A parent { ...A parts { ...A } } } } fragment A on Thing { id kind }',
    ],
    [
      'fields asked for twice',
      '{ things { parent { id } parent { kind later } ...A } } fragment A on Thing { parent { id parts { id } } }',
    ],
    [
      'words of JavaScript',
      '{ function: things { class: id delete: kind return: later } new: things { null: id undefined: kind then: id } }',
    ],
    ['arguments left out', '{ things { echo } }'],
    ['arguments written out', '{ things { echo(count: 5, flag: true, kind: ONE) } }'],
    [
      'arguments by variables',
      'query ($f: Filter, $n: Int, $k: Kind) { things { echo(filter: $f, count: $n, kind: $k) } }',
      { f: { names: ['a', 'b'] }, n: 7, k: 'ONE' },
    ],
    [
      'variables left out',
      'query ($f: Filter, $n: Int, $k: Kind) { things { echo(filter: $f, count: $n, kind: $k) } }',
    ],
    [
      'variables that are null',
      'query ($f: Filter, $n: Int, $k: Kind) { things { echo(filter: $f, count: $n, kind: $k) } }',
      { f: null, n: null, k: null },
    ],
    ['a list of one', 'query ($f: Filter) { things { echo(filter: $f) } }', { f: { names: 'a', kind: 'ONE' } }],
    ['an error of a field', '{ things { id refuses } }'],
    ['an error behind line ends', '{\r\n  things {\n\r refuses\r    id } }'],
    ['an error that takes its parent along', '{ thing(id: 1) { id parent { breaksLater } } }'],
    ['an error that takes everything along', '{ things { breaksLater } }'],
    ['nothing where something must be', '{ thing(id: 1) { parts { lacks } } }'],
    ['what does not fit its type', '{ things { misfits } }'],
    ['several errors', '{ things { refuses misfits parts { breaksLater } } }'],
    ['a missing variable', 'query ($id: ID!) { thing(id: $id) { id } }'],
    ['a variable that is null', 'query ($id: ID!) { thing(id: $id) { id } }', { id: null }],
    ['a variable of another type', 'query ($f: Filter) { things { echo(filter: $f) } }', { f: { kind: 'THREE' } }],
    ['a variable with too much in it', 'query ($f: Filter) { things { echo(filter: $f) } }', { f: { __proto__x: 1 } }],
    ['a variable that nobody asked for', '{ things { id } }', { id: 1, constructor: 2 }],
  ])('answers as graphql-js does: %s', async (_what, text, variables = {}) => {
    const args = toArgs(text, variables);
    const expected = await interpret(args);
    await compiled(args);
    const run = watch(compiled, args);
    const result = await run.result;
    expect(run.isInterpreted).toBe(false);
    expect(JSON.stringify(result)).toBe(JSON.stringify(expected));
    // What the client is told of an error depends on what was thrown.
    expect(presentResult(result, PRESENT)).toEqual(presentResult(expected, PRESENT));
  });
});

/** Of a Thing; `spreads`: fragments that may be in it. */
function selection(depth: number, spreads: readonly string[]): fc.Arbitrary<string> {
  const leaf = fc.constantFrom(
    'id',
    'kind',
    'later',
    'refuses',
    'k: kind',
    'echo',
    'echo(count: 1)',
    'e: echo(flag: true)',
  );
  const own = spreads.length > 0 ? [fc.constantFrom(...spreads.map((name) => `...${name}`))] : [];
  const inner =
    depth > 0
      ? [
          fc
            .tuple(fc.constantFrom('parent', 'p: parent', 'parts', 'class: parts'), selection(depth - 1, spreads))
            .map((both) => both.join(' ')),
        ]
      : [];
  return fc
    .array(fc.oneof(leaf, ...own, ...inner), { minLength: 1, maxLength: 5 })
    .map((all) => `{ ${all.join(' ')} }`);
}

it('a compiled operation answers as graphql-js does, whatever fields and fragments it is made of', async () => {
  const execute = await createReady({ everyMs: 0 });
  let compiled = 0;
  const document = fc.record({
    query: selection(3, ['A', 'B', 'C']),
    other: selection(1, ['A', 'C']),
    A: selection(2, ['B', 'C']),
    B: selection(1, ['C']),
    C: selection(1, []),
  });
  await fc.assert(
    fc.asyncProperty(document, async ({ query, other, A, B, C }) => {
      const fragments = `fragment A on Thing ${A} fragment B on Thing ${B} fragment C on Thing ${C}`;
      const args = toArgs(`{ things ${query} thing(id: 1) ${other} } ${fragments}`);
      fc.pre(validate(schema, args.document).every(({ message }) => message.includes('is never used')));
      const interpreted = await interpret(args);
      // Of more, only the first that come are told.
      fc.pre((interpreted.errors?.length ?? 0) <= MAX_FIELD_ERRORS);
      const expected = JSON.stringify(interpreted);
      await execute(args);
      const { result, isInterpreted } = watch(execute, args);
      if (!isInterpreted) compiled += 1;
      expect(JSON.stringify(await result)).toBe(expected);
    }),
    { numRuns: 300 },
  );
  expect(compiled).toBeGreaterThan(50);
});

describe('an operation is left to graphql-js', () => {
  it('until it has come often', async () => {
    const execute = createExecute({ afterRuns: 3, everyMs: 0 });
    const args = toArgs('{ things { id } }');
    const runs = [];
    for (let run = 0; run < 10; run += 1) {
      runs.push(isInterpreted(execute, args));
      await sleep(0);
    }
    expect(runs.slice(0, 3)).toEqual([true, true, true]);
    await vi.waitFor(() => expect(isInterpreted(execute, args)).toBe(false));
  });

  const ECHO = 'things { echo(';
  it.each<[what: string, text: string, variables?: Record<string, unknown>]>([
    ['that writes', 'mutation ($t: String!) { write(text: $t) }', { t: 'a' }],
    ['with a string in it', '{ thing(id: "1") { id } }'],
    ['with a block of text in it', '{ thing(id: """1""") { id } }'],
    ['with a variable in an object', `query ($k: Kind) { ${ECHO}filter: { kind: $k }) } }`],
    ['with a variable in a list', `query ($i: Int) { ${ECHO}numbers: [$i, 1]) } }`],
    ['with a variable that is a list', `query ($i: [Int]) { ${ECHO}numbers: $i) } }`, { i: [1] }],
    ['with a fraction', `{ ${ECHO}share: 1.5) } }`],
    ['with null', `{ ${ECHO}count: null) } }`],
    ['with a preset variable', `query ($n: Int = 7) { ${ECHO}count: $n) } }`],
    ['with a condition', 'query ($s: Boolean!) { things { id kind @skip(if: $s) } }', { s: true }],
    [
      'with a condition of a fragment',
      'query ($s: Boolean!) { x: things { ...F @include(if: $s) } y: things { ...F } } fragment F on Thing { id }',
      { s: false },
    ],
    ['with a fragment that has no name', '{ things { ... on Thing { id } } }'],
    ['with several operations', 'query A { things { id } } query B { things { kind } }'],
    ['with a name that every object has', '{ things { constructor: id toString: kind } }'],
    ['with a prototype for a name', '{ things { __proto__: id } }'],
    [
      'with a variable of such a name',
      'query ($constructor: ID!) { thing(id: $constructor) { id } }',
      { constructor: '1' },
    ],
    [
      'with too many fields',
      `{ things { ${Array.from({ length: 10 }, (_, at) => `a${at}: parts { ...F }`).join(' ')} } } fragment F on Thing { ${'id kind later '.repeat(4)} }`,
    ],
  ])('for ever: one %s', async (_what, text, variables = {}) => {
    const execute = await createReady({ everyMs: 0 });
    const args = toArgs(text, variables, text.includes('query A') ? 'B' : undefined);
    const expected = await interpret(args);
    for (let run = 0; run < 5; run += 1) {
      const { result, isInterpreted } = watch(execute, args);
      expect(isInterpreted).toBe(true);
      expect(JSON.stringify(await result)).toBe(JSON.stringify(expected));
    }
  });

  it('while another has just been compiled', async () => {
    const execute = await createReady({ everyMs: 60_000 });
    const args = toArgs('{ things { id } }');
    for (let run = 0; run < 5; run += 1) expect(isInterpreted(execute, args)).toBe(true);
  });
});
