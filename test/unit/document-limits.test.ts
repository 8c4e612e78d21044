import { getIntrospectionQuery, parse } from 'graphql';
import { describe, expect, it } from 'vitest';
import { DOCUMENT_LIMITS, isTooComplex } from '../../src/graphql/document-limits.ts';
import { countMeetings } from '../../src/graphql/document-meetings.ts';
import { CLIENT_MANIFEST, readTexts } from '../support/manifest.ts';

const { depth, aliases, directives, fields, meetings } = DOCUMENT_LIMITS;

const isRefused = (text: string) => isTooComplex(parse(text), DOCUMENT_LIMITS);
const times = (count: number, text: (index: number) => string) =>
  Array.from({ length: count }, (_, i) => text(i)).join(' ');
/** Fields within fields; the innermost has no selection. */
const nested = (levels: number, innermost = 'x') =>
  `${'a { '.repeat(levels - 1)}${innermost}${' }'.repeat(levels - 1)}`;
/** Of so many, each with each and with itself. */
const pairs = (count: number) => (count * (count + 1)) / 2;
/** Fields that meet nobody but themselves. */
const loners = (count: number) => times(count, (i) => `y${i}`);

describe('a document may have', () => {
  it.each([
    ['fields so deep', (n: number) => `{ ${nested(n)} }`, depth],
    ['fields so deep in a mutation', (n: number) => `mutation { ${nested(n)} }`, depth],
    [
      'fields so deep in inline fragments',
      (n: number) => `{ ... { ${'a { ... on A { '.repeat(n - 1)}x${' } }'.repeat(n - 1)} } }`,
      depth,
    ],
    ['fields so deep by a fragment', (n: number) => `{ a { ...f } } fragment f on A { ${nested(n - 1)} }`, depth],
    [
      'fields so deep by fragments of fragments',
      (n: number) => `{ ...f0 } ${times(n, (i) => `fragment f${i} on A { a { ...f${i + 1} } }`)}`,
      depth,
    ],
    ['so many aliases', (n: number) => `{ ${times(n, (i) => `b${i}: x`)} }`, aliases],
    ['so many aliases at any depth', (n: number) => `{ ${times(n, (i) => `a { b${i}: x }`)} }`, aliases],
    [
      'so many aliases by a fragment',
      (n: number) => `{ ${times(n, () => 'a { ...f }')} } fragment f on A { b: x }`,
      aliases,
    ],
    ['so many directives', (n: number) => `{ x ${times(n, () => '@skip(if: true)')} }`, directives],
    ['so many directives on inline fragments', (n: number) => `{ ${times(n, () => '... @d { x }')} }`, directives],
    [
      'so many directives on spreads',
      (n: number) => `{ ${times(n, () => '...f @d')} } fragment f on A { x }`,
      directives,
    ],
    ['so many directives on its operation', (n: number) => `query Q ${times(n, () => '@d')} { x }`, directives],
    [
      'so many directives on variables',
      (n: number) => `query Q(${times(n, (i) => `$v${i}: Int @d`)}) { x }`,
      directives,
    ],
    [
      'so many directives on a fragment that nobody spreads',
      (n: number) => `{ x } fragment f on A ${times(n, () => '@d')} { x }`,
      directives,
    ],
    ['so many fields', (n: number) => `{ ${loners(n)} }`, fields],
    [
      'so many fields by a fragment',
      (n: number) =>
        `{ ${times(n / 100, () => '...f')} ${n % 100 === 0 ? '' : 'x'} } fragment f on A { ${loners(100)} }`,
      fields,
    ],
    [
      'so many meetings of fields of one name',
      (n: number) => `{ ${times(140, () => 'x')} ${loners(n - pairs(140))} }`,
      meetings,
    ],
    [
      'so many meetings of fields with other arguments, or under one alias',
      (n: number) => `{ ${times(130, (i) => `x(a: ${i})`)} ${times(10, (i) => `x: z${i}`)} ${loners(n - pairs(140))} }`,
      meetings,
    ],
    [
      'so many meetings within fields that meet',
      (n: number) => `{ ${times(80, () => 'a { b { x } }')} ${loners(n - 3 * pairs(80))} }`,
      meetings,
    ],
    [
      'so many meetings of inline fragments’ fields, whatever their types',
      (n: number) => `{ ${times(139, (i) => `... on A${i} { x }`)} ${loners(n - 139 - pairs(139))} }`,
      meetings,
    ],
    [
      'so many meetings of fragments’ fields, and of their spreads',
      (n: number) =>
        `{ ${times(90, (i) => `...f${i}`)} ${loners(n - 90 - 2 * pairs(90))} } ${times(90, (i) => `fragment f${i} on A { x }`)}`,
      meetings,
    ],
    [
      'so many meetings of fragments within fragments',
      (n: number) => {
        const spreads = pairs(2) + pairs(4) + pairs(2);
        const many = times(50, () => 'x');
        return `{ a { ...f0 } a { ...f1 } ${loners(n - spreads - pairs(100) - 3 * pairs(50))} }
          fragment f0 on A { ...f2 ...f2 } fragment f1 on A { ${many} } fragment f2 on A { ${many} }`;
      },
      meetings,
    ],
    [
      'so many meetings of spreads of fragments that are not there',
      (n: number) => `{ ${times(140, (i) => `...f${i}`)} ${loners(n - pairs(140))} }`,
      meetings,
    ],
    [
      'so many meetings in a fragment that nobody spreads',
      (n: number) => `{ y } fragment f on A { ${times(140, () => 'x')} ${loners(n - 1 - pairs(140))} }`,
      meetings,
    ],
    [
      'so many meetings in the first of two fragments of one name',
      (n: number) =>
        `{ y } fragment f on A { ${times(140, () => 'x')} ${loners(n - 2 - pairs(140))} } fragment f on A { x }`,
      meetings,
    ],
    [
      'so many meetings in all of its operations',
      (n: number) =>
        `${times(100, (i) => `query Q${i} { ${times(13, () => 'x')} }`)} { ${loners(n - 100 * pairs(13))} }`,
      meetings,
    ],
  ])('%s, and no more', (_what, document, limit) => {
    expect(isRefused(document(limit))).toBe(false);
    expect(isRefused(document(limit + 1))).toBe(true);
  });

  it('several operations, each within the limits', () => {
    const operation = (name: string) => `query ${name} { ${times(aliases, (i) => `b${i}: x`)} }`;
    expect(isRefused(`${operation('One')} ${operation('Two')}`)).toBe(false);
    expect(isRefused(`${operation('One')} query Two { ${nested(depth + 1)} }`)).toBe(true);
  });
});

