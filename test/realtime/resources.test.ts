import { once } from 'node:events';
import { createConnection } from 'node:net';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rawSocket } from '../support/client.ts';
import { backend, startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { toParams } from '../support/document.ts';
import { openDirectChat, registerPerson, send } from '../support/people.ts';
import type { Person } from '../support/people.ts';
import { eventually, within } from '../support/wait.ts';
import { Added, Chats, many, readHistory, seqs, Updated } from './operations.ts';

describe('what subscriptions hold', () => {
  let cluster: Cluster;
  let ann: Person;
  let bob: Person;
  beforeAll(async () => {
    cluster = await startCluster();
    ann = await registerPerson(cluster, { firstName: 'Ann' });
    bob = await registerPerson(cluster, { firstName: 'Bob' });
  });
  afterAll(() => cluster?.stop());

  /** The channels that any node listens to; none where there is no Redis. */
  async function liveChannels(): Promise<string[]> {
    if (cluster.redisUrl === undefined) return [];
    const redis = new Redis(cluster.redisUrl);
    try {
      return (await redis.pubsub('CHANNELS', `${cluster.redisPrefix}*`)) as string[];
    } finally {
      redis.disconnect();
    }
  }

  const expectNoChannels = () =>
    eventually(async () => expect(await liveChannels()).toEqual([]), { deadlineMs: 10_000 });

  async function connect(who: Person) {
    const raw = await rawSocket(cluster.node(1));
    raw.send({ type: 'connection_init', payload: { authorization: `Bearer ${who.accessToken}` } });
    expect(await raw.nextMessage()).toMatchObject({ type: 'connection_ack' });
    return raw;
  }

  it('is let go with them: 200 times subscribed and completed', { timeout: 60_000 }, async () => {
    const chat = await openDirectChat(ann, bob);
    await send(ann, chat, 'hello');
    const raw = await connect(bob);
    const live = { type: 'subscribe', id: 'stays', payload: toParams(Added, { chatId: chat.id, afterSeq: 0 }) };
    raw.send(live);
    await raw.nextMessage();
    if (backend === 'distributed') expect(await liveChannels()).toEqual([`${cluster.redisPrefix}chat:${chat.id}`]);
    // Four sockets, because one that says this much within a second is cut off as a flood.
    for (const busy of await many(4, () => connect(bob))) {
      for (let nth = 0; nth < 50; nth += 1) {
        const id = `cycle ${nth}`;
        const operation = [Added, Updated, Chats][nth % 3]!;
        busy.send({ type: 'subscribe', id, payload: toParams(operation, { chatId: chat.id }) });
        // Half of them are left before they can be live.
        if (nth % 2) {
          busy.send({ type: 'subscribe', id: `${id} asks`, payload: { query: '{ __typename }' } });
          let message: { id?: string; type?: string } = {};
          while (message.type !== 'complete') message = (await busy.nextMessage()) as typeof message;
        }
        busy.send({ type: 'complete', id });
      }
      // The sockets stay open, so that what is let go is let go by `complete`.
      busy.send({ type: 'ping' });
      let last: { type?: string } = {};
      while (last.type !== 'pong') last = (await busy.nextMessage()) as typeof last;
    }
    await eventually(async () => {
      const kept = backend === 'distributed' ? [`${cluster.redisPrefix}chat:${chat.id}`] : [];
      expect(await liveChannels()).toEqual(kept);
    });
    await send(ann, chat, 'still here');
    let last: { id?: string; payload?: { data?: { messageAdded?: { body: string } } } } = {};
    while (last.id !== 'stays') last = (await raw.nextMessage()) as typeof last;
    expect(last.payload?.data?.messageAdded?.body).toBe('still here');
    raw.send({ type: 'complete', id: 'stays' });
    await expectNoChannels();
    raw.close(1000);
  });

  it('is let go with sockets that break: 50 of them', { timeout: 60_000 }, async () => {
    const chat = await openDirectChat(ann, bob);
    await many(
      50,
      async (nth) => {
        const raw = await connect(bob);
        raw.send({ type: 'subscribe', id: 'added', payload: toParams(Added, { chatId: chat.id, afterSeq: 0 }) });
        raw.send({ type: 'subscribe', id: 'chats', payload: toParams(Chats) });
        // Some before the subscription is live, some after.
        if (nth % 2) await raw.nextMessage();
        raw.socket.terminate();
        await raw.closed;
      },
      5,
    );
    await expectNoChannels();
    const stream = await bob.client(1).subscribe(Added, { chatId: chat.id, afterSeq: 0 });
    expect((await stream.next()).messageAdded.seq).toBe(1);
    await stream.close();
    await expectNoChannels();
  });

  it('is let go with event streams that break', async () => {
    const chat = await openDirectChat(ann, bob);
    const streams = await many(20, () =>
      bob.client(1).subscribe(Added, { chatId: chat.id, afterSeq: 0 }, { transport: 'sse' }),
    );
    await Promise.all(streams.map((stream) => stream.next()));
    if (backend === 'distributed') expect(await liveChannels()).toHaveLength(1);
    await Promise.all(streams.map((stream) => stream.close()));
    await expectNoChannels();
  });

  it(
    'ends in good order with the process, and what was acknowledged is there afterwards',
    { timeout: 60_000 },
    async () => {
      const chat = await openDirectChat(ann, bob);
      const { seq: before } = await send(ann, chat, 'before');
      const leaving = cluster.node(0);
      const socket = await bob.client(0).openSocket();
      const onSocket = socket.subscribe(Added, { chatId: chat.id, afterSeq: before - 1 });
      const onEvents = await bob
        .client(0)
        .subscribe(Added, { chatId: chat.id, afterSeq: before - 1 }, { transport: 'sse' });
      await Promise.all([onSocket.next(), onEvents.next()]);
      const acknowledged: number[] = [];
      const writing = (async () => {
        // Until the node takes no more.
        for (;;) acknowledged.push((await send(ann, chat, 'on and on')).seq);
      })().catch(() => undefined);
      await eventually(() => expect(acknowledged.length).toBeGreaterThan(5));

      const since = performance.now();
      const code = leaving.stop();
      expect(await socket.closed).toMatchObject({ code: 1012 });
      expect(await onEvents.end).toMatchObject({
        kind: 'error',
        errors: [{ extensions: { code: 'SERVICE_UNAVAILABLE', retryable: true } }],
      });
      expect(await code).toBe(0);
      expect(performance.now() - since).toBeLessThan(10_000);
      await writing;

      await cluster.startNode();
      const { messages } = await readHistory(ann, chat);
      const kept = messages.map(({ seq }) => seq);
      expect(kept).toEqual(seqs(1, kept.length));
      expect(kept).toEqual(expect.arrayContaining(acknowledged));
    },
  );

  it('is not waited for when somebody means it: the second SIGTERM', { timeout: 60_000 }, async () => {
    const place = await startCluster({ nodes: 1, allowExitCode: 1 });
    const server = place.node(0);
    const eve = await registerPerson(place, { firstName: 'Eve' });
    // Enough that closing them one after the other takes its time.
    const sockets = await many(30, () => eve.client().openSocket());
    process.kill(server.pid, 'SIGTERM');
    await eventually(() => expect(server.logs.some((line) => line.includes('stopping'))).toBe(true), { everyMs: 1 });
    process.kill(server.pid, 'SIGTERM');
    expect(await within(server.exited, 1_000, 'the exit')).toMatchObject({ code: 1 });
    await Promise.all(sockets.map(({ closed }) => closed));
    await place.stop();
  });

  it('does not wait for a refused upgrade whose peer keeps its side open', { timeout: 60_000 }, async () => {
    const place = await startCluster({ nodes: 1 });
    const server = place.node(0);
    const peer = createConnection({ port: server.port, host: '127.0.0.1', allowHalfOpen: true });
    peer.write('GET /nowhere HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    await once(peer, 'data');
    // The server has let go of it at once: what is written on is answered with a reset.
    const broken = new Promise((resolve) => peer.once('error', resolve));
    const writing = setInterval(() => peer.write('x'), 50);
    await within(broken, 5_000, 'the reset').finally(() => clearInterval(writing));
    process.kill(server.pid, 'SIGTERM');
    expect(await within(server.exited, 10_000, 'the exit')).toMatchObject({ code: 0 });
    peer.destroy();
    await place.stop();
  });
});
