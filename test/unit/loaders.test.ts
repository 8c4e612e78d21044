import { expect, it } from 'vitest';
import type { Cancellation } from '../../src/cancellation.ts';
import { TimeoutError } from '../../src/errors.ts';
import { createFairness } from '../../src/features/fairness.ts';
import { createLoaders } from '../../src/features/loaders.ts';
import type { Loaders } from '../../src/features/loaders.ts';
import type { Services } from '../../src/features/services.ts';
import { EVENT_LIMITS } from '../../src/features/tally.ts';
import type { Membership } from '../../src/realtime/source.ts';

/** Of each member one field is shown, and nothing that people are known by. */
const ROLES = { people: 0, fields: 1 };

/** Loaders over a store that knows every chat; each read is kept with what it was told of who waits. */
function watchReads(others: object = {}, options: Parameters<typeof createLoaders>[1] = {}) {
  const reads: Array<{ ids: readonly string[]; cancellation: Cancellation | undefined }> = [];
  const findMany = (ids: readonly string[], cancellation: Cancellation | undefined) => {
    reads.push({ ids, cancellation });
    return Promise.resolve(ids.map((id) => ({ id })));
  };
  const other = { findMany: () => Promise.resolve([]) };
  const services = { users: other, presence: other, chats: { ...other, ...others, findMany }, messages: other };
  return { reads, loadersFor: createLoaders(services as unknown as Services, options) };
}