describe('the introspection that every tool sends', () => {
  it.each([
    ['as graphql-js writes it', getIntrospectionQuery()],
    [
      'with all that there is to ask',
      getIntrospectionQuery({ inputValueDeprecation: true, specifiedByUrl: true, oneOf: true }),
    ],
  ])('passes, %s', (_what, text) => {
    expect(isRefused(text)).toBe(false);
  });

  it('is no way around the depth', () => {
    expect(isRefused(`{ __schema { ${nested(40, 'name')} } }`)).toBe(true);
    expect(isRefused(`{ a { __schema { types { name } } ${nested(depth)} } }`)).toBe(true);
  });
});

it('meetings are counted no further than to where the limit is passed', () => {
  for (const text of [`{ ${times(1_000, () => 'x')} }`, times(1_000, (i) => `query Q${i} { x }`)])
    expect(countMeetings(parse(text), new Map(), 100)).toBeLessThan(120);
});

describe('what apps ask is far below the limit of meetings:', () => {
  const isFarBelow = (text: string) => !isTooComplex(parse(text), { ...DOCUMENT_LIMITS, meetings: meetings / 10 });

  it('all that the client package and the example app send', async () => {
    const texts = Object.values(await readTexts(CLIENT_MANIFEST));
    expect(texts.length).toBeGreaterThan(10);
    for (const text of texts) expect(isFarBelow(text), text).toBe(true);
  });

  it('introspection', () => {
    const everything = { inputValueDeprecation: true, specifiedByUrl: true, oneOf: true };
    expect(isFarBelow(getIntrospectionQuery(everything))).toBe(true);
  });

  it('thirty components that select the same ten fields, each in a fragment of its own', () => {
    const components = times(30, (i) => `fragment f${i} on A { ${loners(10)} }`);
    expect(isRefused(`{ a { ${times(30, (i) => `...f${i}`)} } } ${components}`)).toBe(false);
  });
});

describe('a bomb is measured in no time:', () => {
  it.each([
    [
      'fragments that double thirty times',
      `{ ...f0 } ${times(30, (i) => `fragment f${i} on A { ...f${i + 1} ...f${i + 1} }`)} fragment f30 on A { x }`,
      true,
    ],
    [
      'fragments that double and hold nothing but themselves',
      `{ ...f0 } ${times(30, (i) => `fragment f${i} on A { ...f${(i + 1) % 30} ...f${(i + 1) % 30} }`)}`,
      false,
    ],
    [
      'fields that double in fragments',
      `{ ...f0 } ${times(30, (i) => `fragment f${i} on A { a { ...f${i + 1} } b { ...f${i + 1} } }`)} fragment f30 on A { x }`,
      true,
    ],
    ['fields that repeat 100,000 times', `{ ${times(100_000, () => 'x')} }`, true],
    [
      'fragments that repeat what spreads them all',
      `{ ...f0 } ${times(40, (i) => `fragment f${i} on A { ${times(40 - i, (j) => `a { ...f${i + j + 1} }`)} }`)} fragment f40 on A { x }`,
      true,
    ],
    ['a fragment of itself', '{ ...f } fragment f on A { a { ...f } }', false],
    ['a fragment that is not there', '{ ...f }', false],
  ])('%s', (_what, text, refused) => {
    const document = parse(text);
    const start = performance.now();
    expect(isTooComplex(document, DOCUMENT_LIMITS)).toBe(refused);
    expect(performance.now() - start).toBeLessThan(1_000);
  });
});
