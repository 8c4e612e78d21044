import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createClient, GraphQLRequestError, rawSocket } from '../support/client.ts';
import { backend, startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { toParams } from '../support/document.ts';
import type { Person } from '../support/people.ts';
import { openDirectChat, registerPerson, send } from '../support/people.ts';
import { Added, deleteMessage, editMessage, many, readHistory, seqs } from './operations.ts';

const TRANSPORTS = ['ws', 'sse'] as const;
/** Messages that take far longer to catch up on than a probe does. */
const MUCH = 3_000;

describe('messageAdded', () => {
  let cluster: Cluster;
  let ann: Person;
  let bob: Person;
  beforeAll(async () => {
    cluster = await startCluster();
    ann = await registerPerson(cluster, { firstName: 'Ann' });
    bob = await registerPerson(cluster, { firstName: 'Bob' });
  });
  afterAll(() => cluster?.stop());

  /** A chat of its own for each story. */
  async function openRoom() {
    const eve = await registerPerson(cluster, { firstName: 'Eve' });
    return { eve, chat: await openDirectChat(ann, eve) };
  }

  const refusalOf = async (person: Person | null, variables: object, transport: 'ws' | 'sse') => {
    const client = person ? person.client(1) : createClient(cluster.node(1));
    const refused = await client
      .subscribe(Added, variables as { chatId: string }, { transport })
      .then((stream) => stream.next())
      .then(() => null)
      .catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(GraphQLRequestError);
    return refused as GraphQLRequestError;
  };

  describe.each(TRANSPORTS)('over %s', (transport) => {
    it('carries what one node accepts to a subscriber of the other', async () => {
      const { eve, chat } = await openRoom();
      await send(ann, chat, 'before');
      const stream = await eve.client(1).subscribe(Added, { chatId: chat.id, afterSeq: 0 }, { transport });
      expect((await stream.next()).messageAdded).toMatchObject({ seq: 1, body: 'before', author: { id: ann.id } });
      await send(ann, chat, 'after');
      expect((await stream.next()).messageAdded).toMatchObject({ seq: 2, body: 'after', author: { firstName: 'Ann' } });
      await stream.close();
    });

    it('without afterSeq begins with what comes from now on', async () => {
      const { eve, chat } = await openRoom();
      await many(3, () => send(ann, chat, 'before'), 1);
      const stream = await eve.client(1).subscribe(Added, { chatId: chat.id }, { transport });
      let sent = 3;
      while (stream.collected.length === 0) {
        sent = (await send(ann, chat, 'now')).seq;
        await stream.next(300).catch(() => undefined);
      }
      const last = (await send(ann, chat, 'last')).seq;
      const first = stream.collected[0]!.messageAdded.seq;
      expect(first).toBeGreaterThan(3);
      while (stream.collected.at(-1)!.messageAdded.seq < last) await stream.next();
      expect(stream.collected.map(({ messageAdded }) => messageAdded.seq)).toEqual(seqs(first, last));
      expect(sent).toBe(last - 1);
      await stream.close();
    });

    it('refuses an afterSeq that is not there', async () => {
      const { eve, chat } = await openRoom();
      await send(ann, chat, 'only');
      for (const afterSeq of [-1, 2, 2_147_483_647]) {
        const refused = await refusalOf(eve, { chatId: chat.id, afterSeq }, transport);
        expect(refused.extensions, String(afterSeq)).toMatchObject({ code: 'BAD_USER_INPUT', field: 'afterSeq' });
      }
    });

    it('tells a stranger no more than that nothing is there', async () => {
      const { chat } = await openRoom();
      const hidden = await refusalOf(bob, { chatId: chat.id }, transport);
      const absent = await refusalOf(bob, { chatId: '0199c0de-0000-7000-8000-000000000000' }, transport);
      expect(hidden.code).toBe('NOT_FOUND');
      expect(hidden.errors).toEqual(absent.errors);
    });
  });

  it('asks over sse who is there', async () => {
    const { chat } = await openRoom();
    expect((await refusalOf(null, { chatId: chat.id }, 'sse')).code).toBe('UNAUTHENTICATED');
  });

  it(
    'gives whoever joins while others write exactly what is behind afterSeq, 4 times',
    { timeout: 120_000 },
    async () => {
      const { eve, chat } = await openRoom();
      await many(600, (nth) => send(ann, chat, `old ${nth}`, { nodeIndex: nth }), 16);

      let acknowledged = 600;
      let writing = true;
      const write = async () => {
        while (writing) acknowledged = (await send(ann, chat, `new ${acknowledged}`, { nodeIndex: acknowledged })).seq;
      };
      const joining = many(
        4,
        async (nth) => {
          const afterSeq = nth === 0 ? 0 : Math.floor(Math.random() * (acknowledged + 1));
          const transport = TRANSPORTS[nth % 2]!;
          const stream = await eve.client(nth >> 1).subscribe(Added, { chatId: chat.id, afterSeq }, { transport });
          // The next joins once this one is past what was there, and amid what is being written.
          return { afterSeq, stream, got: await stream.take(acknowledged - afterSeq + 3, 30_000) };
        },
        3,
      ).finally(() => (writing = false));
      const [joined] = await Promise.all([joining, write()]);
      const end = (await send(ann, chat, 'the end')).seq;

      const { messages } = await readHistory(ann, chat);
      expect(messages.map(({ seq }) => seq)).toEqual(seqs(1, end));
      for (const { afterSeq, stream, got } of joined) {
        got.push(...(await stream.take(end - afterSeq - got.length)));
        expect(
          got.map(({ messageAdded }) => [messageAdded.seq, messageAdded.body]),
          `after ${afterSeq}`,
        ).toEqual(messages.slice(afterSeq).map(({ seq, body }) => [seq, body]));
      }
      // Nothing comes twice later on, either: the next thing is the next message.
      await send(ann, chat, 'one more');
      for (const { stream } of joined) {
        expect((await stream.next()).messageAdded.seq).toBe(end + 1);
        await stream.close();
      }
    },
  );

  it('gives whoever joins late the messages as they are by then', async () => {
    const { eve, chat } = await openRoom();
    const live = await eve.client(1).subscribe(Added, { chatId: chat.id, afterSeq: 0 });
    const edited = await send(ann, chat, 'a slip of the tongue');
    const deleted = await send(ann, chat, 'a secret');
    // Now the node has both in memory.
    await live.take(2);
    await editMessage(ann, edited, 'what was meant');
    await deleteMessage(ann, deleted);
    await send(ann, chat, 'the news');
    await live.next();
    const late = await eve.client(1).subscribe(Added, { chatId: chat.id, afterSeq: 0 });
    const bodies = (await late.take(3)).map(({ messageAdded }) => messageAdded.body);
    expect(bodies).toEqual(['what was meant', '', 'the news']);
    await live.close();
    await late.close();
  });

  it.runIf(backend === 'embedded')('leaves the others their turn while one catches up on much', async () => {
    const { eve, chat } = await openRoom();
    await many(MUCH, () => send(ann, chat, 'much'), 100);
    // Nothing is loaded for an event, which would wait for a turn: there is one statement after the other.
    const operation = 'subscription ($chatId: ID!) { messageAdded(chatId: $chatId, afterSeq: 0) { seq } }';
    const stream = await eve.client().subscribe(operation, { chatId: chat.id });
    await stream.next();
    expect((await fetch(`${cluster.node(0).origin}/livez`)).status).toBe(200);
    expect(stream.collected.length).toBeLessThan(MUCH);
    await stream.take(MUCH - 1);
    await stream.close();
  });

  it('ends one subscription of a socket and leaves the others', async () => {
    const { eve, chat } = await openRoom();
    const other = await openDirectChat(bob, eve);
    const socket = await eve.client(1).openSocket();
    const leaving = socket.subscribe(Added, { chatId: chat.id, afterSeq: 0 });
    const staying = socket.subscribe(Added, { chatId: chat.id, afterSeq: 0 });
    const elsewhere = socket.subscribe(Added, { chatId: other.id, afterSeq: 0 });
    await send(ann, chat, 'to both');
    await send(bob, other, 'to one');
    await Promise.all([leaving.next(), staying.next(), elsewhere.next()]);
    await leaving.close();
    await send(ann, chat, 'to those who stay');
    await send(bob, other, 'and here');
    expect((await staying.next()).messageAdded.body).toBe('to those who stay');
    expect((await elsewhere.next()).messageAdded.body).toBe('and here');
    expect(leaving.collected).toHaveLength(1);
    expect(await leaving.end).toEqual({ kind: 'complete' });
    await socket.close();
  });

  it(
    'gives a slow reader everything afterwards, in order, and keeps nobody waiting for it',
    { timeout: 60_000 },
    async () => {
      const { eve, chat } = await openRoom();
      const slow = await rawSocket(cluster.node(1));
      slow.send({ type: 'connection_init', payload: { authorization: `Bearer ${eve.accessToken}` } });
      expect(await slow.nextMessage()).toMatchObject({ type: 'connection_ack' });
      // Several times the same, so that a few messages are more bytes than the kernels on the way keep.
      const ids = Array.from({ length: 10 }, (_, nth) => `slow ${nth}`);
      for (const id of ids)
        slow.send({ type: 'subscribe', id, payload: toParams(Added, { chatId: chat.id, afterSeq: 0 }) });
      await send(ann, chat, 'first');
      for (const _ of ids) expect(await slow.nextMessage()).toMatchObject({ type: 'next' });
      const brisk = await eve.client(1).subscribe(Added, { chatId: chat.id, afterSeq: 1 });

      slow.socket.pause();
      const large = '\u{1f30a}'.repeat(8_000);
      await many(30, () => send(ann, chat, large), 16);
      // Behind those, more messages than a node keeps.
      await many(520, () => send(ann, chat, 'small'), 16);
      const behind = await brisk.take(550, 30_000);
      expect(behind.map(({ messageAdded }) => messageAdded.seq)).toEqual(seqs(2, 551));
      slow.socket.resume();

      const got = new Map(ids.map((id) => [id, [] as number[]]));
      for (let left = ids.length * 550; left > 0; left -= 1) {
        const { id, payload } = (await slow.nextMessage(30_000)) as {
          id: string;
          payload: { data: { messageAdded: { seq: number } } };
        };
        got.get(id)!.push(payload.data.messageAdded.seq);
      }
      for (const id of ids) expect(got.get(id), id).toEqual(seqs(2, 551));
      slow.close(1000);
      await brisk.close();
    },
  );
});
