import { describe, expect, it, vi } from 'vitest';
import { NotFoundError } from '../../src/errors.ts';
import { NO_METRICS } from '../../src/metrics/metrics.ts';
import { createChatFeeds } from '../../src/realtime/chat-feeds.ts';
import type { ChatFeedsOptions } from '../../src/realtime/chat-feeds.ts';
import type { FeedMessage, UserChats } from '../../src/realtime/source.ts';
import { createUserFeeds } from '../../src/realtime/user-feeds.ts';
import { CHAT, createQuietBroker, createTruth, turn } from '../support/chat-truth.ts';
import { deferred, within } from '../support/wait.ts';

/*
 * Orders of events that a real database and a real broker show once in ten thousand times. The truth is a chat in
 * memory; a gate holds one kind of read after it has seen the truth and before its answer arrives.
 */

function setUp({ charactersOf = () => 1, inTurn, breathe }: Partial<ChatFeedsOptions<FeedMessage>> = {}) {
  const truth = createTruth();
  const { broker, listening, hint, listenerCount } = createQuietBroker();
  const fail = (error: unknown) => {
    throw error;
  };
  const losses: string[] = [];
  const metrics = { ...NO_METRICS, hintLossHealed: (feed: string) => void losses.push(feed) };
  const common = { metrics, breathe, source: truth.source, broker, isTransient: () => false, onFailure: fail };
  const feeds = createChatFeeds<FeedMessage>({ ...common, charactersOf, inTurn });
  const userFeeds = createUserFeeds({ ...common, chatFeeds: feeds });
  const follow = (userId: string, after = truth.head().lastSeq, head = truth.head()) =>
    feeds.follow({ userId, kind: 'added', after, head });
  return { truth, feeds, userFeeds, follow, listening, hint, listenerCount, losses };
}

async function read(cursor: AsyncIterator<FeedMessage>): Promise<number> {
  const { value } = await within(cursor.next(), 1_000, 'the next message');
  return (value as FeedMessage).seq;
}

