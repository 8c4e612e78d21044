import { pino } from 'pino';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createQuota } from '../../src/rate-limits/quota.ts';
import { connectRedisCounters } from '../../src/rate-limits/redis-counters.ts';
import { startPrivateRedis } from '../support/redis.ts';
import { whyNoRedis } from '../support/servers.ts';
import { eventually } from '../support/wait.ts';

const ALLOWANCE = { points: 10, seconds: 60 };
const noRedis = await whyNoRedis();

/** What two nodes count for the same key, one after the other. */
async function countTogether(urlsOfNodes: string[][]) {
  const nodes = urlsOfNodes.map((urls) => connectRedisCounters(urls, pino({ level: 'silent' })));
  onTestFinished(() => nodes.forEach((node) => node.close()));
  await eventually(() => expect(nodes.map(({ client }) => client.status)).toEqual(nodes.map(() => 'ready')));
  return nodes.map((node) => createQuota('test:limit', ALLOWANCE, node));
}

describe.skipIf(noRedis !== undefined)('counters in Redis', () => {
  it('are the same for all nodes', async () => {
    const redis = await startPrivateRedis();
    onTestFinished(() => redis.remove());
    const [one, other] = await countTogether([[redis.url], [redis.url]]);
    expect(await one!.take('ann', 6)).toMatchObject({ isOver: false });
    expect(await other!.take('ann', 6)).toMatchObject({ isOver: true, isFirstOver: true, secondsLeft: 60 });
    expect(await one!.take('ann', 6)).toMatchObject({ isOver: true, isFirstOver: false });
    expect(await one!.take('bob', 6)).toMatchObject({ isOver: false });
    await one!.giveBack('bob', 5);
    expect(await other!.take('bob', 9)).toMatchObject({ isOver: false });
    expect(await other!.isMarked('cid')).toBe(false);
    await one!.mark('cid');
    expect(await other!.isMarked('cid')).toBe(true);
    expect(await redis.command('TTL', 'test:limit:cid')).toBe(60);
  });

  it('are on whichever node of a cluster has the key', { timeout: 60_000 }, async () => {
    const nodes = await Promise.all([
      startPrivateRedis({ isClustered: true }),
      startPrivateRedis({ isClustered: true }),
    ]);
    onTestFinished(async () => void (await Promise.all(nodes.map((node) => node.remove()))));
    const [first, second] = nodes;
    await first.command('CLUSTER', 'ADDSLOTSRANGE', 0, 8191);
    await second.command('CLUSTER', 'ADDSLOTSRANGE', 8192, 16383);
    const { port } = new URL(second.url);
    const [, bus] = /cluster-port\D+(\d+)/.exec(String(await second.command('CONFIG', 'GET', 'cluster-port')))!;
    await first.command('CLUSTER', 'MEET', '127.0.0.1', port, bus!);
    for (const node of nodes)
      await eventually(async () => expect(await node.command('CLUSTER', 'INFO')).toContain('cluster_state:ok'));
    const [one, other] = await countTogether([
      [first.url, second.url],
      [second.url, first.url],
    ]);
    for (let n = 0; n < 20; n += 1) {
      expect(await one!.take(`key ${n}`, 10)).toMatchObject({ isOver: false });
      expect(await other!.take(`key ${n}`, 1)).toMatchObject({ isOver: true, isFirstOver: true });
    }
    for (const node of nodes) expect(await node.command('DBSIZE')).toBeGreaterThan(0);
  });
});