it('a read that several operations share is cancelled when all of them are', async () => {
  const { reads, loadersFor } = watchReads();
  const operations = [{ isCancelled: false }, { isCancelled: false }] as const;
  const found = await Promise.all(
    ['a', 'b', 'a'].map((id, nth) =>
      loadersFor({ person: 'somebody', cancellation: operations[nth % 2]! }).chat.load(id),
    ),
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
  await Promise.all([
    loadersFor({ person: 'somebody', cancellation: { isCancelled: true } }).chat.load('a'),
    loadersFor().chat.load('b'),
  ]);
  expect(reads).toEqual([{ ids: ['a', 'b'], cancellation: undefined }]);
});

it('what is not loaded by batches is told of its own operation', async () => {
  const { loadersFor } = watchReads();
  const cancellation = { isCancelled: false };
  expect(await loadersFor({ person: 'somebody', cancellation }).run((own) => Promise.resolve(own))).toBe(cancellation);
});

it('what is not loaded by batches is read three at a time, and two hundred times for one operation', async () => {
  const { loadersFor } = watchReads();
  const loaders = loadersFor({ person: 'somebody', cancellation: { isCancelled: false } });
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
  await loadersFor({ person: 'somebody', cancellation: { isCancelled: false } }).run(read);
  // An answer that is made for many has none.
  await expect(loadersFor().run(read)).rejects.toMatchObject({ code: 'QUERY_TOO_COMPLEX' });
});

it('an answer holds twenty thousand members at most', async () => {
  const listMembers = (ids: readonly string[]) =>
    Promise.resolve(ids.flatMap((chatId) => Array.from({ length: 1_000 }, () => ({ chatId }))));
  const { loadersFor } = watchReads({ listMembers });
  const loaders = loadersFor({ person: 'somebody', cancellation: { isCancelled: false } });
  for (let nth = 0; nth < 20; nth += 1) expect(await loaders.members('a', ROLES)).toHaveLength(1_000);
  await expect(loaders.members('a', ROLES)).rejects.toMatchObject({ code: 'QUERY_TOO_COMPLEX' });
  const shared = loadersFor();
  for (let nth = 0; nth < 2; nth += 1) await shared.members('a', ROLES);
  await expect(shared.members('a', ROLES)).rejects.toMatchObject({ code: 'QUERY_TOO_COMPLEX' });
});

it('an answer shows two hundred thousand fields of members at most, an event and an answer for many a tenth of that', async () => {
  const listMembers = (ids: readonly string[]) =>
    Promise.resolve(ids.flatMap((chatId) => Array.from({ length: 1_000 }, () => ({ chatId }))));
  const { loadersFor } = watchReads({ listMembers });
  const ask = async (loaders: Loaders, chats: number, fields: number) => {
    for (let nth = 0; nth < chats; nth += 1) await loaders.members('a', { people: 0, fields });
  };
  const ofSomebody = () => loadersFor({ person: 'somebody', cancellation: { isCancelled: false } });
  await ask(ofSomebody(), 20, 10);
  await ask(ofSomebody(), 1, 200);
  const { loadersFor: loadersOfEvents } = watchReads({ listMembers }, { limits: EVENT_LIMITS });
  const ofEvent = () => loadersOfEvents({ person: 'somebody', cancellation: { isCancelled: false } });
  await ask(ofEvent(), 2, 10);
  for (const [loaders, chats, fields] of [
    [ofSomebody(), 19, 11],
    [ofSomebody(), 1, 201],
    [ofEvent(), 3, 1],
    [ofEvent(), 1, 21],
    [loadersFor(), 1, 21],
  ] as const) {
    await expect(ask(loaders, chats, fields)).rejects.toMatchObject({ code: 'QUERY_TOO_COMPLEX' });
    expect(loaders.isTooMuch).toBe(true);
  }
});

it('the members of one chat after the other are shown, and the loop turns in between', async () => {
  const busyUntil = (end: number) => {
    while (performance.now() < end);
  };
  const listMembers = (ids: readonly string[]) =>
    Promise.resolve(ids.flatMap((chatId) => Array.from({ length: 1_000 }, () => ({ chatId }))));
  const { loadersFor } = watchReads({ listMembers });
  const loaders = loadersFor({ person: 'somebody', cancellation: { isCancelled: false } });
  let turns = 0;
  const count = () => void ((turns += 1), (timer = setImmediate(count)));
  let timer = setImmediate(count);
  const shown = async (chatId: string) => {
    await loaders.members(chatId, { people: 0, fields: 5 });
    busyUntil(performance.now() + 12);
    return turns;
  };
  const seen = await Promise.all(Array.from({ length: 8 }, (_, nth) => shown(`${nth}`)));
  clearImmediate(timer);
  // The first few begin at once.
  expect(new Set(seen).size).toBeGreaterThanOrEqual(4);
});

it('an operation loads two hundred thousand times at most, an answer for many a tenth of that, the same or another', async () => {
  const { reads, loadersFor } = watchReads();
  const code = 'QUERY_TOO_COMPLEX';
  for (const [loaders, limit] of [
    [loadersFor({ person: 'somebody', cancellation: { isCancelled: false } }), 200_000],
    [loadersFor(), 20_000],
  ] as const) {
    const loads = Array.from({ length: limit }, (_, nth) => loaders.chat.load(`${nth % 3}`));
    expect(loaders.isTooMuch).toBe(false);
    await expect(loaders.user.load('a')).rejects.toMatchObject({ code });
    await expect(loaders.unread.load({ chatId: '1', userId: 'a' })).rejects.toMatchObject({ code });
    expect(loaders.isTooMuch).toBe(true);
    await Promise.all(loads);
  }
  expect(reads.map(({ ids }) => ids)).toEqual([
    ['0', '1', '2'],
    ['0', '1', '2'],
  ]);
});

it('what an operation asks for again while it waits is asked for once, and told to all who asked', async () => {
  const asked: Array<readonly Membership[]> = [];
  const findByMemberships = (pairs: readonly Membership[]) => {
    asked.push(pairs);
    return Promise.resolve(pairs.map(({ chatId, userId }) => ({ id: chatId, memberId: userId })));
  };
  const { reads, loadersFor } = watchReads({ findByMemberships });
  const { chat, chatOfMember } = loadersFor({ person: 'somebody', cancellation: { isCancelled: false } });
  const [first, again, other] = [chat.load('a'), chat.load('a'), chat.load('b')];
  expect(again).toBe(first);
  const pair = () => chatOfMember.load({ chatId: 'a', userId: 'x' });
  const pairs = [pair(), pair(), chatOfMember.load({ chatId: 'a', userId: 'y' })];
  expect(await Promise.all([first, again, other])).toEqual([{ id: 'a' }, { id: 'a' }, { id: 'b' }]);
  expect((await Promise.all(pairs)).map((found) => found!.memberId)).toEqual(['x', 'x', 'y']);
  expect(reads.map(({ ids }) => ids)).toEqual([['a', 'b']]);
  expect(asked).toHaveLength(1);
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
    const loaders = loadersFor({ person: 'somebody', cancellation: { isCancelled: false } });
    return Promise.allSettled(Array.from({ length: count }, (_, nth) => loaders.members(`${name} ${nth}`, ROLES)));
  };
  const [modest, greedy, other] = await Promise.all([ask('small', 30), ask('big', 40), ask('other', 30)]);
  for (const { status } of [...modest, ...other]) expect(status).toBe('fulfilled');
  for (const one of greedy) expect(one).toMatchObject({ reason: { code: 'QUERY_TOO_COMPLEX' } });
  expect(listed.map(({ length }) => length)).toEqual([40, 20]);
  expect(listed.flat().filter((id) => id.startsWith('big'))).toEqual([]);
});

