import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, test as anyTest } from 'vitest';
import type { Broker } from '../../src/realtime/broker.ts';
import { createRedisBroker } from '../../src/realtime/redis-broker.ts';
import { createKeptLog, INFO, listen, listenReady, WARN } from '../support/brokers.ts';
import { startPrivateRedis } from '../support/redis.ts';
import type { PrivateRedis } from '../support/redis.ts';
import { runScript } from '../support/script.ts';
import { whyNoRedis } from '../support/servers.ts';
import { eventually } from '../support/wait.ts';

const test = anyTest.skipIf((await whyNoRedis()) !== undefined);
const prefix = `test-${randomUUID()}:`;
const unhandled: unknown[] = [];
const open: Broker[] = [];
let redis: PrivateRedis;

const collect = (reason: unknown): void => void unhandled.push(reason);
beforeAll(async () => {
  if ((await whyNoRedis()) !== undefined) return;
  process.on('unhandledRejection', collect);
  redis = await startPrivateRedis();
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((broker) => broker.close()));
  expect(unhandled).toEqual([]);
});
afterAll(async () => {
  await redis?.remove();
  process.off('unhandledRejection', collect);
});

function createNode(...urls: string[]) {
  const { logger, lines } = createKeptLog();
  const broker = createRedisBroker({ urls: urls.length ? urls : [redis.url], prefix, logger });
  let reconnects = 0;
  broker.onReconnect(() => (reconnects += 1));
  open.push(broker);
  return { broker, lines, levels: () => lines.map((line) => line.level), reconnects: () => reconnects };
}

async function createUpNode() {
  const node = createNode();
  await untilUp(node.broker);
  return node;
}

const untilUp = (broker: Broker) => eventually(() => expect(broker.status()).toBe('up'));
const untilDown = (broker: Broker) => eventually(() => expect(broker.status()).toBe('down'), { deadlineMs: 15_000 });
const channels = async () => ((await redis.command('PUBSUB', 'CHANNELS', `${prefix}*`)) as string[]).toSorted();
/** How many PUBLISH commands have reached Redis. */
const published = async () =>
  Number(/cmdstat_publish:calls=(\d+)/.exec(String(await redis.command('INFO', 'commandstats')))?.[1] ?? 0);
const isPending = (promise: Promise<unknown>) =>
  Promise.race([promise.then(() => false), new Promise((resolve) => setImmediate(resolve, true))]);

/** How long the longest of many calls took. */
function longest(times: number, act: (i: number) => void): number {
  let worst = 0;
  for (let i = 0; i < times; i++) {
    const start = performance.now();
    act(i);
    worst = Math.max(worst, performance.now() - start);
  }
  return worst;
}

test('two nodes hear each other, each over one channel a topic', async () => {
  const [north, south] = [await createUpNode(), await createUpNode()];
  const ears = await Promise.all(
    [north, north, north, south, south].map(({ broker }) => listenReady(broker, 'chat:1')),
  );
  expect(await redis.command('PUBSUB', 'NUMSUB', `${prefix}chat:1`)).toEqual([`${prefix}chat:1`, 2]);
  north.broker.publish('chat:1', { revision: 1 });
  await eventually(() => expect(ears.map((ear) => ear.heard)).toEqual(ears.map(() => [1])));
  south.broker.publish('chat:1', { revision: 2 });
  await eventually(() => expect(ears.map((ear) => ear.heard)).toEqual(ears.map(() => [1, 2])));
});

test('what is published at once is told once of each topic', async () => {
  const { broker } = await createUpNode();
  const ears = [await listenReady(broker, 'chat:1'), await listenReady(broker, 'chat:2')];
  await redis.command('CONFIG', 'RESETSTAT');
  for (let revision = 1; revision <= 50; revision++)
    for (const topic of ['chat:1', 'chat:2']) broker.publish(topic, { revision });
  await Promise.all(ears.map((ear) => ear.hears(50)));
  expect(ears.map((ear) => ear.heard)).toEqual([[50], [50]]);
  expect(await published()).toBe(2);
});

test('deployments that share a Redis do not hear each other', async () => {
  const { broker } = await createUpNode();
  const ear = await listenReady(broker, 'chat:1');
  await redis.command('PUBLISH', 'other:chat:1', '{"revision":1}');
  await redis.command('PUBLISH', `${prefix}chat:1`, '{"revision":2}');
  await eventually(() => expect(ear.heard).toEqual([2]));
});

