import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rawSocket } from '../support/client.ts';
import { startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { openGroup, registerPerson, send } from '../support/people.ts';
import type { Person } from '../support/people.ts';
import { eventually } from '../support/wait.ts';
import { editMessage, many, removeMember, seqs } from './operations.ts';

const SELECTION = 'id seq type body extraData createdAt isRead author { id firstName lastName } chat { id title }';
/** Everybody may share this one … */
const USUAL = `subscription ($chatId: ID!, $afterSeq: Int) { messageAdded(chatId: $chatId, afterSeq: $afterSeq) { ${SELECTION} } }`;
/** … and this one nobody may. */
const PRIVATE = USUAL.replace('lastName', 'email');

interface Message {
  seq: number;
  body: string;
  author: { email?: string | null };
}

describe('subscribers who ask the same', () => {
  let cluster: Cluster;
  let ann: Person;
  let bob: Person;
  let cy: Person;
  beforeAll(async () => {
    cluster = await startCluster();
    ann = await registerPerson(cluster, { firstName: 'Ann' });
    bob = await registerPerson(cluster, { firstName: 'Bob' });
    cy = await registerPerson(cluster, { firstName: 'Cy' });
  });
  afterAll(() => cluster?.stop());

  /** A subscription whose frames are kept as they came. */
  async function follow(
    who: Person,
    chat: { id: string },
    { id = randomUUID(), query = USUAL, node = 1 }: { id?: string; query?: string; node?: number } = {},
  ) {
    const raw = await rawSocket(cluster.node(node));
    raw.send({ type: 'connection_init', payload: { authorization: `Bearer ${who.accessToken}` } });
    await raw.nextMessage();
    const frames: string[] = [];
    raw.socket.on('message', (data: Buffer) => frames.push(data.toString()));
    raw.send({ id, type: 'subscribe', payload: { query, variables: { chatId: chat.id, afterSeq: 0 } } });
    const messages = () =>
      frames.flatMap((frame) => {
        const { type, payload } = JSON.parse(frame) as { type: string; payload: { data: { messageAdded: Message } } };
        return type === 'next' ? [payload.data.messageAdded] : [];
      });
    const until = (count: number) => eventually(() => expect(messages().length).toBeGreaterThanOrEqual(count));
    return { raw, id, frames, messages, until };
  }

  it('are told the same, whether it is shared or not', async () => {
    const chat = await openGroup(ann, [bob, cy], 'Grüße \u{1f30a}');
    await send(ann, chat, 'first');
    const ids = ['1', 'an "id" of \\ its \u{1f30a} own', randomUUID(), 'x'.repeat(128)];
    const sharing = await Promise.all(ids.map((id, nth) => follow([bob, cy][nth % 2]!, chat, { id })));
    // Another text: a lane of its own. And one that depends on the viewer, made for this subscriber alone.
    const alone = await follow(bob, chat, { query: `${USUAL} # alone` });
    const unshared = await follow(bob, chat, { query: USUAL.replace('lastName }', 'lastName } me: author { email }') });
    const everybody = [...sharing, alone, unshared];
    await Promise.all(everybody.map(({ until }) => until(1)));
    await send(ann, chat, 'Grüße, \u{1f30a} und "mehr"\n\u2028', { extraData: { deep: [null, 1.5, 'ß'] } });
    await Promise.all(everybody.map(({ until }) => until(2)));
    const said = await many(6, (nth) => send(ann, chat, `${nth} ${'\u{1f30a}'.repeat(nth * 700)}`));
    await Promise.all(everybody.map(({ until }) => until(2 + said.length)));
    const payloads = ({ id, frames }: { id: string; frames: string[] }) =>
      frames.map((frame) => {
        const before = `{"id":${JSON.stringify(id)},"type":"next","payload":`;
        expect(frame.slice(0, before.length)).toBe(before);
        return JSON.parse(frame.slice(before.length, -1).replace(/,"me":\{"email":null\}/, '')) as unknown;
      });
    for (const one of everybody) expect(payloads(one)).toEqual(payloads(sharing[0]!));
    for (const { raw } of everybody) raw.close(1000);
  });

  it('are never told what is for one of them alone', async () => {
    const chat = await openGroup(ann, [bob, cy]);
    const everybody = await Promise.all([ann, bob, ann, cy].map((who) => follow(who, chat, { query: PRIVATE })));
    for (let nth = 1; nth <= 5; nth += 1) {
      await send([ann, bob][nth % 2]!, chat, `${nth}`);
      await Promise.all(everybody.map(({ until }) => until(nth)));
    }
    const emails = everybody.map(({ messages }) => messages().map(({ author }) => author.email));
    const ofAnn = [null, ann.email, null, ann.email, null];
    expect(emails).toEqual([
      ofAnn,
      [bob.email, null, bob.email, null, bob.email],
      ofAnn,
      [null, null, null, null, null],
    ]);
    for (const { raw } of everybody) raw.close(1000);
  });

  it(
    'come and go while others write, on sockets and streams of two nodes, and miss nothing',
    { timeout: 120_000 },
    async () => {
      const chat = await openGroup(ann, [bob, cy]);
      let last = 0;
      let writing = true;
      const written = [0, 1].map(async (nodeIndex) => {
        while (writing) {
          const { seq } = await send(ann, chat, 'tick', { nodeIndex });
          last = Math.max(last, seq);
        }
      });
      await eventually(() => expect(last).toBeGreaterThan(10));
      const staying = await Promise.all([0, 1, 0, 1].map((node) => follow(bob, chat, { node })));
      await many(
        40,
        async (nth) => {
          const afterSeq = Math.floor(Math.random() * last);
          const transport = nth % 4 === 0 ? 'sse' : 'ws';
          const who = [bob, cy][nth % 2]!;
          const stream = await who.client(nth).subscribe(USUAL, { chatId: chat.id, afterSeq }, { transport });
          const got = (await stream.take(last - afterSeq + 5, 20_000)) as Array<{ messageAdded: Message }>;
          await stream.close();
          expect(got.map(({ messageAdded }) => messageAdded.seq)).toEqual(seqs(afterSeq + 1, afterSeq + got.length));
        },
        8,
      );
      writing = false;
      await Promise.all(written);
      await Promise.all(staying.map(({ until }) => until(last)));
      for (const { messages, raw } of staying) {
        expect(messages().map(({ seq }) => seq)).toEqual(seqs(1, last));
        raw.close(1000);
      }
    },
  );

  it('are told over streams as over sockets', async () => {
    const chat = await openGroup(ann, [bob]);
    await send(ann, chat, 'first');
    const streams = await many(4, () =>
      bob.client(1).subscribe(USUAL, { chatId: chat.id, afterSeq: 0 }, { transport: 'sse' }),
    );
    const socket = await follow(bob, chat);
    await Promise.all(streams.map((stream) => stream.next()));
    for (let nth = 2; nth <= 30; nth += 1) await send(ann, chat, `${nth}\n\nevent: complete\u{1f30a}`);
    await socket.until(30);
    for (const stream of streams) {
      await stream.take(29);
      expect(stream.collected.map((data) => (data as { messageAdded: Message }).messageAdded)).toEqual(
        socket.messages(),
      );
      await stream.close();
    }
    socket.raw.close(1000);
  });

  it('are told no more once they are removed, whatever is being written', { timeout: 60_000 }, async () => {
    for (let race = 0; race < 5; race += 1) {
      const chat = await openGroup(ann, [bob, cy]);
      const leaving = await many(6, () => follow(bob, chat, { node: race }));
      const staying = await follow(cy, chat, { node: race });
      let writing = true;
      let last = 0;
      const written = (async () => {
        while (writing) last = (await send(ann, chat, 'said', { nodeIndex: last })).seq;
      })();
      await Promise.all(leaving.map(({ until }) => until(5)));
      await removeMember(ann, chat, bob);
      const newest = (await send(ann, chat, 'he is gone')).seq;
      await Promise.all(
        leaving.map(({ frames }) => eventually(() => expect(frames.at(-1)).toContain('"code":"NOT_FOUND"'))),
      );
      writing = false;
      await written;
      for (const { messages, raw } of leaving) {
        const heard = messages().map(({ seq }) => seq);
        expect(heard).toEqual(seqs(1, heard.length));
        expect(heard.at(-1)).toBeLessThan(newest);
        raw.close(1000);
      }
      await staying.until(Math.max(last, newest));
      expect(staying.messages().map(({ seq }) => seq)).toEqual(seqs(1, Math.max(last, newest)));
      staying.raw.close(1000);
    }
  });

  it('are told of changes together, too', async () => {
    const chat = await openGroup(ann, [bob, cy]);
    const message = await send(ann, chat, 'helo');
    const query = `subscription ($chatId: ID!, $after: Int) { messageUpdated(chatId: $chatId, afterRevision: $after) { seq body revision } }`;
    const streams = await many(4, (nth) =>
      [bob, cy][nth % 2]!.client(nth).subscribe(query, { chatId: chat.id, after: 0 }),
    );
    for (const body of ['hello', 'hello!', 'hello?']) {
      await editMessage(ann, message, body);
      await send(ann, chat, 'and something else');
      for (const stream of streams) expect(await stream.next()).toMatchObject({ messageUpdated: { body } });
    }
    await Promise.all(streams.map((stream) => stream.close()));
  });
});
