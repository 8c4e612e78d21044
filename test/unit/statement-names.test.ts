import { expect, it } from 'vitest';
import { createStatementNames } from '../../src/persistence/statement-names.ts';

it('names a statement by its text, whatever its values are', () => {
  const nameOf = createStatementNames();
  const first = nameOf({ sql: 'SELECT $1', args: [1] });
  expect(first).not.toBe('');
  expect(nameOf({ sql: 'SELECT $1', args: [2] })).toBe(first);
  expect(nameOf({ sql: 'SELECT $1, 2', args: [1] })).not.toBe(first);
});

it('leaves one without parameters alone', () => {
  expect(createStatementNames()({ sql: 'COMMIT', args: [] })).toBe('');
});

it('stops at a hundred, and keeps those', () => {
  const nameOf = createStatementNames();
  const nameAll = () => Array.from({ length: 150 }, (_, nth) => nameOf({ sql: `SELECT $1, ${nth}`, args: [nth] }));
  const names = nameAll();
  expect(new Set(names.slice(0, 100)).size).toBe(100);
  expect(names.indexOf('')).toBe(100);
  expect(new Set(names.slice(100))).toEqual(new Set(['']));
  expect(nameAll()).toEqual(names);
});
