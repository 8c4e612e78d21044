import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { buildSchema, parse } from 'graphql';
import { expect, it } from 'vitest';
import { isTooExpensive } from '../../src/graphql/document-cost.ts';

const schema = buildSchema(readFileSync('schema.graphql', 'utf8'));
/** Pages within pages. */
const pages = (depth: number, field: string) =>
  Array.from({ length: depth }).reduce<string>(
    (inner, _, nth) => `messages(last: $${'abc'[nth]}) { edges { node { id chat { ${inner} } } } }`,
    field,
  );
/** Within the limit or beyond it, by what the sizes of their pages are; the first never beyond. */
const texts = [1, 2, 3].map(
  (depth) => `query ($chat: ID!, $a: Int, $b: Int = 60, $c: Int) { chat(id: $chat) { ${pages(depth, 'title')} } }`,
);
const size = fc.oneof(fc.integer({ min: -5, max: 200 }), fc.constant(null));
const variables = fc.record({ chat: fc.constant('x'), a: size, b: size, c: size }, { requiredKeys: ['chat'] });

it('What an operation cost with other variables changes nothing', () => {
  const seen = new Set<boolean>();
  fc.assert(
    fc.property(fc.constantFrom(...texts), fc.array(variables, { minLength: 1, maxLength: 5 }), (text, asked) => {
      const document = parse(text);
      for (const variableValues of asked) {
        const outcome = isTooExpensive({ schema, document, variableValues });
        seen.add(outcome);
        expect(outcome).toBe(isTooExpensive({ schema, document: parse(text), variableValues }));
      }
    }),
    { numRuns: 500 },
  );
  expect(seen.size).toBe(2);
});

it('Whoever writes the largest pages out is refused as who asks for them by variables', () => {
  for (const text of texts) {
    const document = parse(text);
    const written = parse(text.replaceAll(/\(last: \$[abc]\)/g, '(last: 100)'));
    const asked = isTooExpensive({ schema, document, variableValues: { chat: 'x', a: 100, b: 100, c: 100 } });
    expect(isTooExpensive({ schema, document: written, variableValues: { chat: 'x' } })).toBe(asked);
  }
});