test('drops garbage, and says so once a second', { timeout: 30_000 }, async () => {
  const { broker, lines } = await createUpNode();
  const ear = await listenReady(broker, 'chat:1');
  const channel = `${prefix}chat:1`;
  const garbage = [
    ['', '{', 'null', '[]', '7', '"7"', 'true', '{}', '[{"revision":1}]', '{"revision":"1"}', '{"revision":null}'],
    ['{"revision":-1}', '{"revision":1e308}', '{"revision":1.5}', '{"revision":9007199254740992}', '{"Revision":1}'],
    ['{"__proto__":1}', '{"__proto__":{"revision":1}}', '{"constructor":{"prototype":{"revision":1}}}'],
    [`{"revision":1}${' '.repeat(1_000)}`, '[1,2', 'x'.repeat(10_000_000), `[${'1,'.repeat(5_000_000)}1]`],
  ].flat();
  const started = performance.now();
  for (const text of garbage) await redis.command('PUBLISH', channel, text);
  for (let i = 0; i < 200; i++) await redis.command('PUBLISH', channel, Buffer.from([0xff, 0xfe, 0x00, i]));
  await redis.command('PUBLISH', channel, '{"revision":3,"__proto__":{"admin":true},"later":"field"}');
  await eventually(() => expect(ear.heard).toEqual([3]));
  const seconds = Math.ceil((performance.now() - started) / 1_000);
  expect(lines.length).toBeGreaterThan(0);
  expect(lines.length).toBeLessThanOrEqual(seconds);
  expect(({} as { admin?: boolean }).admin).toBeUndefined();
  expect(JSON.stringify(lines).length).toBeLessThan(1_000 * seconds);
});

test('a severed subscriber comes back by itself, says so, and hears', { timeout: 30_000 }, async () => {
  const { broker, levels, reconnects } = await createUpNode();
  const ears = Array.from({ length: 5_000 }, (_, i) => listen(broker, `chat:${i}`));
  await Promise.all(ears.map((ear) => ear.ready));
  const [first, last] = [ears[0]!, ears.at(-1)!];
  // Reconnected means that nothing is missed from here on: neither on the first channel nor on the last.
  broker.onReconnect(() => {
    for (const topic of ['chat:0', 'chat:4999']) broker.publish(topic, { revision: reconnects() });
  });
  for (let round = 1; round <= 3; round++) {
    await redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await Promise.all([first.hears(round), last.hears(round)]);
    expect(broker.status()).toBe('up');
    expect(await channels()).toHaveLength(5_000);
  }
  expect([first.heard, last.heard]).toEqual([
    [1, 2, 3],
    [1, 2, 3],
  ]);
  expect(levels()).toEqual([WARN, INFO, WARN, INFO, WARN, INFO]);
});

test('a severed publisher comes back and is told of too', async () => {
  const { broker, reconnects } = await createUpNode();
  const ear = await listenReady(broker, 'chat:1');
  await redis.command('CLIENT', 'KILL', 'TYPE', 'normal');
  await eventually(() => expect(reconnects()).toBe(1));
  broker.publish('chat:1', { revision: 1 });
  await eventually(() => expect(ear.heard).toEqual([1]));
});

test('Redis dies and returns', { timeout: 60_000 }, async () => {
  const { broker, levels, reconnects } = await createUpNode();
  const other = await createUpNode();
  const old = await listenReady(broker, 'chat:old');
  const leaving = await listenReady(broker, 'chat:leaving');

  await redis.kill();
  await untilDown(broker);
  expect(longest(100_000, (i) => broker.publish('chat:old', { revision: i }))).toBeLessThan(1_000);
  leaving.close();
  const fresh = listen(broker, 'chat:fresh');
  const neighbour = listen(broker, 'chat:old');
  expect(longest(10_000, (i) => listen(broker, `chat:${i}`).close())).toBeLessThan(1_000);
  expect(await isPending(fresh.ready)).toBe(true);
  expect(await isPending(neighbour.ready)).toBe(true);

  await redis.start();
  await Promise.all([fresh.ready, neighbour.ready]);
  await untilUp(other.broker);
  await eventually(() => expect(reconnects()).toBe(1));
  expect(await channels()).toEqual([`${prefix}chat:fresh`, `${prefix}chat:old`]);
  other.broker.publish('chat:old', { revision: 1_000_000 });
  other.broker.publish('chat:fresh', { revision: 1_000_001 });
  await eventually(() => expect(fresh.heard).toEqual([1_000_001]));
  expect([old.heard, neighbour.heard, leaving.heard]).toEqual([[1_000_000], [1_000_000], []]);
  expect(await published()).toBe(2);
  expect(levels()).toEqual([WARN, INFO]);
});

