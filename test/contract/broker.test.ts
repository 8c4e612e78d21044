import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Logger } from '../../src/logger.ts';
import type { Broker, Hint } from '../../src/realtime/broker.ts';
import { createMemoryBroker } from '../../src/realtime/memory-broker.ts';
import { createRedisBroker } from '../../src/realtime/redis-broker.ts';
import { createKeptLog, listen, listenReady } from '../support/brokers.ts';
import type { LogLine } from '../support/brokers.ts';
import { eventually } from '../support/wait.ts';

/** Unset where there is no Redis to test with. */
const redisUrl = process.env.TEST_REDIS_URL;
const prefix = `test-${randomUUID()}:`;
const redis = new Redis(redisUrl ?? '', { lazyConnect: true });
afterAll(() => redis.disconnect());

const kinds = [
  {
    kind: 'memory',
    open: createMemoryBroker,
    channels: () => Promise.resolve([] as unknown),
  },
  {
    kind: 'Redis',
    open: (logger: Logger) => createRedisBroker({ urls: [redisUrl!], prefix, logger }),
    channels: (): Promise<unknown> => redis.pubsub('CHANNELS', `${prefix}*`),
  },
];

describe.each(redisUrl ? kinds : kinds.slice(0, 1))('the $kind broker', ({ open, channels }) => {
  let broker: Broker;
  let lines: LogLine[];

  beforeEach(async () => {
    const log = createKeptLog();
    lines = log.lines;
    broker = open(log.logger);
    await eventually(() => expect(broker.status()).toBe('up'));
  });
  afterEach(async () => {
    await broker.close();
    await eventually(async () => expect(await channels()).toEqual([]));
  });

  test('carries a hint to a listener of its topic', async () => {
    const ear = await listenReady(broker, 'chat:1');
    broker.publish('chat:1', { revision: 7 });
    await eventually(() => expect(ear.heard).toEqual([7]));
  });

  test('keeps topics apart', async () => {
    const one = await listenReady(broker, 'chat:1');
    const ten = await listenReady(broker, 'chat:10');
    broker.publish('chat:10', { revision: 1 });
    broker.publish('chat:', { revision: 2 });
    broker.publish('chat:*', { revision: 3 });
    broker.publish('chat:1', { revision: 4 });
    await eventually(() => expect(one.heard).toEqual([4]));
    expect(ten.heard).toEqual([1]);
  });

  test('reaches each of two thousand topics', { timeout: 20_000 }, async () => {
    const ears = Array.from({ length: 2_000 }, (_, i) => listen(broker, `chat:${i}`));
    await Promise.all(ears.map((ear) => ear.ready));
    ears.forEach((_, i) => broker.publish(`chat:${i}`, { revision: i }));
    await eventually(() => expect(ears.map((ear) => ear.heard)).toEqual(ears.map((_, i) => [i])));
  });

  test('tells every listener of a topic once', async () => {
    const first = await listenReady(broker, 'chat:1');
    const second = await listenReady(broker, 'chat:1');
    for (const revision of [1, 2]) {
      broker.publish('chat:1', { revision });
      await second.hears(revision);
    }
    expect([first.heard, second.heard]).toEqual([
      [1, 2],
      [1, 2],
    ]);
  });

  test('counts one function that listens twice as two listeners', async () => {
    const heard: number[] = [];
    const listener = (hint: Hint): void => void heard.push(hint.revision);
    const twice = [broker.subscribe('chat:1', listener), broker.subscribe('chat:1', listener)];
    await Promise.all(twice.map(({ ready }) => ready));
    twice[0]!.close();
    const last = await listenReady(broker, 'chat:1');
    broker.publish('chat:1', { revision: 1 });
    await eventually(() => expect(last.heard).toEqual([1]));
    expect(heard).toEqual([1]);
  });

  test('never calls a listener inside publish', async () => {
    const ear = await listenReady(broker, 'chat:1');
    let depth = 0;
    let deepest = 0;
    const echo = broker.subscribe('chat:1', ({ revision }) => {
      depth += 1;
      deepest = Math.max(deepest, depth);
      if (revision < 10) broker.publish('chat:1', { revision: revision + 1 });
      depth -= 1;
    });
    await echo.ready;
    broker.publish('chat:1', { revision: 1 });
    expect(ear.heard).toEqual([]);
    await eventually(() => expect(ear.heard.at(-1)).toBe(10));
    expect(deepest).toBe(1);
  });

  test('brings the highest of those that are published at once', async () => {
    const [ear, other] = [await listenReady(broker, 'chat:1'), await listenReady(broker, 'chat:2')];
    for (const revision of [1, 3, 2]) broker.publish('chat:1', { revision });
    broker.publish('chat:2', { revision: 1 });
    await Promise.all([ear.hears(3), other.hears(1)]);
  });

  test('lets no listener harm another', async () => {
    const bad = broker.subscribe('chat:1', (hint) => {
      hint.revision = -1;
      throw new Error('a bad listener');
    });
    await bad.ready;
    const good = await listenReady(broker, 'chat:1');
    for (const revision of [1, 2, 3]) {
      broker.publish('chat:1', { revision });
      await good.hears(revision);
    }
    expect(good.heard).toEqual([1, 2, 3]);
    expect(lines[0]?.msg).toBe('A hint listener threw');
  });

  test('stops a listener at once, and only that one', async () => {
    const leaving = await listenReady(broker, 'chat:1');
    const staying = await listenReady(broker, 'chat:1');
    broker.publish('chat:1', { revision: 1 });
    leaving.close();
    leaving.close();
    broker.publish('chat:1', { revision: 2 });
    await staying.hears(2);
    expect(leaving.heard).toEqual([]);
  });

  test('lets listeners come and go while a hint is delivered', async () => {
    const late: number[] = [];
    const leaving = broker.subscribe('chat:1', () => {
      leaving.close();
      neighbour.close();
      broker.subscribe('chat:1', (hint) => late.push(hint.revision));
    });
    const neighbour = listen(broker, 'chat:1');
    const staying = listen(broker, 'chat:1');
    await Promise.all([leaving.ready, neighbour.ready, staying.ready]);
    for (const revision of [1, 2]) {
      broker.publish('chat:1', { revision });
      await staying.hears(revision);
    }
    expect(neighbour.heard).toEqual([]);
    expect(late.at(-1)).toBe(2);
  });

  test('is ready only when the very next hint arrives', async () => {
    for (let i = 0; i < 200; i++) {
      const ear = await listenReady(broker, `chat:${i}`);
      broker.publish(`chat:${i}`, { revision: i });
      await ear.hears(i);
      expect(ear.heard).toEqual([i]);
      ear.close();
    }
  });

  test('hears again at once after closing, however the two fall together', async () => {
    for (let i = 0; i < 300; i++) {
      const before = listen(broker, 'chat:1');
      if (i % 2) await before.ready;
      before.close();
      for (let tick = 0; tick < i % 5; tick++) await Promise.resolve();
      const after = await listenReady(broker, 'chat:1');
      broker.publish('chat:1', { revision: i });
      await after.hears(i);
      expect(after.heard).toEqual([i]);
      expect(before.heard).toEqual([]);
      after.close();
    }
  });

  test('leaves nothing behind after a thousand short lives', async () => {
    for (let i = 0; i < 1_000; i++) {
      const ear = listen(broker, `chat:${i % 7}`);
      if (i % 100 === 0) await ear.ready;
      ear.close();
    }
    const last = await listenReady(broker, 'chat:last');
    await eventually(async () => expect([[], [`${prefix}chat:last`]]).toContainEqual(await channels()));
    broker.publish('chat:last', { revision: 1 });
    await eventually(() => expect(last.heard).toEqual([1]));
    last.close();
    await eventually(async () => expect(await channels()).toEqual([]));
  });

  test('publishes nothing that is not a hint', async () => {
    const ear = await listenReady(broker, 'chat:1');
    const wrong = [null, undefined, 1, '1', [], {}, { revision: '1' }, { revision: -1 }, { revision: 0.5 }];
    const wronger = [{ revision: NaN }, { revision: 1e308 }, { revision: 1n }, Object.create({ revision: 1 })];
    for (const value of [...wrong, ...wronger] as Hint[]) broker.publish('chat:1', value);
    broker.publish('chat:1', { revision: 0 });
    await eventually(() => expect(ear.heard).toEqual([0]));
  });

  test('does nothing, quietly, once it is closed', async () => {
    const before = await listenReady(broker, 'chat:1');
    let reconnects = 0;
    broker.onReconnect(() => (reconnects += 1));
    broker.publish('chat:1', { revision: 1 });
    await broker.close();
    expect(broker.status()).toBe('down');
    const after = listen(broker, 'chat:1');
    broker.publish('chat:1', { revision: 2 });
    before.close();
    const other = open(createKeptLog().logger);
    await eventually(() => expect(other.status()).toBe('up'));
    const ear = await listenReady(other, 'chat:1');
    other.publish('chat:1', { revision: 3 });
    await eventually(() => expect(ear.heard).toEqual([3]));
    await other.close();
    after.close();
    await broker.close();
    expect([...before.heard, ...after.heard, reconnects]).toEqual([0]);
    expect(lines).toEqual([]);
  });
});
