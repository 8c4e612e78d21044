import { getOperationAST, parse } from 'graphql';
import { expect, it } from 'vitest';
import { declaredVariables } from '../../src/graphql/declared-variables.ts';

const of = (text: string, variables: Record<string, unknown> | null | undefined) =>
  declaredVariables(getOperationAST(parse(text))!, variables);

it('are those that the operation names, with null and without what is absent', () => {
  const given = { a: 1, b: null, junk: [{}, {}] };
  expect(of('query ($a: Int, $b: Int, $c: Int) { me { id } }', given)).toEqual({ a: 1, b: null });
  expect(of('{ me { id } }', given)).toEqual({});
  expect(of('{ me { id } }', null)).toBeUndefined();
  expect(of('{ me { id } }', undefined)).toBeUndefined();
});

it('are the client’s own, whatever they are called', () => {
  expect(of('query ($toString: Int) { me { id } }', {})).toEqual({});
  const given = JSON.parse('{ "__proto__": { "polluted": true } }');
  const declared = of('query ($__proto__: JSON) { me { id } }', given)!;
  expect(Object.getPrototypeOf(declared)).toBe(Object.prototype);
  expect(Object.entries(declared)).toEqual([['__proto__', { polluted: true }]]);
});
