export const times = (count: number, write: (index: number) => string) =>
  Array.from({ length: count }, (_, i) => write(i));

/** The fields of the types of the fields, and so on. */
const circle = (levels: number): string => `fields { ${levels === 1 ? 'name' : `type { ${circle(levels - 1)} }`} }`;

/** Of five tokens each. */
export const manyOperations = (count: number) => times(count, (i) => `query A${i} { __typename }`).join(' ');

/** A document that asks for more than anybody may have, whatever the transport. */
export interface Bomb {
  name: string;
  query: string;
  variables?: Record<string, unknown>;
}

export const deep = (levels: number) => `{ me ${'{ a '.repeat(levels - 1)}${'}'.repeat(levels - 1)} }`;

/** Each fragment spreads the next one twice: 2^25 fields of a text of 1 KB. */
const doubling = (spread: (name: string) => string) =>
  `{ me { ...f0 } } ${times(25, (i) => `fragment f${i} on User { ${spread(`f${i + 1}`)} }`).join(' ')} fragment f25 on User { id }`;

export const chats = (sizes: string, inner: string) => `chats(${sizes}) { edges { node { ${inner} } } }`;
export const messages = (sizes: string, inner: string) => `messages(${sizes}) { edges { node { ${inner} } } }`;
export const FULL_PAGES = 'first: 100';

