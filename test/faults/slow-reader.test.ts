import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { Follower, sendUntilKnown } from '../support/chat-history.ts';
import type { Known } from '../support/chat-history.ts';
import { backend, startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { scrape } from '../support/exposition.ts';
import { openDirectChat, openGroup, registerPerson, send } from '../support/people.ts';
import type { Person } from '../support/people.ts';
import { atFullSize, quantile, report, summarize } from '../support/size.ts';
import { eventually, within } from '../support/wait.ts';

const READERS = atFullSize(99, 10);
const MESSAGES = atFullSize(20_000, 400);
const BODY = 'x'.repeat(1_000);
const WRITERS = 8;
/** At full size 50 messages a second, so that what is measured is the delivery, and not how fast one process reads. */
const WRITE_EVERY_MS = atFullSize(160, 0);
/** More than the kernels on the way to a reader keep. */
const ARCHIVE = { messages: 700, body: '\u{1f30a}'.repeat(8_000) };
/** Only at full size: of little traffic it is the garbage that shows, and no queue could be told from it. */
const MAX_GROWTH_MB = atFullSize(50, Infinity);
const MAX_P99_MS = atFullSize(250, Infinity);
const CLOSED_WITHIN_MS = 30_000;

/** Subscribes to the chats, and then takes nothing from its socket any more. */
async function stalledReader(person: Person, wsUrl: string, chatIds: string[]) {
  const socket = new WebSocket(wsUrl, 'graphql-transport-ws');
  const closed = new Promise<{ code: number }>((resolve) => {
    socket.on('close', (code) => resolve({ code }));
  });
  await new Promise((resolve) => socket.once('open', resolve));
  socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${person.accessToken}` } }));
  await new Promise((resolve) => socket.once('message', resolve));
  const query = 'subscription ($chatId: ID!) { messageAdded(chatId: $chatId, afterSeq: 0) { seq body } }';
  for (const chatId of chatIds)
    socket.send(JSON.stringify({ id: chatId, type: 'subscribe', payload: { query, variables: { chatId } } }));
  await new Promise((resolve) => socket.once('message', resolve));
  socket.pause();
  return { closed, resume: () => socket.resume() };
}

async function residentMegabytes(pid: number): Promise<number> {
  return Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))![1]) / 1024;
}

/**
 * Promise 7: who does not read costs the others nothing, and a bounded amount of memory. The embedded database keeps its
 * own memory in the same process, so this is measured beside PostgreSQL.
 */
describe.runIf(backend === 'distributed')('a reader that stops reading', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster({ nodes: 1, env: { METRICS_PORT: '0' } });
  });
  afterAll(() => cluster?.stop());

  it(
    `is closed while ${READERS} others get ${MESSAGES} messages, and misses nothing`,
    { timeout: 1_200_000 },
    async () => {
      const ann = await registerPerson(cluster);
      const bob = await registerPerson(cluster);
      const chat = await openDirectChat(ann, bob);
      const archive = await openGroup(bob, [], 'The archive');
      for (let nth = 0; nth < ARCHIVE.messages; nth += 1) await send(bob, archive, ARCHIVE.body);
      const sentAt = new Map<string, number>();
      const latencies: number[] = [];
      const onMessage = ({ body }: Known) => latencies.push(performance.now() - (sentAt.get(body) ?? NaN));
      const followers = Array.from({ length: READERS }, () => new Follower(bob, chat.id, { onMessage }));
      await send(ann, chat, 'first');
      await eventually(() => followers.forEach((follower) => expect(follower.lastSeq).toBe(1)));
      latencies.length = 0;
      const before = await residentMegabytes(cluster.node(0).pid);

      const slow = await stalledReader(bob, cluster.node(0).wsUrl, [archive.id, chat.id]);
      const slowEnds = (async () => {
        await eventually(() => expect(cluster.node(0).logs.join()).toContain('socket.stalled'), {
          deadlineMs: CLOSED_WITHIN_MS,
          everyMs: 250,
        });
        // Told that it is stuck, it reads what was on its way and, behind that, why it was closed.
        slow.resume();
        return within(slow.closed, CLOSED_WITHIN_MS, 'the end of the slow reader');
      })();

      let written = 1;
      const write = async () => {
        while (written < MESSAGES) {
          const clientId = `message ${(written += 1)}`;
          const body = `${clientId} ${BODY}`;
          const pace = delay(WRITE_EVERY_MS);
          sentAt.set(body, performance.now());
          await sendUntilKnown(ann, { chatId: chat.id, body, clientId });
          await pace;
        }
      };
      const [{ code }] = await Promise.all([slowEnds, ...Array.from({ length: WRITERS }, write)]);
      expect(code).toBe(1013);
      expect((await scrape(cluster.node(0))).read('parley_slow_sockets_closed_total')).toBe(1);
      await eventually(() => followers.forEach((follower) => expect(follower.lastSeq).toBe(MESSAGES)), {
        deadlineMs: 60_000,
      });
      expect(followers.map(({ reconnects }) => reconnects)).toEqual(followers.map(() => 0));
      const grownMegabytes = Math.round((await residentMegabytes(cluster.node(0).pid)) - before);
      report('a stalled reader among 99', { grownMegabytes, deliveryMs: summarize(latencies) });
      expect(grownMegabytes).toBeLessThan(MAX_GROWTH_MB);
      expect(quantile(latencies, 0.99)).toBeLessThan(MAX_P99_MS);

      const resumed = new Follower(bob, chat.id);
      await eventually(() => expect(resumed.lastSeq).toBe(MESSAGES), { deadlineMs: 120_000 });
      expect(resumed.seen.map(({ seq }) => seq)).toEqual(Array.from({ length: MESSAGES }, (_, index) => index + 1));
      await Promise.all([...followers, resumed].map((follower) => follower.stop()));
    },
  );
});
