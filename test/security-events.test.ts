import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..');

/** What operators build alerts on. */
it('SECURITY.md lists every event that the log knows by name, and no other', () => {
  const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !path.startsWith('generated'))
    .map((path) => readFileSync(join(ROOT, 'src', path), 'utf8'));
  const logged = sources.flatMap((source) => [...source.matchAll(/\bevent: '([^']+)'/g)].map((match) => match[1]));
  const listed = [...readFileSync(join(ROOT, 'SECURITY.md'), 'utf8').matchAll(/^\| `([a-z_]+\.[a-z_]+)`/gm)];
  expect(new Set(listed.map((match) => match[1]))).toEqual(new Set(logged));
  expect(listed.length).toBeGreaterThan(5);
});
