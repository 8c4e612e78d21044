import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { NotFoundError } from '../../src/errors.ts';
import { createBreather } from '../../src/realtime/breather.ts';
import { createChatFeeds } from '../../src/realtime/chat-feeds.ts';
import type { FeedKind } from '../../src/realtime/chat-feed.ts';
import type { ChatHead, FeedMessage } from '../../src/realtime/source.ts';
import { CHAT, createQuietBroker, createTruth, turn } from '../support/chat-truth.ts';
import { deferred } from '../support/wait.ts';

/** What the person was told, in order: by the lane in pieces, by the cursor one by one. */
type Heard = string[] | string;

/** `breathe`: by default, no turn is ever used up, however slow the machine is. */
function setUp(breathe = createBreather(Infinity)) {
  const truth = createTruth();
  const { broker } = createQuietBroker();
  const failures: unknown[] = [];
  const feeds = createChatFeeds<FeedMessage>({
    source: truth.source,
    broker,
    charactersOf: () => 1,
    breathe,
    isTransient: () => false,
    onFailure: (error) => void failures.push(error),
  });
  const asked: string[] = [];
  /** What keeps the shared answers from being made. */
  const state = { gate: Promise.resolve() as Promise<unknown>, answer: (text: string): string | null => text };

  function listen(
    userId: string,
    {
      key = 'a question',
      kind = 'added',
      after = truth.head().lastSeq,
      head = truth.head(),
    }: { key?: string; kind?: FeedKind; after?: number; head?: ChatHead } = {},
  ) {
    const heard: Heard[] = [];
    /** `fillsUp`: another subscription on the same socket is handed something first. */
    const reader = { isFull: false, fillsUp: false, breaks: '', onPush: (): unknown => undefined };
    const cursor = feeds.follow({
      userId,
      kind,
      after,
      head,
      share: {
        key,
        createAnswer: () => async (message) => {
          asked.push(`${key} ${message.seq}`);
          await state.gate;
          return state.answer(String(message.seq));
        },
        outlet: {
          isFree() {
            if (reader.breaks === 'isFree') throw new Error('broken');
            return !reader.isFull;
          },
          push(answers) {
            reader.onPush();
            if (reader.breaks === 'push') throw new Error('broken');
            const isTaken = !reader.isFull && !reader.fillsUp;
            if (isTaken) heard.push([...answers]);
            return isTaken;
          },
        },
      },
    });
    const ended = (async () => {
      for await (const message of cursor) heard.push(String(message.seq));
    })().then(
      () => 'left',
      (error: unknown) => error,
    );
    return { heard, ended, reader, leave: () => cursor.return() };
  }

  return { truth, feeds, listen, asked, failures, state, say: () => feeds.committed(truth.say()) };
}

describe('listeners who asked the same', () => {
  it('are given one answer', async () => {
    const { listen, asked, say } = setUp();
    const both = [listen('ann'), listen('bob')];
    await turn();
    say();
    await turn();
    expect(asked).toEqual(['a question 1']);
    expect(both.map(({ heard }) => heard)).toEqual([[['1']], [['1']]]);
  });

  it('are given what came in one turn in one piece', async () => {
    const { listen, say } = setUp();
    const { heard } = listen('ann');
    await turn();
    for (let nth = 0; nth < 4; nth += 1) say();
    await turn();
    expect(heard).toEqual([['1', '2', '3', '4']]);
  });

  it('are given no more in one piece than a reader should hold', async () => {
    const { listen, state, say } = setUp();
    state.answer = (text) => text.padStart(40_000);
    const { heard } = listen('ann');
    await turn();
    for (let nth = 0; nth < 3; nth += 1) say();
    await turn();
    expect(heard.map((piece) => piece.length)).toEqual([2, 1]);
  });

  it('share with nobody who asked otherwise, or about something else', async () => {
    const { truth, feeds, listen, asked, say } = setUp();
    const own = listen('ann');
    const other = listen('bob', { key: 'another question' });
    const updates = listen('bob', { kind: 'updated', after: truth.head().revision });
    await turn();
    say();
    await turn();
    feeds.committed(truth.edit(1));
    await turn();
    expect(asked).toEqual(['a question 1', 'another question 1', 'a question 1']);
    expect([own, other, updates].map(({ heard }) => heard)).toEqual([[['1']], [['1']], [['1']]]);
  });

  it('share changes, though other things came between them', async () => {
    const { truth, feeds, listen, asked, say } = setUp();
    say();
    const early = listen('ann', { kind: 'updated', after: truth.head().revision });
    await turn();
    say();
    await turn();
    const late = listen('bob', { kind: 'updated', after: truth.head().revision });
    await turn();
    feeds.committed(truth.edit(1));
    await turn();
    expect(asked).toEqual(['a question 1']);
    expect([early.heard, late.heard]).toEqual([[['1']], [['1']]]);
  });
});