describe('the feed of a chat', () => {
  it('finds what was committed before the broker listened, once it listens', async () => {
    const { truth, follow, listening } = setUp();
    const bob = follow('bob');
    const next = read(bob);
    truth.say();
    listening();
    expect(await next).toBe(1);
  });

  it('gives once what two reads bring at the same time, whichever comes first', async () => {
    for (const order of [0, 1]) {
      const { truth, feeds, follow, hint } = setUp();
      const bob = follow('bob');
      const gates = [truth.hold('listAdded'), truth.hold('listAdded')];
      truth.say();
      const sweeping = feeds.sweep();
      await turn();
      truth.say();
      hint(2);
      await turn();
      gates[order]!();
      await turn();
      gates[1 - order]!();
      await sweeping;
      await turn();
      truth.say();
      await feeds.sweep();
      expect([await read(bob), await read(bob), await read(bob)]).toEqual([1, 2, 3]);
    }
  });

  it('gives nothing to whoever was removed after their membership was checked and before they joined', async () => {
    const { truth, feeds, follow } = setUp();
    const ann = follow('ann');
    const checked = truth.head();
    truth.setMember('bob', false);
    truth.say();
    await feeds.sweep();
    expect(await read(ann)).toBe(1);
    await expect(follow('bob', 0, checked).next()).rejects.toBeInstanceOf(NotFoundError);
  });

  it('gives nothing to whoever joined while former members were being looked for', async () => {
    const { truth, feeds, follow } = setUp();
    const ann = follow('ann');
    const checked = truth.head();
    truth.setMember('bob', false);
    truth.say();
    const answer = truth.hold('filterMemberships');
    const sweeping = feeds.sweep();
    await turn();
    const bob = follow('bob', 0, checked);
    const refused = bob.next().catch((error: unknown) => error);
    answer();
    await sweeping;
    expect(await refused).toBeInstanceOf(NotFoundError);
    expect(await read(ann)).toBe(1);
  });

  it('silences at once whoever is not reading', async () => {
    const { truth, feeds, follow } = setUp();
    const bob = follow('bob', 0);
    truth.say();
    truth.say();
    await feeds.sweep();
    expect(await read(bob)).toBe(1);
    truth.setMember('bob', false);
    await feeds.sweep();
    // The second was in hand already.
    await expect(bob.next()).rejects.toBeInstanceOf(NotFoundError);
  });

  it('silences whoever waits for a turn to be given what was read', async () => {
    const gate = deferred();
    const { truth, feeds, follow } = setUp({ breathe: () => gate.promise });
    const bob = follow('bob', 0);
    const refused = bob.next().catch((error: unknown) => error);
    feeds.committed(truth.say());
    await turn();
    truth.setMember('bob', false);
    await feeds.sweep();
    gate.resolve();
    expect(await within(refused, 1_000, 'the end')).toBeInstanceOf(NotFoundError);
    expect(await bob.next()).toMatchObject({ done: true });
  });

  it('is not filled by a read that was made for an earlier feed of the chat', async () => {
    const { truth, feeds, follow } = setUp();
    const first = follow('bob');
    const early = truth.head();
    truth.say();
    truth.say();
    await feeds.sweep();
    const answer = truth.hold('listAdded');
    truth.say();
    const sweeping = feeds.sweep();
    await turn();
    await first.return();
    // Joined with a check from before the first two.
    const second = follow('bob', 0, early);
    answer();
    await sweeping;
    await feeds.sweep();
    expect([await read(second), await read(second), await read(second)]).toEqual([1, 2, 3]);
  });

  it('takes a hint for lost when the sweep comes twice before it, and not when it is late, or early', async () => {
    const { truth, feeds, follow, hint, losses } = setUp();
    follow('bob');
    await turn();
    truth.say();
    await feeds.sweep();
    hint(1);
    await feeds.sweep();
    // Told while the sweep was on its way.
    const gate = truth.hold('findChangedHeads');
    truth.say();
    const sweeping = feeds.sweep();
    hint(2);
    gate();
    await sweeping;
    await feeds.sweep();
    const own = truth.say();
    await feeds.sweep();
    feeds.committed(own);
    await feeds.sweep();
    truth.edit(1);
    await feeds.sweep();
    feeds.changed(CHAT);
    await feeds.sweep();
    expect(losses).toEqual([]);
    truth.say();
    await feeds.sweep();
    await feeds.sweep();
    await feeds.sweep();
    expect(losses).toEqual(['chat']);
  });

  it('keeps of what it reads for somebody only what is not too long, and misses nothing', async () => {
    const { truth, feeds, follow } = setUp({
      charactersOf: ({ seq }) => (seq <= 50 ? 10 : seq === 60 ? 100_000 : 20_000),
    });
    for (let nth = 0; nth < 80; nth += 1) truth.say();
    const { listAdded } = truth.source;
    const limits: number[] = [];
    truth.source.listAdded = (ranges) => {
      limits.push(...ranges.map(({ limit }) => limit));
      return listAdded(ranges);
    };
    const bob = follow('bob', 0);
    const seqs: number[] = [];
    while (seqs.length < 80) seqs.push(await read(bob));
    expect(seqs).toEqual(Array.from({ length: 80 }, (_, nth) => nth + 1));
    // 25, 28 of 50, then three at a time: what is left out is not read again and again.
    expect(limits.slice(0, 4)).toEqual([25, 50, 56, 6]);
    expect(Math.max(...limits.slice(3))).toBeLessThanOrEqual(12);
    // In the end there is nothing left to read: what comes is given from memory.
    const next = read(bob);
    await turn();
    const before = limits.length;
    feeds.committed(truth.say());
    expect(await next).toBe(81);
    expect(limits.length).toBe(before);
  });

  it('reads for somebody when it is their turn, and not once they have left', async () => {
    const turns: Array<{ userId: string; begin: () => void }> = [];
    const { truth, follow } = setUp({
      inTurn: async (userId, start) => {
        await new Promise<void>((resolve) => turns.push({ userId, begin: resolve }));
        return start();
      },
    });
    truth.say();
    const listAdded = vi.spyOn(truth.source, 'listAdded');
    const [bob, ann] = [follow('bob', 0), follow('ann', 0)];
    const next = read(bob);
    const left = ann.next();
    await turn();
    expect(turns.map(({ userId }) => userId)).toEqual(['bob', 'ann']);
    expect(listAdded).not.toHaveBeenCalled();
    await ann.return();
    for (const { begin } of turns) begin();
    expect(await next).toBe(1);
    expect(await left).toMatchObject({ done: true });
    expect(listAdded).toHaveBeenCalledTimes(1);
  });

  it('gives from memory what a message is now', async () => {
    const { truth, feeds, follow } = setUp();
    const ann = follow('ann', 0);
    feeds.committed(truth.say());
    expect(await read(ann)).toBe(1);
    feeds.committed(truth.edit(1));
    const { value } = await follow('bob', 0, truth.head()).next();
    expect(value).toMatchObject({ seq: 1, revision: 2 });
  });
});

