import { expect, it } from 'vitest';
import type { Cancellation } from '../../src/cancellation.ts';
import { createLoaders } from '../../src/features/loaders.ts';
import type { Services } from '../../src/features/services.ts';

/** Loaders over a store that knows every chat; each read is kept with what it was told of who waits. */
function watchReads(others: object = {}) {
  const reads: Array<{ ids: readonly string[]; cancellation: Cancellation | undefined }> = [];
  const findMany = (ids: readonly string[], cancellation: Cancellation | undefined) => {
    reads.push({ ids, cancellation });
    return Promise.resolve(ids.map((id) => ({ id })));
  };
  const other = { findMany: () => Promise.resolve([]) };
  const services = { users: other, presence: other, chats: { ...other, ...others, findMany }, messages: other };
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

it('what is not loaded by batches is read three at a time, and two hundred times for one operation', async () => {
  const { loadersFor } = watchReads();
  const loaders = loadersFor({ isCancelled: false });
  let running = 0;
  let most = 0;
  const read = async () => {
    most = Math.max(most, (running += 1));
    await new Promise((resolve) => setImmediate(resolve));
    running -= 1;
  };
  await Promise.all(Array.from({ length: 200 }, () => loaders.run(read)));
  expect(most).toBe(3);
  await expect(loaders.run(read)).rejects.toMatchObject({ code: 'QUERY_TOO_COMPLEX' });
  await loadersFor({ isCancelled: false }).run(read);
  // Events come one by one, for as long as somebody listens.
  const live = loadersFor();
  for (let nth = 0; nth < 300; nth += 1) await live.run(read);
});

it('an answer holds twenty thousand members at most', async () => {
  const listMembers = (ids: readonly string[]) =>
    Promise.resolve(ids.flatMap((chatId) => Array.from({ length: 1_000 }, () => ({ chatId }))));
  const { loadersFor } = watchReads({ listMembers });
  const loaders = loadersFor({ isCancelled: false });
  for (let nth = 0; nth < 20; nth += 1) expect(await loaders.members('a')).toHaveLength(1_000);
  await expect(loaders.members('a')).rejects.toMatchObject({ code: 'QUERY_TOO_COMPLEX' });
  const live = loadersFor();
  for (let nth = 0; nth < 30; nth += 1) expect(await live.members('a')).toHaveLength(1_000);
});