describe('whoever', () => {
  it('is behind reads for themself, and is handed the rest once they have everything', async () => {
    const { listen, asked, say, truth } = setUp();
    const live = listen('ann');
    for (let nth = 0; nth < 3; nth += 1) say();
    await turn();
    const late = listen('bob', { after: 0, head: truth.head() });
    await turn();
    expect(late.heard).toEqual(['1', '2', '3']);
    say();
    await turn();
    expect(late.heard).toEqual(['1', '2', '3', ['4']]);
    expect(live.heard.flat()).toEqual(['1', '2', '3', '4']);
    expect(asked.filter((question) => question === 'a question 4')).toHaveLength(1);
  });

  it('joins while an answer is being made, with a part of it or all of it, misses and repeats nothing', async () => {
    const { listen, state, say, truth } = setUp();
    const live = listen('ann');
    await turn();
    const gate = deferred();
    state.gate = gate.promise;
    say();
    await turn();
    say();
    const joining = [0, 1, 2].map((after) => listen('bob', { after, head: truth.head() }));
    await turn();
    say();
    gate.resolve();
    await turn();
    say();
    await turn();
    expect(live.heard.flat()).toEqual(['1', '2', '3', '4']);
    for (const [after, { heard }] of joining.entries()) expect(heard.flat()).toEqual(['1', '2', '3', '4'].slice(after));
  });

  it.each(['isFull', 'fillsUp'] as const)(
    'has not taken the last piece (%s) reads for themself, and comes back',
    async (why) => {
      const { listen, say } = setUp();
      const [brisk, slow] = [listen('ann'), listen('bob')];
      await turn();
      slow.reader[why] = true;
      say();
      await turn();
      slow.reader[why] = false;
      say();
      await turn();
      expect(slow.heard).toEqual(['1', ['2']]);
      expect(brisk.heard).toEqual([['1'], ['2']]);
    },
  );

  it.each(['isFree', 'push'])('breaks (%s) ends alone', async (where) => {
    const { listen, say } = setUp();
    const [whole, broken, last] = [listen('ann'), listen('bob'), listen('ann')];
    await turn();
    broken.reader.breaks = where;
    say();
    await turn();
    expect(await broken.ended).toMatchObject({ message: 'broken' });
    expect([whole.heard, last.heard]).toEqual([[['1']], [['1']]]);
  });

  it('leaves while another is handed something is given nothing any more', async () => {
    const { listen, say } = setUp();
    const [handed, leaving] = [listen('ann'), listen('bob')];
    await turn();
    handed.reader.onPush = leaving.leave;
    say();
    await turn();
    expect([handed.heard, leaving.heard]).toEqual([[['1']], []]);
  });

  it('leaves is given nothing any more, and the last one leaves nothing behind', async () => {
    const { listen, asked, state, say } = setUp();
    const [staying, leaving] = [listen('ann'), listen('bob')];
    await turn();
    const gate = deferred();
    state.gate = gate.promise;
    say();
    await turn();
    await leaving.leave();
    gate.resolve();
    await turn();
    expect([staying.heard, leaving.heard]).toEqual([[['1']], []]);
    await staying.leave();
    say();
    await turn();
    expect(asked).toEqual(['a question 1']);
  });
});

