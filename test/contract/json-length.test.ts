import { afterAll, beforeAll, expect, it } from 'vitest';
import { BadUserInputError } from '../../src/errors.ts';
import { LIMITS, readExtraData } from '../../src/input-rules.ts';
import { keptJsonBytes } from '../../src/json-length.ts';
import { startInMemory } from '../../src/persistence/embedded.ts';
import type { EmbeddedEngine } from '../../src/persistence/embedded.ts';

let engine: EmbeddedEngine;
beforeAll(async () => {
  engine = await startInMemory();
}, 60_000);
afterAll(() => engine?.close());

const NUMBERS = [
  ...[0, 1, 12.5, 123_456_789_012_345_680_000, 0.000_001, 1e20],
  ...[1e21, 1.5e21, Number('1.2345678901234567e22'), 1e308, Number.MAX_VALUE],
  ...[1e-7, 1.5e-7, Number('1.2345678901234567e-10'), 1e-308, Number.MIN_VALUE],
];

it.each([...NUMBERS, ...NUMBERS.map((number) => -number)])('counts %d as long as jsonb writes it', async (number) => {
  const { rows } = await engine.pglite.query<{ text: string }>('SELECT $1::jsonb::text AS text', [number]);
  expect(keptJsonBytes(number)).toBe(rows[0]!.text.length);
});

it('counts every number, wherever it stands, and no text that looks like one', () => {
  expect(keptJsonBytes({ a: [1e21, { b: 1e21 }], c: '1e+21', é: null })).toBe(
    Buffer.byteLength(`{"a":[${'0'.repeat(22)},{"b":${'0'.repeat(22)}}],"c":"1e+21","é":null}`),
  );
  expect(keptJsonBytes(undefined)).toBe(0);
});

it('lets nobody attach more than is kept of it', () => {
  const fitting = Array<number>(26).fill(1e308);
  expect(readExtraData('extraData', fitting)).toBe(fitting);
  const refusal = new BadUserInputError('extraData', `At most ${LIMITS.extraDataBytes} bytes of JSON.`);
  for (const number of [1e308, -1e308, 1e-307])
    expect(() => readExtraData('extraData', Array(27).fill(number))).toThrow(refusal);
});