/** Each is refused with QUERY_TOO_COMPLEX. */
export const bombs: Bomb[] = [
  {
    name: 'fragments that double, each under two aliases',
    query: `{ me { ...f0 } } ${times(25, (i) => `fragment f${i} on User { a: chat { ...f${i + 1} } b: chat { ...f${i + 1} } }`).join(' ')} fragment f25 on User { id }`,
  },
  { name: 'fragments that double', query: doubling((name) => `...${name} ...${name}`) },
  { name: 'inline fragments that double', query: doubling((name) => `... { ...${name} } ... { ...${name} }`) },
  {
    name: 'fifteen times the same hundred fields',
    query: `{ ${times(15, (i) => `a${i}: chat(id: "x") { id kind title createdAt updatedAt revision unreadCount members { role } lastMessage { ...m chat { ...c } } messages(first: 1) { edges { node { chat { ...c } } } } }`).join(' ')} }
      fragment c on Chat { id kind title createdAt updatedAt revision lastMessage { ...m } messages(first: 1) { edges { node { ...m } } } }
      fragment m on Message { id seq body type clientId isRead createdAt editedAt deletedAt extraData author { id firstName lastName } chat { id kind title createdAt updatedAt } }`,
  },
  { name: 'depth 13', query: deep(13) },
  { name: 'depth 400', query: deep(400) },
  { name: 'depth 2,000', query: deep(2_000) },
  { name: 'depth 20,000', query: deep(20_000) },
  {
    name: 'depth 13 by fragments',
    query: `{ me { ...a } } fragment a on User { a { a { a { a { a { ...b } } } } } } fragment b on User { a { a { a { a { a { a { a } } } } } } }`,
  },
  { name: 'lists nested 2,000 deep', query: `{ user(id: ${'['.repeat(2_000)}${']'.repeat(2_000)}) { id } }` },
  { name: '16 aliases', query: `{ ${times(16, (i) => `a${i}: __typename`).join(' ')} }` },
  {
    name: '16 aliases in two fragments',
    query: `{ ...a ...b } fragment a on Query { ${times(8, (i) => `a${i}: __typename`).join(' ')} } fragment b on Query { ${times(8, (i) => `b${i}: __typename`).join(' ')} }`,
  },
  { name: '10,000 aliases', query: `{ ${times(10_000, (i) => `a${i}:me`).join(' ')} }` },
  {
    name: '100 sign-ins',
    query: `mutation { ${times(100, (i) => `a${i}: refresh(refreshToken: "x") { accessToken }`).join(' ')} }`,
  },
  { name: '16,001 characters', query: `{ __typename } #${'x'.repeat(15_985)}` },
  { name: '1,001 lines', query: `${'\n'.repeat(1_000)}{ __typename }` },
  { name: '30,000 lines', query: `{ __typename${'\r'.repeat(30_000)} }` },
  { name: 'a text that is too long, and no document', query: `{ ${'('.repeat(16_000)}` },
  { name: '51 directives', query: `{ ${times(51, () => '__typename @skip(if: true)').join(' ')} }` },
  {
    name: '51 directives on variables',
    query: `query (${times(51, (i) => `$a${i}: Int @x`).join(' ')}) { __typename }`,
  },
  { name: '20,000 unknown directives', query: `{ __typename ${'@a '.repeat(20_000)} }` },
  { name: '1,001 tokens', query: manyOperations(200).replace('__typename', '__typename __typename') },
  { name: '900 repeated fields', query: `{ ${'__typename '.repeat(900)} }` },
  { name: '20,000 repeated fields', query: `{ ${'id '.repeat(20_000)} }` },
  { name: '45,000 lines before what is wrong', query: `{ ${'\n'.repeat(45_000)} a b c }` },
  { name: 'the same small field 245 times', query: `{ ${times(245, () => 'me{id}').join(' ')} }` },
  {
    name: 'the same field of the same field',
    query: `{ ${times(100, () => 'chats{edges{node{id}}}').join(' ')} }`,
  },
  {
    name: 'the same field in inline fragments of several types',
    query: `{ ${times(150, (i) => `...on ${['Query', 'User', 'Chat'][i % 3]}{id}`).join(' ')} }`,
  },
  { name: 'the same field with other arguments', query: `{ ${times(120, (i) => `chat(id:${i}){id}`).join(' ')} }` },
  {
    name: 'the same field in each of a hundred fragments',
    query: `{ ${times(90, (i) => `...f${i}`).join(' ')} } ${times(90, (i) => `fragment f${i} on Query{me{id}}`).join(' ')}`,
  },
  {
    name: 'fragments that spread those behind them, in every place',
    query: `{ me { ...f0 } } ${times(24, (i) => `fragment f${i} on User { id ${times(Math.min(12, 24 - i), (j) => `...f${i + j + 1}`).join(' ')} }`).join(' ')} fragment f24 on User { id }`,
  },
  {
    name: 'spreads of fragments that are not there, over and over',
    query: `{ ${times(23, (i) => `me{${times(20, (j) => `...f${i}x${j}`).join(' ')}}`).join(' ')} }`,
  },
  {
    name: 'repeated fields in a fragment that nobody spreads',
    query: `{ __typename } fragment f on Query { ${times(200, () => 'me{id}').join(' ')} }`,
  },
  {
    name: 'repeated fields in the first of two fragments of one name',
    query: `{ __typename } fragment f on Query { ${times(200, () => 'me{id}').join(' ')} } fragment f on Query { __typename }`,
  },
  {
    name: 'sixty operations of a hundred fields',
    query: `${times(60, (i) => `query A${i} { ...f }`).join(' ')} fragment f on Query { ${times(20, (i) => `me { ...g${i} }`).join(' ')} } ${times(20, (i) => `fragment g${i} on User { id firstName lastName isOnline }`).join(' ')}`,
  },
  { name: '1,000 variables', query: `query (${times(1_000, (i) => `$a${i}: Int`).join(' ')}) { __typename }` },
  {
    name: 'an introspection that goes in circles',
    query: `{ __schema { types { ${circle(3)} } } }`,
  },
  {
    name: 'an introspection that goes in circles by fragments',
    query:
      '{ __schema { types { ...a } } } fragment a on __Type { fields { type { ...b } } } fragment b on __Type { fields { type { ...c } } } fragment c on __Type { fields { type { fields { name } } } }',
  },
  {
    name: 'a fragment that is called __schema',
    query: `{ ...__schema } fragment __schema on Query { __schema { types { ${circle(3)} } } }`,
  },
  {
    name: 'depth 13 in a fragment that is called __schema',
    query: `{ me { ...__schema } } fragment __schema on User ${'{ a '.repeat(12)}${'}'.repeat(12)}`,
  },
  {
    name: 'introspection that is deeper than any tool needs',
    query: `{ __type(name: "User") { ${'ofType { '.repeat(12)} name ${'}'.repeat(12)} } }`,
  },
  {
    name: 'pages of pages of pages',
    query: `{ ${chats(FULL_PAGES, messages(FULL_PAGES, `chat { ${messages(FULL_PAGES, 'id')} }`))} }`,
  },
  {
    name: 'pages of pages of pages, by variables',
    query: `query ($n: Int, $m: Int = 100) { ${chats('first: $n', messages('last: $m', `chat { ${messages('first: $n', 'id')} }`))} }`,
    variables: { n: 100 },
  },
  {
    name: 'pages of pages of pages, by fragments',
    query: `{ ${chats(FULL_PAGES, '...a')} } fragment a on Chat { ${messages(FULL_PAGES, 'chat { ...b }')} } fragment b on Chat { ${messages(FULL_PAGES, 'id')} }`,
  },
  {
    name: 'pages of pages of pages, by a preset variable with a name that every object has',
    query: `query ($constructor: Int = 100) { ${chats('first: $constructor', messages('last: $constructor', `chat { ${messages('first: $constructor', 'id')} }`))} }`,
    variables: {},
  },
  {
    name: 'everybody in every chat of every message',
    query: `{ ${chats(FULL_PAGES, messages(FULL_PAGES, 'chat { members { user { id } } }'))} }`,
  },
];