describe('a crowd is visited in turns of the event loop', () => {
  it('and who is visited later is given what came meanwhile in one piece', async () => {
    const { listen, say } = setUp();
    const crowd = Array.from({ length: 600 }, () => listen('ann'));
    await turn();
    say();
    await until(() => crowd[0]!.heard.length > 0);
    expect(crowd.at(-1)!.heard).toEqual([]);
    for (let nth = 0; nth < 3; nth += 1) say();
    await until(() => crowd.every(({ heard }) => heard.flat().length === 4));
    expect(crowd[0]!.heard).toEqual([['1'], ['2', '3', '4']]);
    expect(crowd.at(-1)!.heard).toEqual([['1', '2', '3', '4']]);
  });

  it('and is given what a message says by then', async () => {
    const { truth, feeds, listen, asked, state, say } = setUp();
    const crowd = Array.from({ length: 600 }, () => listen('ann'));
    await turn();
    say();
    await until(() => crowd[0]!.heard.length > 0);
    state.answer = (text) => `${text}, edited`;
    feeds.committed(truth.edit(1));
    await until(() => crowd.every(({ heard }) => heard.length > 0));
    expect([crowd[0]!.heard, crowd.at(-1)!.heard]).toEqual([[['1']], [['1, edited']]]);
    expect(asked).toEqual(['a question 1', 'a question 1']);
  });

  it('nor loses what no longer fits into a piece', async () => {
    const { truth, feeds, listen, state, say } = setUp();
    state.answer = (text) => text.padStart(30_000);
    const crowd = Array.from({ length: 600 }, () => listen('ann'));
    await turn();
    for (let nth = 0; nth < 3; nth += 1) say();
    await until(() => crowd[0]!.heard.length > 0);
    state.answer = (text) => text.padStart(50_000);
    feeds.committed(truth.edit(1));
    feeds.committed(truth.edit(2));
    await until(() => crowd.every(({ heard }) => heard.flat().length === 3));
    for (const { heard } of crowd) expect(heard.flat().map(Number)).toEqual([1, 2, 3]);
  });

  it('and silenced between them when it has been removed', async () => {
    const { truth, feeds, listen, say } = setUp();
    const crowd = Array.from({ length: 600 }, () => listen('ann'));
    const bob = listen('bob');
    await turn();
    say();
    await until(() => crowd[0]!.heard.length > 0);
    truth.setMember('bob', false);
    feeds.changed(CHAT);
    expect(await bob.ended).toBeInstanceOf(NotFoundError);
    expect(bob.heard).toEqual([]);
    await until(() => crowd.every(({ heard }) => heard.length > 0));
  });
});

it('whoever comes when all have left while an answer is made is given what comes then', async () => {
  const { listen, state, say, truth } = setUp();
  const [reading, leaving] = [listen('ann'), listen('ann')];
  await turn();
  reading.reader.isFull = true;
  const gate = deferred();
  state.gate = gate.promise;
  say();
  await turn();
  await leaving.leave();
  await reading.leave();
  const late = listen('bob', { head: truth.head() });
  const later = listen('bob', { head: truth.head() });
  await turn();
  gate.resolve();
  await turn();
  say();
  await turn();
  expect([late.heard, later.heard]).toEqual([[['2']], [['2']]]);
});

it('whoever is alone, and has read for themself what is being answered, is given what comes then', async () => {
  const { listen, state, say } = setUp();
  const [alone, other] = [listen('ann'), listen('ann')];
  await turn();
  const gate = deferred();
  state.gate = gate.promise;
  say();
  await turn();
  await other.leave();
  // Keeps the lane, and has all that the tail holds.
  const late = listen('bob', { after: 0 });
  await alone.leave();
  await turn();
  gate.resolve();
  await turn();
  say();
  await turn();
  expect(late.heard.flat()).toEqual(['1', '2']);
});

