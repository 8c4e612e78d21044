import { Redis } from 'ioredis';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { backend, startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { openDirectChat, openGroup, registerPerson, send } from '../support/people.ts';
import type { Person } from '../support/people.ts';
import { startPrivateRedis } from '../support/redis.ts';
import type { PrivateRedis } from '../support/redis.ts';
import { eventually, within } from '../support/wait.ts';
import { Added, editMessage, listenToChats, removeMember, rename, Updated } from './operations.ts';

/** Promises 3 and 5. */
const SWEPT_MS = 2_000;

describe.runIf(backend === 'distributed')('when hints are lost', () => {
  let cluster: Cluster;
  let ann: Person;
  let bob: Person;

  async function meet() {
    ann = await registerPerson(cluster, { firstName: 'Ann' });
    bob = await registerPerson(cluster, { firstName: 'Bob' });
  }

  /** Bob listens at the second node to everything there is, and Ann acts at the first. */
  async function tellTheWholeStory() {
    const chat = await openGroup(ann, [bob], 'Before');
    const direct = await openDirectChat(ann, bob);
    const message = await send(ann, chat, 'first');
    await send(ann, direct, 'first');
    const socket = await bob.client(1).openSocket();
    const added = socket.subscribe(Added, { chatId: chat.id, afterSeq: 0 });
    const updated = socket.subscribe(Updated, { chatId: chat.id, afterRevision: 0 });
    const elsewhere = socket.subscribe(Added, { chatId: direct.id, afterSeq: 0 });
    const chats = await listenToChats(bob, 1);
    await Promise.all([added.next(), elsewhere.next()]);

    const before = performance.now();
    await send(ann, chat, 'second');
    await editMessage(ann, message, 'first of all');
    await rename(ann, chat, 'After');
    expect(performance.now() - before).toBeLessThan(1_500);
    const [second, edited] = await Promise.all([
      added.next(SWEPT_MS),
      updated.next(SWEPT_MS),
      within(
        chats.until(
          chat,
          ({ title, unreadCount, lastMessage }) => title === 'After' && unreadCount === 2 && lastMessage?.seq === 2,
        ),
        SWEPT_MS,
        'the new title',
      ),
    ]);
    expect(second.messageAdded).toMatchObject({ seq: 2, body: 'second' });
    expect(edited.messageUpdated).toMatchObject({ seq: 1, body: 'first of all' });

    const invited = await openGroup(ann, [bob], 'A new one');
    await within(
      chats.until(invited, () => true),
      SWEPT_MS,
      'the new group',
    );

    await removeMember(ann, chat, bob);
    for (const stream of [added, updated])
      expect(await within(stream.end, SWEPT_MS, 'the end')).toMatchObject({
        kind: 'error',
        errors: [{ extensions: { code: 'NOT_FOUND' } }],
      });
    await send(ann, chat, 'he is gone');
    await send(ann, direct, 'but not from here');
    expect((await elsewhere.next(SWEPT_MS)).messageAdded).toMatchObject({ seq: 2 });
    expect(added.collected).toHaveLength(2);
    await socket.close();
    await chats.stream.close();
  }

  describe('for good, because no hint reaches the other node', () => {
    beforeAll(async () => {
      cluster = await startCluster({ nodes: 1 });
      await cluster.startNode({ REDIS_PREFIX: `${cluster.redisPrefix}elsewhere:` });
      await meet();
    });
    afterAll(() => cluster?.stop());

    it('the sweep brings everything', { timeout: 60_000 }, tellTheWholeStory);
  });

  describe('while Redis is away', () => {
    let redis: PrivateRedis;
    beforeAll(async () => {
      redis = await startPrivateRedis();
      cluster = await startCluster({ env: { REDIS_URL: redis.url } });
      await meet();
    });
    afterAll(async () => {
      await cluster?.stop();
      await redis?.remove();
    });

    /** With hints a few milliseconds each; by the sweep alone, each would wait for the next round. */
    async function expectHintsToFlow(chat: { id: string }) {
      const stream = await bob.client(1).subscribe(Added, { chatId: chat.id, afterSeq: 0 });
      await eventually(
        async () => {
          const { seq } = await send(ann, chat, 'does it flow?');
          while (stream.collected.at(-1)?.messageAdded.seq !== seq) await stream.next();
          const before = performance.now();
          for (let nth = 1; nth <= 5; nth += 1) {
            await send(ann, chat, 'it flows');
            await stream.next();
          }
          expect(performance.now() - before).toBeLessThan(2_500);
        },
        { deadlineMs: 30_000 },
      );
      await stream.close();
    }

    it('the sweep brings everything, and hints flow again once it is back', { timeout: 120_000 }, async () => {
      const chat = await openDirectChat(ann, bob);
      await expectHintsToFlow(chat);
      await redis.kill();
      await tellTheWholeStory();
      await redis.start();
      await expectHintsToFlow(chat);
    });

    it('a Redis that hangs keeps no sender waiting', { timeout: 60_000 }, async () => {
      const chat = await openGroup(ann, [bob]);
      const stream = await bob.client(1).subscribe(Added, { chatId: chat.id, afterSeq: 0 });
      await send(ann, chat, 'before');
      await stream.next();
      redis.pause();
      try {
        const paused = performance.now();
        for (let seq = 2; seq <= 6; seq += 1) {
          const before = performance.now();
          await send(ann, chat, 'into silence');
          expect(performance.now() - before).toBeLessThan(1_000);
          expect((await stream.next(SWEPT_MS)).messageAdded.seq).toBe(seq);
        }
        // One round of the sweep each: it did hang.
        expect(performance.now() - paused).toBeGreaterThan(2_000);
      } finally {
        redis.resume();
      }
      await stream.close();
    });
  });

  describe('or forged, or looked at on their way', () => {
    let forger: Redis;
    beforeAll(async () => {
      cluster = await startCluster();
      await meet();
      forger = new Redis(cluster.redisUrl!);
    });
    afterAll(async () => {
      forger?.disconnect();
      await cluster?.stop();
    });

    it('none is sent before what it tells of is committed', { timeout: 60_000 }, async () => {
      const chat = await openGroup(ann, [bob]);
      const channel = `${cluster.redisPrefix}chat:${chat.id}`;
      const ear = forger.duplicate();
      const heard: string[] = [];
      ear.on('message', (_channel, hint) => heard.push(hint));
      await ear.subscribe(channel);
      const lock = new pg.Client(cluster.databaseUrl);
      await lock.connect();
      await lock.query('BEGIN');
      await lock.query('SELECT 1 FROM chat WHERE id = $1 FOR UPDATE', [chat.id]);
      const sending = send(ann, chat, 'held up');
      try {
        const waiting = `SELECT 1 FROM pg_stat_activity
          WHERE datname = current_database() AND wait_event_type = 'Lock'`;
        await eventually(async () => expect(await cluster.sql(waiting)).toHaveLength(1));
        // What was said before the mark is heard before it.
        await forger.publish(channel, 'mark');
        await eventually(() => expect(heard).toContain('mark'));
        expect(heard).toEqual(['mark']);
      } finally {
        await lock.end();
        await sending;
      }
      await eventually(() => expect(heard).toHaveLength(2));
      ear.disconnect();
    });

    it('nothing wrong is delivered, and the next message arrives', { timeout: 60_000 }, async () => {
      const cy = await registerPerson(cluster, { firstName: 'Cy' });
      const chat = await openDirectChat(ann, bob);
      const foreign = await openDirectChat(ann, cy);
      const message = await send(ann, chat, 'real');
      await send(ann, foreign, 'not for Bob');
      const socket = await bob.client(1).openSocket();
      const added = socket.subscribe(Added, { chatId: chat.id, afterSeq: 0 });
      const updated = socket.subscribe(Updated, { chatId: chat.id, afterRevision: 0 });
      await added.next();
      const chats = await listenToChats(bob, 1);

      const wild = [
        '{',
        'null',
        '[]',
        '""',
        '{}',
        '{"revision":-1}',
        '{"revision":1e308}',
        '{"revision":9007199254740991}',
        '{"revision":"7"}',
        '{"revision":1.5}',
        '{"__proto__":{"revision":7}}',
        `{"revision":99,"chatId":"${foreign.id}","seq":1,"body":"forged"}`,
        `{"revision":99,"messageAdded":{"seq":2,"body":"forged"}}`,
        'x'.repeat(1_000_000),
      ];
      const topics = [
        `chat:${chat.id}`,
        `chat:${foreign.id}`,
        `user:${bob.id}`,
        `user:${cy.id}`,
        'chat:',
        'user:nobody',
      ];
      let heardBy = 0;
      for (const topic of topics)
        for (const hint of wild) heardBy += await forger.publish(`${cluster.redisPrefix}${topic}`, hint);
      // They did reach the node: the chat's channel and Bob's are live.
      expect(heardBy).toBeGreaterThanOrEqual(2 * wild.length);

      expect(await chats.settle()).toEqual([]);
      await send(ann, chat, 'real, too');
      expect((await added.next()).messageAdded).toMatchObject({ seq: 2, body: 'real, too' });
      await editMessage(ann, message, 'still real');
      expect((await updated.next()).messageUpdated).toMatchObject({ seq: 1, body: 'still real' });
      expect(added.collected).toHaveLength(2);
      expect(updated.collected).toHaveLength(1);

      const complaints = cluster.node(1).logs.filter((line) => line.includes('malformed hint'));
      expect(complaints.length).toBeGreaterThan(0);
      expect(complaints.length).toBeLessThan(wild.length);
      await socket.close();
      await chats.stream.close();
    });
  });
});