describe('the feed of a person', () => {
  it('tells who joins of what moved while their list of chats was being read', async () => {
    const { truth, feeds, userFeeds, follow } = setUp();
    follow('ann');
    const answer = truth.hold('findUserChats');
    const joining = userFeeds.follow({ userId: 'bob', after: null, load: async (chatIds: string[]) => chatIds });
    feeds.committed(truth.say());
    answer();
    const phone = (await joining)!;
    expect(await within(phone.next(), 1_000, 'the chat')).toEqual({ value: CHAT, done: false });
  });

  it('reads what changed for several people in one go', async () => {
    const { truth, userFeeds } = setUp();
    const load = async (chatIds: string[]) => chatIds;
    for (const userId of ['ann', 'bob']) truth.setMember(userId, false);
    const phones = await Promise.all(
      ['ann', 'bob'].map(async (userId) => (await userFeeds.follow({ userId, after: null, load }))!),
    );
    const reads = vi.spyOn(truth.source, 'findUserChats');
    for (const userId of ['ann', 'bob']) {
      truth.setMember(userId, true);
      userFeeds.changed(userId);
    }
    const both = Promise.all(phones.map((phone) => phone.next()));
    const chat = { value: CHAT, done: false };
    expect(await within(both, 1_000, 'the chats')).toEqual([chat, chat]);
    expect(reads.mock.calls).toEqual([[['ann', 'bob']]]);
  });

  it('reads again what has waited for a turn when the person is no longer in that chat', async () => {
    const gate = deferred();
    const { truth, feeds, userFeeds } = setUp({ breathe: () => gate.promise });
    let isMember = true;
    const load = vi.fn<(chatIds: string[]) => Promise<string[]>>(async (chatIds) => (isMember ? chatIds : []));
    const phone = (await userFeeds.follow({ userId: 'bob', after: null, load }))!;
    let given: unknown;
    const next = phone.next().then((result) => (given = result));
    feeds.committed(truth.say());
    await turn();
    expect(load).toHaveBeenCalledTimes(1);
    isMember = false;
    truth.setMember('bob', false);
    userFeeds.changed('bob');
    await turn();
    gate.resolve();
    await turn();
    expect(load).toHaveBeenCalledTimes(2);
    expect(given).toBeUndefined();
    isMember = true;
    truth.setMember('bob', true);
    userFeeds.changed('bob');
    expect(await within(next, 1_000, 'the chat')).toEqual({ value: CHAT, done: false });
  });

  it('does not forget a chat because of a listener whose look at it is older', async () => {
    const { truth, feeds, userFeeds } = setUp();
    truth.setMember('bob', false);
    const load = async (chatIds: string[]) => chatIds;
    const outdated = truth.hold('findUserChats');
    const late = userFeeds.follow({ userId: 'bob', after: null, load });
    truth.setMember('bob', true);
    const phone = (await userFeeds.follow({ userId: 'bob', after: null, load }))!;
    outdated();
    const tablet = (await late)!;
    const both = Promise.all([phone.next(), tablet.next()]);
    truth.say();
    await feeds.sweep();
    expect(await within(both, 1_000, 'the chat')).toEqual([
      { value: CHAT, done: false },
      { value: CHAT, done: false },
    ]);
  });

  describe('who is in a thousand other chats', () => {
    const load = async (chatIds: string[]) => chatIds;

    const quietChats = Array.from({ length: 1_000 }, (_, n) => toQuietChat(`quiet-${n}`));

    function setUpCrowded(arrange = (chats: UserChats['chats']) => [...quietChats, ...chats]) {
      const parts = setUp();
      const { source } = parts.truth;
      const read = source.findUserChats;
      source.findUserChats = async (userIds) =>
        (await read(userIds)).map((state) => ({ ...state, chats: arrange(state.chats) }));
      return parts;
    }

    it('lets others have their turn while it begins to watch them, and while it ceases to', async () => {
      const { userFeeds, listenerCount } = setUpCrowded();
      const phone = (await userFeeds.follow({ userId: 'bob', after: null, load }))!;
      expect(await largestStep(listenerCount, 0, 1_001)).toBeLessThanOrEqual(50);
      await phone.return();
      expect(await largestStep(listenerCount, 1_001, 0)).toBeLessThanOrEqual(50);
    });

    it('tells of what moved before its turn to be watched came', async () => {
      const { truth, feeds, userFeeds, follow, losses } = setUpCrowded();
      follow('ann');
      const phone = (await userFeeds.follow({ userId: 'bob', after: null, load }))!;
      feeds.committed(truth.say());
      expect(await within(phone.next(), 1_000, 'the chat')).toEqual({ value: CHAT, done: false });
      expect(losses).toEqual([]);
    });

    it('tells of nothing else', async () => {
      const { truth, feeds, userFeeds, listenerCount } = setUpCrowded();
      const phone = (await userFeeds.follow({ userId: 'bob', after: null, load }))!;
      await largestStep(listenerCount, 0, 1_001);
      const next = phone.next();
      feeds.committed(truth.say());
      expect(await within(next, 1_000, 'the chat')).toEqual({ value: CHAT, done: false });
    });

    it('reads again for who joins while others are still being told of what is new', async () => {
      const { truth, userFeeds, listenerCount } = setUpCrowded((chats) =>
        chats.length > 0 ? [...chats, ...quietChats] : [],
      );
      truth.setMember('bob', false);
      const phone = (await userFeeds.follow({ userId: 'bob', after: null, load }))!;
      const outdated = truth.hold('findUserChats');
      const late = userFeeds.follow({ userId: 'bob', after: 0n, load });
      truth.setMember('bob', true);
      userFeeds.changed('bob');
      expect(await within(phone.next(), 1_000, 'the chat')).toEqual({ value: CHAT, done: false });
      expect(listenerCount()).toBeLessThan(1_001);
      outdated();
      const tablet = (await late)!;
      expect(await within(tablet.next(), 1_000, 'the chat')).toEqual({ value: CHAT, done: false });
    });

    it('ceases to watch what it had begun with when nobody listens any more', async () => {
      const { userFeeds, listenerCount } = setUpCrowded();
      const phone = (await userFeeds.follow({ userId: 'bob', after: null, load }))!;
      expect(listenerCount()).toBeLessThanOrEqual(50);
      await phone.return();
      for (let n = 0; n < 5; n += 1) await turn();
      expect(listenerCount()).toBe(0);
    });
  });
});

/** Nothing ever happens there. */
const toQuietChat = (chatId: string): UserChats['chats'][number] => ({
  chatId,
  lastSeq: 0,
  revision: 0,
  membersRevision: 0,
  userRevision: 0,
  changedIn: -1n,
});

/** Waits until the count has gone from one to the other. Answers the most by which it went in one turn of the event loop. */
async function largestStep(count: () => number, from: number, to: number): Promise<number> {
  let largest = 0;
  for (let before = from; before !== to;) {
    const now = count();
    largest = Math.max(largest, Math.abs(now - before));
    before = now;
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  return largest;
}