describe('an answer that waits for its turn', () => {
  /** Each waits until `letGo` is called. */
  function setUpWaiting() {
    const waiting: Array<() => void> = [];
    const parts = setUp(() => new Promise<void>((resolve) => waiting.push(resolve)));
    const letGo = () => waiting.splice(0).forEach((go) => go());
    return { ...parts, waiting, letGo };
  }

  it('is made then, once for all', async () => {
    const { listen, asked, say, waiting, letGo } = setUpWaiting();
    const both = [listen('ann'), listen('bob')];
    await turn();
    say();
    await turn();
    expect(waiting).toHaveLength(1);
    expect(asked).toEqual([]);
    letGo();
    await turn();
    expect(asked).toEqual(['a question 1']);
    expect(both.map(({ heard }) => heard)).toEqual([[['1']], [['1']]]);
  });

  it('is given to nobody who was removed meanwhile', async () => {
    const { truth, feeds, listen, say, letGo } = setUpWaiting();
    const [ann, bob] = [listen('ann'), listen('bob')];
    await turn();
    say();
    await turn();
    truth.setMember('bob', false);
    await feeds.sweep();
    letGo();
    await turn();
    expect(await bob.ended).toBeInstanceOf(NotFoundError);
    expect([ann.heard, bob.heard]).toEqual([[['1']], []]);
  });

  it('is not made when all have left, and who comes then misses and repeats nothing', async () => {
    const { listen, asked, say, waiting, letGo } = setUpWaiting();
    const leaving = listen('ann');
    const reading = listen('ann');
    await turn();
    reading.reader.isFull = true;
    say();
    await turn();
    await leaving.leave();
    await reading.leave();
    letGo();
    await turn();
    expect(asked).toEqual([]);
    const late = listen('bob');
    await turn();
    say();
    await until(() => (letGo(), late.heard.length > 0));
    expect(waiting).toEqual([]);
    expect(late.heard.flat()).toEqual(['2']);
  });

  it('is not made when all who stay read for themselves, who are then given what comes', async () => {
    const { listen, asked, say, letGo } = setUpWaiting();
    const leaving = listen('ann');
    await turn();
    say();
    await turn();
    // Keeps the lane, and has something to read.
    const behind = listen('bob', { after: 0 });
    await leaving.leave();
    letGo();
    await until(() => (letGo(), behind.heard.length > 0));
    await turn();
    expect(asked).toEqual([]);
    say();
    await until(() => (letGo(), behind.heard.length > 1));
    expect(behind.heard).toEqual(['1', ['2']]);
  });
});

describe('in a feed of which too many ask different things', () => {
  const PEOPLE = Array.from({ length: 10 }, (_, nth) => `person ${nth}`);

  function listenAll({ truth, listen }: ReturnType<typeof setUp>, kind: FeedKind = 'added', people = PEOPLE) {
    for (const person of people) truth.setMember(person, true);
    return Array.from({ length: 50 }, (_, nth) =>
      listen(people[nth % people.length]!, { key: `question ${nth}`, kind, after: 0 }),
    );
  }

  it('the first share answers, and all are told everything once, in order', async () => {
    for (const breathe of [createBreather(), createBreather(0)]) {
      const stage = setUp(breathe);
      const { listen, asked, say } = stage;
      const all = listenAll(stage);
      const [early, late] = [listen('bob', { key: 'question 3' }), listen('bob', { key: 'question 49' })];
      await turn();
      for (let nth = 0; nth < 30; nth += 1) {
        say();
        if (nth % 3 === 0) await turn();
      }
      const everything = Array.from({ length: 30 }, (_, nth) => String(nth + 1));
      await until(() => [...all, early, late].every(({ heard }) => heard.flat().length >= 30));
      await turn();
      for (const { heard } of [...all, early, late]) expect(heard.flat()).toEqual(everything);
      expect(new Set(asked.map((question) => question.split(' ')[1])).size).toBe(20);
      // Made for both.
      expect(early.heard.every(Array.isArray)).toBe(true);
      expect(late.heard.some(Array.isArray)).toBe(false);
    }
  });

  it('one person alone leaves room for what others ask', async () => {
    const stage = setUp();
    const all = listenAll(stage, 'added', ['bob']);
    const ann = stage.listen('ann', { key: 'question 49' });
    await turn();
    stage.say();
    await until(() => [...all, ann].every(({ heard }) => heard.length > 0));
    expect(new Set(stage.asked.map((question) => question.split(' ')[1])).size).toBe(5);
    expect(ann.heard).toEqual([['1']]);
  });

  it('others may share when they have left, and in the feed’s other kind', async () => {
    const stage = setUp();
    const { truth, feeds, listen, say } = stage;
    const all = listenAll(stage);
    const [update] = listenAll(stage, 'updated');
    await turn();
    await all[0]!.leave();
    const late = listen('bob', { key: 'question 100' });
    await turn();
    say();
    await turn();
    feeds.committed(truth.edit(1));
    await turn();
    expect([late.heard, update!.heard]).toEqual([[['1']], [['1']]]);
  });
});

