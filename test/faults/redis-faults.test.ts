import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findFaults, Follower, readHistory, sendUntilKnown } from '../support/chat-history.ts';
import type { Known } from '../support/chat-history.ts';
import { backend, startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { openDirectChat, registerPerson } from '../support/people.ts';
import type { Person } from '../support/people.ts';
import { startPrivateRedis } from '../support/redis.ts';
import type { PrivateRedis } from '../support/redis.ts';
import { atFullSize, report, summarize } from '../support/size.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import type { TcpProxy } from '../support/tcp-proxy.ts';
import { eventually } from '../support/wait.ts';

/** Promise 3, with what a loaded machine needs to say so. */
const DELIVERED_MS = 2_000 + 1_000;

/** Redis fails in every way while somebody writes at one node and somebody listens at the other. */
describe.runIf(backend === 'distributed')('Redis', () => {
  let redis: PrivateRedis;
  let proxy: TcpProxy;
  let cluster: Cluster;
  let ann: Person;
  let chatId: string;
  let follower: Follower;
  let acknowledged: Known[];
  let sendMs: number[];
  /** From the beginning of a send until the follower at the other node has it. */
  let deliveryMs: number[];
  let sentAt: Map<string, number>;

  beforeEach(async () => {
    redis = await startPrivateRedis();
    const url = new URL(redis.url);
    proxy = await startTcpProxy({ port: Number(url.port) });
    url.port = String(proxy.port);
    cluster = await startCluster({ env: { REDIS_URL: url.href } });
    ann = await registerPerson(cluster, { firstName: 'Ann' });
    const bob = await registerPerson(cluster, { firstName: 'Bob' });
    chatId = (await openDirectChat(ann, bob)).id;
    const onMessage = ({ body }: Known) => deliveryMs.push(performance.now() - sentAt.get(body)!);
    follower = new Follower(bob, chatId, { node: 1, onMessage });
    acknowledged = [];
    [sendMs, deliveryMs, sentAt] = [[], [], new Map()];
    await write();
    await eventually(() => expect(follower.lastSeq).toBe(1));
  });

  afterEach(async () => {
    const history = await readHistory(ann, chatId);
    await eventually(() => expect(follower.lastSeq).toBe(history.length), { deadlineMs: DELIVERED_MS });
    expect(findFaults({ acknowledged, followed: [follower.seen], history })).toEqual([]);
    expect(history).toHaveLength(acknowledged.length);
    // The socket was not even dropped, and the sender never waited for Redis.
    expect(follower.reconnects).toBe(0);
    const [sends, deliveries] = [summarize(sendMs), summarize(deliveryMs)];
    report(expect.getState().currentTestName!, { messages: history.length, sendMs: sends, deliveryMs: deliveries });
    expect(sends.max).toBeLessThan(2_000);
    await follower.stop();
    await cluster.stop();
    await proxy.close();
    await redis.remove();
  });

  async function write(): Promise<Known> {
    const nth = acknowledged.length + 1;
    const body = `message ${nth}`;
    const began = performance.now();
    sentAt.set(body, began);
    const { message } = await sendUntilKnown(ann, { chatId, body, clientId: `client ${nth}` });
    sendMs.push(performance.now() - began);
    acknowledged.push(message);
    return message;
  }

  async function writeAndSee(): Promise<void> {
    const { seq } = await write();
    await eventually(() => expect(follower.lastSeq).toBe(seq), { deadlineMs: DELIVERED_MS });
  }

  async function writeFor(ms: number): Promise<void> {
    const until = performance.now() + ms;
    while (performance.now() < until) {
      await writeAndSee();
      await delay(100);
    }
  }

  const readiness = async (index: number) => (await fetch(`${cluster.node(index).origin}/readyz`)).json();

  const expectBroker = (broker: 'up' | 'degraded', deadlineMs: number) =>
    eventually(
      async () => {
        for (const index of [0, 1]) expect(await readiness(index)).toMatchObject({ status: 'ready', broker });
      },
      { deadlineMs },
    );

  const KILLED_LINKS = atFullSize(100, 8);
  it(`loses its subscriber links ${KILLED_LINKS} times`, { timeout: 600_000 }, async () => {
    const admin = new Redis(redis.url);
    for (let nth = 0; nth < KILLED_LINKS; nth += 1) {
      await admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
      for (let burst = 0; burst < 5; burst += 1) await write();
    }
    admin.disconnect();
  });

  const PAUSED_MS = atFullSize(30_000, 6_000);
  it(`stands still for ${PAUSED_MS / 1000} s`, { timeout: 600_000 }, async () => {
    redis.pause();
    await writeFor(PAUSED_MS);
    redis.resume();
    await writeFor(2_000);
  });

  /** With hints a few milliseconds each; by the sweep alone, each would wait for the next round. */
  const expectHintsToFlow = () =>
    eventually(
      async () => {
        const began = performance.now();
        for (let nth = 0; nth < 5; nth += 1) await writeAndSee();
        expect(performance.now() - began).toBeLessThan(2_500);
      },
      { deadlineMs: 20_000 },
    );

  it('is cut off without a word, which is found out, and heals', { timeout: 600_000 }, async () => {
    // Listens at Redis itself, to what the nodes manage to say.
    const ear = new Redis(redis.url);
    const heard: unknown[] = [];
    ear.on('message', (_channel, hint) => heard.push(hint));
    await ear.subscribe(`${cluster.redisPrefix}chat:${chatId}`);
    proxy.set({ kind: 'drop' });
    let found = false;
    const finding = expectBroker('degraded', 15_000).finally(() => (found = true));
    while (!found) await writeFor(200);
    await finding;
    expect(heard).toEqual([]);

    proxy.set({ kind: 'pass' });
    // A connection whose first words were swallowed has to be given up before the next is made.
    await expectBroker('up', 5_000 + 3_000);
    await write();
    await eventually(() => expect(heard.length).toBeGreaterThan(0));
    await expectHintsToFlow();
    ear.disconnect();
  });

  const DOWN_MS = atFullSize(60_000, 4_000);
  it(`is away for ${DOWN_MS / 1000} s, and is needed by nobody`, { timeout: 600_000 }, async () => {
    await redis.kill();
    await writeFor(DOWN_MS);
    expect(await readiness(0)).toMatchObject({ status: 'ready', broker: 'degraded' });
    await redis.start();
    await eventually(async () => expect(await readiness(1)).toMatchObject({ status: 'ready', broker: 'up' }), {
      deadlineMs: 5_000,
    });
    await writeFor(1_000);
  });

  const RESTARTS = atFullSize(10, 2);
  it(`restarts ${RESTARTS} times`, { timeout: 600_000 }, async () => {
    for (let nth = 0; nth < RESTARTS; nth += 1) {
      await redis.kill();
      await write();
      await redis.start();
      await writeFor(1_000);
    }
  });

  it('is full, and still carries hints', { timeout: 600_000 }, async () => {
    const admin = new Redis(redis.url);
    await admin.config('SET', 'maxmemory', '1mb');
    await writeFor(2_000);
    admin.disconnect();
  });

  it('is full of garbage', { timeout: 600_000 }, async () => {
    const admin = new Redis(redis.url);
    const channels = (await admin.pubsub('CHANNELS', '*')) as string[];
    expect(channels.some((channel) => channel.includes(chatId))).toBe(true);
    const garbage = ['{', 'null', '[]', '"x"', '{"revision":-1}', '{"revision":1e308}', '{"revision":"9"}', '\u0000'];
    const forged = ['{"revision":999999999}', `{"revision":5,"__proto__":{"x":1}}`, `{"revision":0}`];
    for (const channel of channels) {
      for (const text of [...garbage, ...forged]) await admin.publish(channel, text);
      await admin.publish(channel, 'x'.repeat(10_000_000));
    }
    await writeFor(2_000);
    admin.disconnect();
  });
});
