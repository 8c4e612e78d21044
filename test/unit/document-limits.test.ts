import { getIntrospectionQuery, parse } from 'graphql';
import { describe, expect, it } from 'vitest';
import { DOCUMENT_LIMITS, isTooComplex } from '../../src/graphql/document-limits.ts';

const { depth, aliases, directives, fields } = DOCUMENT_LIMITS;

const isRefused = (text: string) => isTooComplex(parse(text), DOCUMENT_LIMITS);
const times = (count: number, text: (index: number) => string) =>
  Array.from({ length: count }, (_, i) => text(i)).join(' ');
/** Fields within fields; the innermost has no selection. */
const nested = (levels: number, innermost = 'x') =>
  `${'a { '.repeat(levels - 1)}${innermost}${' }'.repeat(levels - 1)}`;

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
    ['so many fields', (n: number) => `{ ${times(n, () => 'x')} }`, fields],
    [
      'so many fields by a fragment',
      (n: number) =>
        `{ ${times(n / 100, () => '...f')} ${n % 100 === 0 ? '' : 'x'} } fragment f on A { ${times(100, () => 'x')} }`,
      fields,
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
    ['a fragment of itself', '{ ...f } fragment f on A { a { ...f } }', false],
    ['a fragment that is not there', '{ ...f }', false],
  ])('%s', (_what, text, refused) => {
    const document = parse(text);
    const start = performance.now();
    expect(isTooComplex(document, DOCUMENT_LIMITS)).toBe(refused);
    expect(performance.now() - start).toBeLessThan(1_000);
  });
});
