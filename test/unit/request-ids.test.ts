import { expect, it } from 'vitest';
import { createRequestIds } from '../../src/server/request-ids.ts';

it('no two requests have the same id, of one process or of two', () => {
  const processes = [createRequestIds(), createRequestIds()];
  const ids = processes.flatMap((nextId) => Array.from({ length: 10_000 }, nextId));
  expect(new Set(ids).size).toBe(20_000);
  for (const id of ids) expect(id).toMatch(/^[\da-f]{24}$/);
});
