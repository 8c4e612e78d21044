import { expect, it } from 'vitest';
import { templateName } from '../../src/persistence/embedded-template.ts';

it('the template of an embedded database is that of one PGlite and of these migrations, and no other', () => {
  const first = { name: '1_first', sql: 'CREATE TABLE first (id INT);' };
  const second = { name: '2_second', sql: 'CREATE TABLE second (id INT);' };
  const names = [
    templateName('1.0.0', [first, second]),
    templateName('1.0.1', [first, second]),
    templateName('1.0.0', [first]),
    templateName('1.0.0', [first, { ...second, sql: '' }]),
    templateName('1.0.0', [first, { ...second, name: '3_second' }]),
  ];
  expect(new Set(names).size).toBe(names.length);
  expect(templateName('1.0.0', [{ ...first }, { ...second }])).toBe(names[0]);
});