test('Redis stops answering and goes on', { timeout: 60_000 }, async () => {
  const idle = await createUpNode();
  const { broker, levels, reconnects } = await createUpNode();
  const old = await listenReady(broker, 'chat:old');
  const leaving = await listenReady(broker, 'chat:leaving');
  await redis.command('CONFIG', 'RESETSTAT');

  redis.pause();
  const paused = performance.now();
  expect(longest(100_000, (i) => broker.publish(`chat:nobody-${i}`, { revision: 1 }))).toBeLessThan(1_000);
  const fresh = listen(broker, 'chat:fresh');
  leaving.close();
  await Promise.all([untilDown(broker), untilDown(idle.broker)]);
  expect(performance.now() - paused).toBeLessThan(15_000);
  expect(await isPending(fresh.ready)).toBe(true);
  const later = listen(broker, 'chat:later');

  redis.resume();
  await Promise.all([fresh.ready, later.ready, untilUp(broker), untilUp(idle.broker)]);
  // A busy machine may find it gone once more.
  expect(Math.min(reconnects(), idle.reconnects())).toBeGreaterThanOrEqual(1);
  broker.publish('chat:old', { revision: 2 });
  broker.publish('chat:fresh', { revision: 3 });
  broker.publish('chat:later', { revision: 4 });
  await Promise.all([old.hears(2), fresh.hears(3), later.hears(4)]);
  await eventually(async () =>
    expect(await channels()).toEqual(['chat:fresh', 'chat:later', 'chat:old'].map((topic) => prefix + topic)),
  );
  expect(await published()).toBeLessThan(10_000);
  for (const told of [levels(), idle.levels()]) expect(told.slice(0, 2)).toEqual([WARN, INFO]);
});

test('closes within a second whatever Redis does', { timeout: 60_000 }, async () => {
  const close = async (broker: Broker): Promise<number> => {
    const start = performance.now();
    await broker.close();
    return performance.now() - start;
  };
  const healthy = (await createUpNode()).broker;
  listen(healthy, 'chat:1');
  expect(await close(healthy)).toBeLessThan(1_000);
  expect(await close(createNode().broker)).toBeLessThan(1_000);

  const nodes = [await createUpNode(), await createUpNode()];
  redis.pause();
  nodes.forEach(({ broker }) => listen(broker, 'chat:1'));
  expect(await close(nodes[0]!.broker)).toBeLessThan(1_000);
  const connecting = createNode().broker;
  await untilDown(nodes[1]!.broker);
  expect(await close(nodes[1]!.broker)).toBeLessThan(1_000);
  expect(await close(connecting)).toBeLessThan(1_000);

  await redis.kill();
  const absent = createNode();
  await eventually(() => expect(absent.levels()).toEqual([WARN]));
  expect(await close(absent.broker)).toBeLessThan(1_000);
  await redis.start();
});

test('starts without Redis and takes it up when it comes', { timeout: 30_000 }, async () => {
  await redis.kill();
  const { broker, levels, reconnects } = createNode();
  expect(broker.status()).toBe('down');
  const ear = listen(broker, 'chat:1');
  broker.publish('chat:1', { revision: 1 });
  await eventually(() => expect(levels()).toEqual([WARN]));
  await redis.start();
  await ear.ready;
  await untilUp(broker);
  broker.publish('chat:1', { revision: 2 });
  await eventually(() => expect(ear.heard).toEqual([2]));
  expect(levels()).toEqual([WARN, INFO]);
  expect(reconnects()).toBe(1);
});

test('a refused password is one line, and not in it', { timeout: 30_000 }, async () => {
  await redis.command('ACL', 'SETUSER', 'parley', 'on', '>old-secret', '~*', '&*', '+@all');
  const { broker, lines, reconnects } = createNode(redis.url.replace('//', '//parley:old-secret@'));
  const ear = await listenReady(broker, 'chat:1');
  await untilUp(broker);
  await redis.command('ACL', 'DELUSER', 'parley');
  await untilDown(broker);
  await eventually(async () => expect(await redis.command('ACL', 'LOG')).not.toEqual([]));
  await redis.command('ACL', 'SETUSER', 'parley', 'on', '>old-secret', '~*', '&*', '+@all');
  await eventually(() => expect(reconnects()).toBe(1));
  broker.publish('chat:1', { revision: 1 });
  await eventually(() => expect(ear.heard).toEqual([1]));
  expect(lines.map((line) => line.level)).toEqual([WARN, INFO]);

  const mistaken = createNode(redis.url.replace('//', '//parley:new-secret@'));
  await eventually(() => expect(mistaken.levels()).toEqual([WARN]));
  expect(JSON.stringify(mistaken.lines)).toContain('WRONGPASS');
  expect(JSON.stringify([lines, mistaken.lines])).not.toContain('secret');
});

test('with the nodes of a cluster, moves on when one dies', { timeout: 60_000 }, async () => {
  const second = await startPrivateRedis();
  const { broker } = createNode(redis.url, second.url);
  for (const [dying, staying] of [
    [redis, second],
    [second, redis],
  ] as const) {
    await dying.kill();
    const ear = await listenReady(broker, 'chat:1');
    // Whether the publisher has noticed yet shows only in what arrives.
    await eventually(() => {
      broker.publish('chat:1', { revision: 1 });
      expect(ear.heard).toContain(1);
    });
    expect(await staying.command('PUBSUB', 'NUMSUB', `${prefix}chat:1`)).toEqual([`${prefix}chat:1`, 1]);
    ear.close();
    await dying.start();
  }
  await broker.close();
  await second.remove();
});

test('What it takes to send hints goes with the quick collection of garbage', async () => {
  expect(await runScript(new URL('hint-garbage.ts', import.meta.url), redis.url)).toBe('gone\n');
});