describe('an answer that is not for all', () => {
  it('is asked for by each', async () => {
    const { listen, state, say } = setUp();
    state.answer = (text) => (text === '2' ? null : text);
    const both = [listen('ann'), listen('bob')];
    await turn();
    for (let nth = 0; nth < 3; nth += 1) {
      say();
      await turn();
    }
    for (const { heard } of both) expect(heard).toEqual([['1'], '2', ['3']]);
  });

  it('nor can be made, neither', async () => {
    const { listen, state, say, failures } = setUp();
    state.answer = () => {
      throw new Error('a bug');
    };
    const { heard } = listen('ann');
    await turn();
    say();
    await turn();
    expect(heard).toEqual(['1']);
    expect(failures).toMatchObject([{ message: 'a bug' }]);
  });
});

describe('the right to hear is looked at when an answer is handed out', () => {
  it('a removal that is found while it is made silences', async () => {
    const { truth, feeds, listen, state, say } = setUp();
    const [ann, bob] = [listen('ann'), listen('bob')];
    await turn();
    const gate = deferred();
    state.gate = gate.promise;
    say();
    await turn();
    truth.setMember('bob', false);
    truth.say();
    await feeds.sweep();
    gate.resolve();
    await turn();
    expect(await bob.ended).toBeInstanceOf(NotFoundError);
    expect(bob.heard).toEqual([]);
    expect(ann.heard.flat()).toEqual(['1', '2']);
  });

  it('what was written after a removal is for those who stayed', async () => {
    const { truth, feeds, listen } = setUp();
    const [ann, bob] = [listen('ann'), listen('bob')];
    await turn();
    truth.setMember('bob', false);
    truth.say();
    await feeds.sweep();
    await turn();
    expect(await bob.ended).toBeInstanceOf(NotFoundError);
    expect(bob.heard).toEqual([]);
    expect(ann.heard).toEqual([['1']]);
  });

  it('nobody waits who came with a check from before the last change of members', async () => {
    const { truth, feeds, listen } = setUp();
    const ann = listen('ann');
    await turn();
    const checked = truth.head();
    truth.setMember('bob', false);
    truth.say();
    const answer = truth.hold('filterMemberships');
    const sweeping = feeds.sweep();
    await turn();
    // Not asked about: they came while the question was under way.
    const bob = listen('bob', { after: 0, head: checked });
    await turn();
    answer();
    await sweeping;
    await turn();
    expect(await bob.ended).toBeInstanceOf(NotFoundError);
    expect(bob.heard).toEqual([]);
    expect(ann.heard).toEqual([['1']]);
  });
});

it.each([
  ['nobody has to wait', Infinity],
  ['nearly all have to wait', 0],
])('tells everybody everything once, in order, whoever joins, leaves, is slow or fails: %s', async (_when, maxMs) => {
  const random = mulberry(20_261_125);
  const { truth, feeds, listen, state, say } = setUp(createBreather(maxMs));
  state.answer = (text) => (random() < 0.05 ? null : text);
  say();
  const listening: Array<{ after: number; heard: Heard[]; reader: { isFull: boolean }; leave: () => unknown }> = [];
  for (let step = 0; step < 1_000; step += 1) {
    const dice = random();
    if (dice < 0.35) say();
    else if (dice < 0.45) {
      truth.say();
      void feeds.sweep();
    } else if (dice < 0.5) feeds.committed(truth.edit(1 + Math.floor(random() * truth.head().lastSeq)));
    else if (dice < 0.6) {
      const after = Math.floor(random() * (truth.head().lastSeq + 1));
      listening.push({ after, ...listen('ann', { after }) });
    } else if (dice < 0.8) await turn();
    else if (listening.length > 0) {
      const one = listening[Math.floor(random() * listening.length)]!;
      if (dice < 0.95) one.reader.isFull = !one.reader.isFull;
      else listening.splice(listening.indexOf(one), 1).forEach(({ leave }) => void leave());
    }
  }
  const end = truth.head().lastSeq;
  await feeds.sweep();
  await until(() => listening.every(({ after, heard }) => heard.flat().length >= end - after));
  for (let nth = 0; nth < 10; nth += 1) {
    await feeds.sweep();
    await turn();
  }
  expect(listening.length).toBeGreaterThan(20);
  for (const { after, heard } of listening)
    expect(heard.flat().map(Number)).toEqual(Array.from({ length: end - after }, (_, index) => after + 1 + index));
});

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await nextTurn();
}

/** A small generator of random numbers, so that a failure comes again. */
function mulberry(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
