import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { findFaults, Follower, readHistory, sendUntilKnown } from '../support/chat-history.ts';
import type { Known } from '../support/chat-history.ts';
import { backend, startCluster } from '../support/cluster.ts';
import { graphql } from '../support/generated/index.ts';
import { openDirectChat, registerPerson, send } from '../support/people.ts';
import { atFullSize, report } from '../support/size.ts';
import { eventually, within } from '../support/wait.ts';

const SOCKETS = atFullSize(500, 60);
const STREAMS = atFullSize(20, 5);
/** Together they send a hundred times a second. */
const WRITERS = 10;
const WRITE_EVERY_MS = 100;

const Listen = graphql(/* GraphQL */ `
  subscription ListenWhileItDrains($chatId: ID!, $afterSeq: Int) {
    messageAdded(chatId: $chatId, afterSeq: $afterSeq) {
      seq
    }
  }
`);

describe.runIf(backend === 'distributed')('SIGTERM under load', () => {
  it(
    `lets ${SOCKETS} sockets and ${STREAMS} event streams go one by one, and loses nothing`,
    { timeout: 180_000 },
    async () => {
      const cluster = await startCluster({ nodes: 2 });
      const ann = await registerPerson(cluster, { firstName: 'Ann' });
      const bob = await registerPerson(cluster, { firstName: 'Bob' });
      const cy = await registerPerson(cluster, { firstName: 'Cy' });
      const chat = await openDirectChat(ann, bob);
      const elsewhere = await openDirectChat(ann, cy);
      const leaving = cluster.node(0);
      const followers = [0, 0, 1, 1].map((node) => new Follower(bob, chat.id, { node }));
      const sockets = await Promise.all(Array.from({ length: SOCKETS }, () => bob.client(0).openSocket()));
      const closings = sockets.map(async ({ closed }) => ({ ...(await closed), at: performance.now() }));
      const streams = await Promise.all(
        Array.from({ length: STREAMS }, () =>
          bob.client(0).subscribe(Listen, { chatId: chat.id, afterSeq: 0 }, { transport: 'sse' }),
        ),
      );

      const acknowledged: Known[] = [];
      let writing = true;
      const write = async (writer: number) => {
        for (let nth = 0; writing; nth += 1) {
          const name = `message ${nth} of writer ${writer}`;
          const message = { chatId: chat.id, body: name, clientId: name };
          const pace = delay(WRITE_EVERY_MS);
          acknowledged.push((await sendUntilKnown(ann, message, { firstNode: writer + nth })).message);
          await pace;
        }
      };
      const writers = Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(writer)));
      await eventually(() => {
        expect(acknowledged.length).toBeGreaterThan(WRITERS);
        for (const stream of streams) expect(stream.collected.length).toBeGreaterThan(0);
      });

      // One request is under way at the node, and cannot end before the signal has come.
      const lock = new pg.Client(cluster.databaseUrl);
      await lock.connect();
      await lock.query('BEGIN');
      await lock.query('SELECT 1 FROM chat WHERE id = $1 FOR UPDATE', [elsewhere.id]);
      const underWay = send(ann, elsewhere, 'under way', { nodeIndex: 0 });
      await delay(200);
      process.kill(leaving.pid, 'SIGTERM');
      const exit = within(leaving.exited, 10_000, 'the exit');
      await eventually(async () => expect((await fetch(`${leaving.origin}/readyz`)).status).toBe(503), {
        deadlineMs: 1_000,
        everyMs: 10,
      });
      await lock.end();
      expect(await underWay).toMatchObject({ seq: 1, body: 'under way' });

      const closed = await Promise.all(closings);
      expect(closed.filter(({ code }) => code !== 1012)).toEqual([]);
      const times = closed.map(({ at }) => at);
      expect(Math.max(...times) - Math.min(...times)).toBeGreaterThan(500);
      report('a drain', { sockets: closed.length, closedOverMs: Math.round(Math.max(...times) - Math.min(...times)) });
      for (const stream of streams)
        expect(await within(stream.end, 10_000, 'the end of a stream')).toMatchObject({
          kind: 'error',
          errors: [{ extensions: { code: 'SERVICE_UNAVAILABLE', retryable: true } }],
        });
      expect(await exit).toEqual({ code: 0, signal: null });

      await delay(500);
      writing = false;
      await writers;
      await cluster.startNode();
      const history = await readHistory(ann, chat.id);
      for (const follower of followers)
        await eventually(() => expect(follower.lastSeq).toBe(history.length), { deadlineMs: 20_000 });
      expect(findFaults({ acknowledged, followed: followers.map(({ seen }) => seen), history })).toEqual([]);
      expect(history).toHaveLength(acknowledged.length);
      // Those of the other node noticed nothing.
      expect(followers.map(({ reconnects }) => reconnects > 0)).toEqual([true, true, false, false]);
      await Promise.all(followers.map((follower) => follower.stop()));
      await cluster.stop();
    },
  );
});
