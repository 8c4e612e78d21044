import { expect, it } from 'vitest';
import type { Cancellation } from '../../src/cancellation.ts';
import { createLoaders } from '../../src/features/loaders.ts';
import type { Services } from '../../src/features/services.ts';

/** Loaders over a store that knows every chat; each read is kept with what it was told of who waits. */
function watchReads() {
  const reads: Array<{ ids: readonly string[]; cancellation: Cancellation | undefined }> = [];
  const findMany = (ids: readonly string[], cancellation: Cancellation | undefined) => {
    reads.push({ ids, cancellation });
    return Promise.resolve(ids.map((id) => ({ id })));
  };
  const other = { findMany: () => Promise.resolve([]) };
  const services = { users: other, presence: other, chats: { ...other, findMany }, messages: other };
  return { reads, loadersFor: createLoaders(services as unknown as Services) };
}

it('a read that several operations share is cancelled when all of them are', async () => {
  const { reads, loadersFor } = watchReads();
  const operations = [{ isCancelled: false }, { isCancelled: false }] as const;
  const found = await Promise.all(['a', 'b', 'a'].map((id, nth) => loadersFor(operations[nth % 2]).chat.load(id)));
  expect(found).toEqual([{ id: 'a' }, { id: 'b' }, { id: 'a' }]);
  expect(reads.map(({ ids }) => ids)).toEqual([['a', 'b']]);
  const { cancellation } = reads[0]!;
  expect(cancellation!.isCancelled).toBe(false);
  Object.assign(operations[0], { isCancelled: true });
  expect(cancellation!.isCancelled).toBe(false);
  Object.assign(operations[1], { isCancelled: true });
  expect(cancellation!.isCancelled).toBe(true);
});

it('a read that is also for whoever never leaves is never cancelled', async () => {
  const { reads, loadersFor } = watchReads();
  await Promise.all([loadersFor({ isCancelled: true }).chat.load('a'), loadersFor().chat.load('b')]);
  expect(reads).toEqual([{ ids: ['a', 'b'], cancellation: undefined }]);
});

it('what is not loaded by batches is told of its own operation', async () => {
  const { loadersFor } = watchReads();
  const cancellation = { isCancelled: false };
  expect(await loadersFor(cancellation).run((own) => Promise.resolve(own))).toBe(cancellation);
});
