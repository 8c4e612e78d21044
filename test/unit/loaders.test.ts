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
  const found = await Promise.all(
    ['a', 'b', 'a'].map((id, nth) => loadersFor({ cancellation: operations[nth % 2]! }).chat.load(id)),
  );
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
  await Promise.all([loadersFor({ cancellation: { isCancelled: true } }).chat.load('a'), loadersFor().chat.load('b')]);
  expect(reads).toEqual([{ ids: ['a', 'b'], cancellation: undefined }]);
});

it('what is not loaded by batches is told of its own operation', async () => {
  const { loadersFor } = watchReads();
  const cancellation = { isCancelled: false };
  expect(await loadersFor({ cancellation }).run((own) => Promise.resolve(own))).toBe(cancellation);
});

it('what is not loaded by batches is read three at a time, and two hundred times for one operation', async () => {
  const { loadersFor } = watchReads();
  const loaders = loadersFor({ cancellation: { isCancelled: false } });
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
  await loadersFor({ cancellation: { isCancelled: false } }).run(read);
  // An answer that is kept for many may not grow as large.
  const shared = loadersFor();
  for (let nth = 0; nth < 20; nth += 1) await shared.run(read);
  await expect(shared.run(read)).rejects.toMatchObject({ code: 'QUERY_TOO_COMPLEX' });
});

it('an answer holds twenty thousand members at most', async () => {
  const listMembers = (ids: readonly string[]) =>
    Promise.resolve(ids.flatMap((chatId) => Array.from({ length: 1_000 }, () => ({ chatId }))));
  const { loadersFor } = watchReads({ listMembers });
  const loaders = loadersFor({ cancellation: { isCancelled: false } });
  for (let nth = 0; nth < 20; nth += 1) expect(await loaders.members('a')).toHaveLength(1_000);
  await expect(loaders.members('a')).rejects.toMatchObject({ code: 'QUERY_TOO_COMPLEX' });
  const shared = loadersFor();
  for (let nth = 0; nth < 2; nth += 1) await shared.members('a');
  await expect(shared.members('a')).rejects.toMatchObject({ code: 'QUERY_TOO_COMPLEX' });
});

it('the members of many chats are counted before they are read, and read some chats at a time', async () => {
  const listed: Array<readonly string[]> = [];
  const sizes = (ids: readonly string[]) =>
    Promise.resolve(ids.map((chatId) => ({ chatId, members: chatId.startsWith('big') ? 1_000 : 500 })));
  const listMembers = (ids: readonly string[]) => {
    listed.push(ids);
    return Promise.resolve(ids.map((chatId) => ({ chatId })));
  };
  const { loadersFor } = watchReads({ countMembers: sizes, listMembers });
  const ask = (name: string, count: number) => {
    const loaders = loadersFor({ cancellation: { isCancelled: false } });
    return Promise.allSettled(Array.from({ length: count }, (_, nth) => loaders.members(`${name} ${nth}`)));
  };
  const [modest, greedy, other] = await Promise.all([ask('small', 30), ask('big', 40), ask('other', 30)]);
  for (const { status } of [...modest, ...other]) expect(status).toBe('fulfilled');
  for (const one of greedy) expect(one).toMatchObject({ reason: { code: 'QUERY_TOO_COMPLEX' } });
  expect(listed.map(({ length }) => length)).toEqual([40, 20]);
  expect(listed.flat().filter((id) => id.startsWith('big'))).toEqual([]);
});
