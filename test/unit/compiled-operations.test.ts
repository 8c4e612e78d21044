import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import { GraphQLBoolean, GraphQLEnumType, GraphQLID, GraphQLInputObjectType, GraphQLInt } from 'graphql';
import { GraphQLList, GraphQLNonNull, GraphQLObjectType, GraphQLSchema, GraphQLString } from 'graphql';
import { execute as interpret, parse } from 'graphql';
import type { ExecutionArgs, GraphQLNullableType } from 'graphql';
import { pino } from 'pino';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { AppError } from '../../src/errors.ts';
import { createExecute } from '../../src/graphql/compiled-operations.ts';
import type { CompiledOperationsOptions, Execute } from '../../src/graphql/compiled-operations.ts';
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
let written: string[] = [];
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
        args: { text: { type: needed(GraphQLString) }, ms: { type: needed(GraphQLInt) } },
        async resolve(_root, { text, ms }: { text: string; ms: number }) {
          await sleep(ms);
          written.push(text);
          return written.join('');
        },
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

  const WRITES = 'mutation ($a: String!, $b: String!) { one: write(text: $a, ms: 20) two: write(text: $b, ms: 1) }';

  it.each<[what: string, text: string, variables?: Record<string, unknown>, operationName?: string]>([
    [
      'fields of every kind',
      'query ($id: ID!) { thing(id: $id) { id kind later parent { id parent { id } } } }',
      { id: 'x' },
    ],
    ['lists with holes', '{ things { id parts { id later kind } __typename } }'],
    ['aliases and order', '{ b: things { later id } a: things { id later } }'],
    [
      'fragments',
      '{ things { ...A ... on Thing { kind } } } fragment A on Thing { id ...B } fragment B on Thing { later }',
    ],
    ['fields asked for twice', '{ things { parent { id } parent { kind later } } }'],
    ['arguments left out', '{ things { echo } }'],
    ['arguments written out', '{ things { echo(count: 5, flag: true, filter: { kind: ONE }) } }'],
    ['arguments that are null', '{ things { echo(count: null, filter: null) } }'],
    [
      'arguments by variables',
      'query ($f: Filter, $n: Int = 7, $flag: Boolean) { things { echo(filter: $f, count: $n, flag: $flag) } }',
      { f: { names: ['a', 'b'] } },
    ],
    ['a list of one', 'query ($f: Filter) { things { echo(filter: $f) } }', { f: { names: 'a', kind: 'ONE' } }],
    ['a part of an argument', 'query ($k: Kind!) { things { echo(filter: { kind: $k }) } }', { k: 'ONE' }],
    ['what is left out', 'query ($no: Boolean!) { things { id @skip(if: $no) kind @include(if: $no) } }', { no: true }],
    ['one operation of several', 'query A { things { id } } query B { things { kind } }', {}, 'B'],
    ['an error of a field', '{ things { id refuses } }'],
    ['an error behind line ends', '{\r\n  things {\n\r refuses\r    id } }'],
    ['an error that takes its parent along', '{ thing(id: 1) { id parent { breaksLater } } }'],
    ['an error that takes everything along', '{ things { breaksLater } }'],
    ['nothing where something must be', '{ thing(id: 1) { parts { lacks } } }'],
    ['what does not fit its type', '{ things { misfits } }'],
    ['several errors', '{ things { refuses misfits parts { breaksLater } } }'],
    ['writes, one after the other', WRITES, { a: 'a', b: 'b' }],
    ['a missing variable', 'query ($id: ID!) { thing(id: $id) { id } }'],
    ['a variable that is null', 'query ($id: ID!) { thing(id: $id) { id } }', { id: null }],
    ['a variable of another type', 'query ($f: Filter) { things { echo(filter: $f) } }', { f: { kind: 'THREE' } }],
    ['a variable with too much in it', 'query ($f: Filter) { things { echo(filter: $f) } }', { f: { __proto__x: 1 } }],
    ['a mutation with a bad variable', WRITES, { a: 'a', b: {} }],
  ])('answers as graphql-js does: %s', async (_what, text, variables = {}, operationName) => {
    const args = toArgs(text, variables, operationName);
    written = [];
    const expected = await interpret(args);
    await compiled(args);
    written = [];
    const run = watch(compiled, args);
    const result = await run.result;
    expect(run.isInterpreted).toBe(false);
    expect(JSON.stringify(result)).toBe(JSON.stringify(expected));
    // What the client is told of an error depends on what was thrown.
    expect(presentResult(result, PRESENT)).toEqual(presentResult(expected, PRESENT));
  });
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

  it.each([
    ['a string of the client in it', '{ thing(id: "1") { id } }'],
    ['a block of text in it', '{ thing(id: """1""") { id } }'],
    ['a string as a default', 'query ($id: ID = "1") { thing(id: $id) { id } }'],
    ['a string deep in it', '{ things { echo(filter: { names: ["a"] }) } }'],
    ['too much in it', `{ things { id ${'later '.repeat(350)} } }`],
  ])('for ever, with %s', async (_what, text) => {
    const execute = await createReady({ everyMs: 0 });
    const args = toArgs(text);
    for (let run = 0; run < 5; run += 1) expect(isInterpreted(execute, args)).toBe(true);
  });

  it('while another has just been compiled', async () => {
    const execute = await createReady({ everyMs: 60_000 });
    const args = toArgs('{ things { id } }');
    for (let run = 0; run < 5; run += 1) expect(isInterpreted(execute, args)).toBe(true);
  });
});
