import { execute, GraphQLInt, GraphQLList, GraphQLNonNull, GraphQLObjectType, GraphQLSchema, parse } from 'graphql';
import { expect, it } from 'vitest';
import { AppError } from '../../src/errors.ts';
import { boundFieldErrors, boundResult, MAX_FIELD_ERRORS } from '../../src/graphql/field-errors.ts';

/** Ten thousand things of which nobody can have a part. */
function open() {
  let resolved = 0;
  const refuse = (): never => {
    resolved += 1;
    throw new AppError('FORBIDDEN', 'Not yours.');
  };
  const Thing = new GraphQLObjectType({
    name: 'Thing',
    fields: {
      atOnce: { type: new GraphQLNonNull(GraphQLInt), resolve: (_thing, _args, _context) => refuse() },
      later: { type: GraphQLInt, resolve: async (_thing, _args, _context) => refuse() },
    },
  });
  const things = { type: new GraphQLList(Thing), resolve: () => Array.from({ length: 10_000 }, () => ({})) };
  const schema = boundFieldErrors(
    new GraphQLSchema({ query: new GraphQLObjectType({ name: 'Query', fields: { things } }) }),
  );
  const run = async (text: string) => boundResult(await execute({ schema, document: parse(text), contextValue: {} }));
  return { run, resolved: () => resolved };
}

it('once too many fields have failed, none is resolved', async () => {
  const { run, resolved } = open();
  const { data, errors } = await run('{ things { atOnce } }');
  expect(resolved()).toBe(MAX_FIELD_ERRORS + 1);
  expect(data).toBeNull();
  expect(errors).toHaveLength(5);
  expect(errors![4]).toMatchObject({ message: 'Not yours.', path: ['things', 4, 'atOnce'] });
});

it('what fails later counts, too, where it takes its neighbours away with it', async () => {
  const { run } = open();
  const { data, errors } = await run('{ things { atOnce later } others: things { later } }');
  expect(data).toBeNull();
  expect(errors!.map(({ message }) => message)).toEqual(Array(5).fill('Not yours.'));
});

it('each operation has a count of its own', async () => {
  const { run, resolved } = open();
  await run('{ things { atOnce } }');
  await run('{ things { atOnce } }');
  expect(resolved()).toBe(2 * (MAX_FIELD_ERRORS + 1));
});