/** Loaders over a store that answers when it is told to, and what it was asked. */
function holdReads(share: number) {
  const held: Array<{ what: string; answer: () => void }> = [];
  const hold = (what: string) => new Promise<void>((resolve) => held.push({ what, answer: resolve }));
  const findMany = async (ids: readonly string[]) => {
    await hold(ids.join(' '));
    return ids.map((id) => ({ id }));
  };
  const services = { users: { findMany }, presence: {}, chats: { findMany }, messages: {} } as unknown as Services;
  const loadersFor = createLoaders(services, { fairness: createFairness(share) });
  const ofCancelled = (person: string, cancellation: { isCancelled: boolean }) => loadersFor({ person, cancellation });
  const of = (person: string) => ofCancelled(person, { isCancelled: false });
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  return { held, hold, of, ofCancelled, turn, asked: () => held.map(({ what }) => what) };
}

it('one person reads so many pages at a time, and nobody else waits for them', async () => {
  const { hold, of, asked, held, turn } = holdReads(2);
  const reads = ['a', 'b', 'c'].map((what) => of('ann').run(() => hold(what)));
  reads.push(of('bob').run(() => hold('d')));
  await turn();
  expect(asked()).toEqual(['a', 'b', 'd']);
  held[0]!.answer();
  await turn();
  expect(asked()).toEqual(['a', 'b', 'd', 'c']);
  for (const { answer } of held) answer();
  await Promise.all(reads);
});

it('what one person began first goes on before what they began later', async () => {
  const { hold, of, asked, held, turn } = holdReads(1);
  const [first, second] = [of('ann'), of('ann')];
  const reads = [first.run(() => hold('a1')), second.run(() => hold('b1')), first.run(() => hold('a2'))];
  for (let nth = 0; nth < 3; nth += 1) {
    await turn();
    held[nth]!.answer();
  }
  await Promise.all(reads);
  expect(asked()).toEqual(['a1', 'a2', 'b1']);
});

it('what one person does waits for what they read, and does not begin when nobody waits for it', async () => {
  const { hold, of, ofCancelled, asked, held, turn } = holdReads(1);
  const reading = of('ann').run(() => hold('page'));
  const gone = { isCancelled: false };
  const writing = of('ann').inTurn(() => hold('edit'));
  const abandoned = ofCancelled('ann', gone)
    .inTurn(() => hold('never'))
    .catch((error: unknown) => error);
  await of('bob').inTurn(() => 'at once');
  await turn();
  expect(asked()).toEqual(['page']);
  gone.isCancelled = true;
  held[0]!.answer();
  await turn();
  expect(asked()).toEqual(['page', 'edit']);
  held[1]!.answer();
  expect(await abandoned).toBeInstanceOf(TimeoutError);
  await Promise.all([reading, writing]);
  expect(asked()).toEqual(['page', 'edit']);
});

