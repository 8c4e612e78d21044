import { describe, expect, it } from 'vitest';
import { findFaults, Follower, readHistory, sendUntilKnown } from '../support/chat-history.ts';
import type { Known } from '../support/chat-history.ts';
import { backend, startCluster } from '../support/cluster.ts';
import { openDirectChat, registerPerson } from '../support/people.ts';
import { atFullSize, report, summarize } from '../support/size.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { eventually } from '../support/wait.ts';

const DEATHS = atFullSize(200, 4);
/** Promise 3, with what a loaded machine needs to say so. */
const DELIVERED_MS = 2_000 + 500;

describe.runIf(backend === 'distributed')('a node that dies between commit and hint', () => {
  it(`is found out by the sweep, ${DEATHS} times, with no later traffic`, { timeout: 1_800_000 }, async () => {
    const cluster = await startCluster({ nodes: 1 });
    const redis = new URL(cluster.redisUrl!);
    const proxy = await startTcpProxy({ host: redis.hostname, port: Number(redis.port) });
    redis.host = `127.0.0.1:${proxy.port}`;
    // Nothing that the second node says ever reaches Redis.
    proxy.set({ kind: 'drop' });
    let mute = await cluster.startNode({ REDIS_URL: redis.href });

    const ann = await registerPerson(cluster, { firstName: 'Ann' });
    const bob = await registerPerson(cluster, { firstName: 'Bob' });
    const chat = await openDirectChat(ann, bob);
    const follower = new Follower(bob, chat.id, { node: 0 });
    const acknowledged: Known[] = [];
    /** From the death of the only one who knew to the delivery, as coarse as `eventually` looks. */
    const foundMs: number[] = [];
    for (let nth = 1; nth <= DEATHS; nth += 1) {
      const { message } = await sendUntilKnown(
        ann,
        { chatId: chat.id, body: `last words ${nth}`, clientId: `death ${nth}` },
        { firstNode: 1 },
      );
      acknowledged.push(message);
      await mute.kill();
      const died = performance.now();
      await eventually(() => expect(follower.lastSeq).toBe(nth), { deadlineMs: DELIVERED_MS });
      foundMs.push(performance.now() - died);
      mute = await cluster.startNode({ REDIS_URL: redis.href });
    }
    const history = await readHistory(bob, chat.id);
    expect(findFaults({ acknowledged, followed: [follower.seen], history })).toEqual([]);
    expect(follower.reconnects).toBe(0);
    report('deaths between commit and hint', { deaths: DEATHS, foundMs: summarize(foundMs) });
    await follower.stop();
    await cluster.stop();
    await proxy.close();
  });
});
