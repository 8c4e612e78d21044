import { Kind, parse } from 'graphql';
import { expect, it } from 'vitest';
import { countLimited } from '../../src/graphql/address-limits.ts';
import { createSchema } from '../../src/graphql/schema.ts';

const schema = createSchema();

function count(text: string) {
  const document = parse(text);
  const operation = document.definitions.find((node) => node.kind === Kind.OPERATION_DEFINITION)!;
  return Object.fromEntries(countLimited(schema, document, operation));
}

const TOKEN = '{ accessToken }';
const login = `login(input: { email: "a", password: "b" }) ${TOKEN}`;

it.each([
  [
    'each kind',
    `mutation { ${login} r: refresh(refreshToken: "x") ${TOKEN} ...R } fragment R on Mutation { register(input: {}) ${TOKEN} }`,
    { login: 1, refresh: 1, register: 1 },
  ],
  ['a login by a provider', `mutation { loginWithProvider(input: { idToken: "x" }) ${TOKEN} }`, { login: 1 }],
  ['a search', '{ users(search: "a") { edges { cursor } } }', { search: 1 }],
  ['each alias', `mutation { a: ${login} b: ${login} c: ${login} }`, { login: 3 }],
  [
    'what stands in fragments',
    `mutation { a: ${login} ...F ... on Mutation { c: ${login} } } fragment F on Mutation { b: ${login} ...G } fragment G on Mutation { d: ${login} }`,
    { login: 4 },
  ],
  [
    'what is run once, once',
    `mutation { ${login} ${login} ...F ...F } fragment F on Mutation { ${login} ...F }`,
    { login: 1 },
  ],
  ['what an alias hides', `mutation { logout: ${login} }`, { login: 1 }],
  [
    'what a directive leaves to a variable',
    `mutation ($no: Boolean!) { ${login.replace(TOKEN, `@skip(if: $no) ${TOKEN}`)} }`,
    { login: 1 },
  ],
  ['nothing else', '{ login: me { users: id } __schema { types { name } } __typename }', {}],
  ['nothing of a subscription', 'subscription { chatUpdated { id } }', {}],
])('counts %s', (_what, text, counts) => {
  expect(count(text)).toEqual(counts);
});

it('leaves a bomb of fragments alone', () => {
  const bomb = Array.from({ length: 60 }, (_, n) => `fragment F${n} on Mutation { ...F${n + 1} ...F${n + 1} }`);
  expect(count(`mutation { ...F0 } ${bomb.join(' ')} fragment F60 on Mutation { ${login} }`)).toEqual({ login: 1 });
});