it('one person has so many batches under way, gathers the rest, and shares no wait', async () => {
  const { of, asked, held, turn } = holdReads(2);
  const loads: Array<Promise<unknown>> = [];
  for (const [person, id] of [
    ['ann', '1'],
    ['ann', '2'],
    ['ann', '3'],
    ['ann', '4'],
    ['bob', '5'],
  ] as const) {
    loads.push(of(person).chat.load(id));
    await turn();
  }
  loads.push(of('ann').user.load('6'), of('bob').chat.load('7'));
  await turn();
  expect(asked()).toEqual(['1', '2', '5', '7']);
  held[1]!.answer();
  await turn();
  await turn();
  // Of one kind or the other: both were waiting for one place.
  expect(asked().slice(4)).toEqual(['3 4']);
  held[0]!.answer();
  await turn();
  await turn();
  expect(asked().slice(5)).toEqual(['6']);
  for (const { answer } of held) answer();
  await Promise.all(loads);
});

it('what one person asks for is read by a thousand, in at most their share of statements', async () => {
  const { of, held, turn } = holdReads(2);
  const loaders = of('ann');
  const loads = Array.from({ length: 3_500 }, (_, nth) => loaders.chat.load(`${nth}`));
  await turn();
  expect(held.map(({ what }) => what.split(' ').length)).toEqual([1_000, 1_000]);
  for (let nth = 0; nth < 4; nth += 1) {
    held[nth]!.answer();
    await turn();
    await turn();
  }
  expect(held.map(({ what }) => what.split(' ').length)).toEqual([1_000, 1_000, 1_000, 500]);
  await Promise.all(loads);
});

it('what is asked for again fills no statement, whoever else asks for the same', async () => {
  const { of, held, turn } = holdReads(2);
  const [first, second] = [of('ann'), of('ann')];
  const loads = Array.from({ length: 3_000 }, (_, nth) => first.chat.load(`${nth % 600}`));
  loads.push(...Array.from({ length: 600 }, (_, nth) => second.chat.load(`${nth % 300}`)));
  expect(new Set(loads).size).toBe(900);
  await turn();
  expect(held.map(({ what }) => what.split(' ').length)).toEqual([600]);
  held[0]!.answer();
  const found = await Promise.all(loads);
  expect(found.map((chat) => chat!.id)).toEqual(loads.map((_, nth) => `${nth < 3_000 ? nth % 600 : nth % 300}`));
});

it('what is asked for again once its statement is taken has another', async () => {
  const { of, asked, held, turn } = holdReads(2);
  const loaders = of('ann');
  const before = loaders.chat.load('a');
  await turn();
  const after = loaders.chat.load('a');
  expect(after).not.toBe(before);
  await turn();
  expect(asked()).toEqual(['a', 'a']);
  for (const { answer } of held) answer();
  await Promise.all([before, after]);
  const later = loaders.chat.load('a');
  await turn();
  expect(asked()).toEqual(['a', 'a', 'a']);
  held[2]!.answer();
  await later;
});

it('between a thousand answers and the next, the node does something else', async () => {
  const { loadersFor } = watchReads();
  const { chat } = loadersFor({ person: 'somebody', cancellation: { isCancelled: false } });
  const told = [0, 0, 0];
  for (let nth = 0; nth < 1_800; nth += 1) void chat.load(`${nth % 3}`).then(() => (told[nth % 3]! += 1));
  const seen = new Set<number>();
  for (let sum = 0; sum < 1_800; seen.add(sum)) {
    await new Promise((resolve) => setImmediate(resolve));
    sum = told.reduce((all, one) => all + one);
  }
  expect([...seen].filter((sum) => sum > 0)).toEqual([600, 1_200, 1_800]);
});

it('a failed batch is told to all who asked, and leaves its place', async () => {
  const findMany = () => Promise.reject(new Error('away'));
  const services = { users: {}, presence: {}, chats: { findMany }, messages: {} } as unknown as Services;
  const loaders = createLoaders(services, { fairness: createFairness(1) })({
    person: 'ann',
    cancellation: { isCancelled: false },
  });
  for (let nth = 0; nth < 3; nth += 1)
    for (const load of [loaders.chat.load('a'), loaders.chat.load('a')]) await expect(load).rejects.toThrow('away');
});
