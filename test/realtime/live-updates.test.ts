import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GraphQLRequestError } from '../support/client.ts';
import { startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import type { LiveUpdatedSubscription } from '../support/generated/graphql.ts';
import { openDirectChat, openGroup, registerPerson, send } from '../support/people.ts';
import type { Person } from '../support/people.ts';
import type { Stream } from '../support/stream.ts';
import {
  addMember,
  deleteAccount,
  deleteMessage,
  editMessage,
  leave,
  markRead,
  readHistory,
  Updated,
} from './operations.ts';

type Update = LiveUpdatedSubscription['messageUpdated'];

describe('messageUpdated', () => {
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

  /** Listens at the other node, from the chat's revision on. */
  async function follow(who: Person, chat: { id: string }, afterRevision?: number) {
    const after = afterRevision ?? (await readHistory(who, chat)).revision;
    return who.client(1).subscribe(Updated, { chatId: chat.id, afterRevision: after });
  }

  const next = async (stream: Stream<LiveUpdatedSubscription>) => (await stream.next()).messageUpdated;

  async function openRoom() {
    const dan = await registerPerson(cluster, { firstName: 'Dan' });
    return { dan, chat: await openDirectChat(ann, dan) };
  }

  it('tells of an edit and of a deletion', async () => {
    const { dan, chat } = await openRoom();
    const message = await send(ann, chat, 'helo');
    const stream = await follow(dan, chat);
    await editMessage(ann, message, 'hello');
    const edited = await next(stream);
    expect(edited).toMatchObject({ id: message.id, seq: 1, body: 'hello', deletedAt: null });
    expect(edited.editedAt).not.toBeNull();
    await deleteMessage(ann, message);
    const deleted = await next(stream);
    expect(deleted).toMatchObject({ id: message.id, seq: 1, body: '' });
    expect(deleted.deletedAt).not.toBeNull();
    expect(deleted.revision).toBeGreaterThan(edited.revision!);
    await stream.close();
  });

  it('without afterRevision begins with what comes from now on', async () => {
    const { dan, chat } = await openRoom();
    const message = await send(ann, chat, 'one');
    await editMessage(ann, message, 'before');
    const stream = await dan.client(1).subscribe(Updated, { chatId: chat.id }, { transport: 'sse' });
    for (let turn = 1; stream.collected.length === 0; turn += 1) {
      await editMessage(ann, message, `now ${turn}`);
      await stream.next(300).catch(() => undefined);
    }
    expect(stream.collected[0]!.messageUpdated.body).toMatch(/^now/);
    await stream.close();
  });

  it('ticks each message of a direct chat once, when the other has read it', async () => {
    const { dan, chat } = await openRoom();
    for (const body of ['one', 'two', 'three']) await send(ann, chat, body);
    const stream = await follow(ann, chat);
    await markRead(dan, chat, 2);
    const first = await next(stream);
    const second = await next(stream);
    expect([first, second]).toMatchObject([
      { seq: 1, isRead: true },
      { seq: 2, isRead: true },
    ]);
    expect(second.revision).toBeGreaterThan(first.revision!);
    // Read once more, and less far: neither ticks anything again.
    await markRead(dan, chat, 2);
    await markRead(dan, chat, 1);
    await markRead(dan, chat, 3);
    expect(await next(stream)).toMatchObject({ seq: 3, isRead: true });
    const answer = await send(dan, chat, 'answer');
    await editMessage(dan, answer, 'better answer');
    expect(await next(stream)).toMatchObject({ seq: 4, body: 'better answer', isRead: false });
    await stream.close();
  });

  it('ticks a message of a group when the last of the others reads it', async () => {
    const chat = await openGroup(ann, [bob, cy]);
    const message = await send(ann, chat, 'for all');
    const stream = await follow(ann, chat);
    await markRead(bob, chat, 1);
    await editMessage(ann, message, 'for everybody');
    // Bob's reading alone ticked nothing: the edit is the first to come.
    expect(await next(stream)).toMatchObject({ seq: 1, body: 'for everybody', isRead: false });
    await markRead(cy, chat, 1);
    expect(await next(stream)).toMatchObject({ seq: 1, isRead: true });
    await stream.close();
  });

  it('ticks what only the one who leaves had not read', async () => {
    const chat = await openGroup(ann, [bob, cy]);
    for (const body of ['one', 'two', 'three']) await send(ann, chat, body);
    await markRead(bob, chat, 2);
    const stream = await follow(ann, chat);
    await leave(cy, chat);
    expect([await next(stream), await next(stream)]).toMatchObject([
      { seq: 1, isRead: true },
      { seq: 2, isRead: true },
    ]);
    await markRead(bob, chat, 3);
    expect(await next(stream)).toMatchObject({ seq: 3, isRead: true });
    await stream.close();
  });

  it('ticks what only the one whose account goes had not read', async () => {
    const dan = await registerPerson(cluster, { firstName: 'Dan' });
    const chat = await openGroup(ann, [bob, dan]);
    await send(ann, chat, 'one');
    await markRead(bob, chat, 1);
    const stream = await follow(ann, chat);
    await deleteAccount(dan);
    expect(await next(stream)).toMatchObject({ seq: 1, isRead: true });
    await stream.close();
  });

  it('takes the ticks back when the only other reader leaves, and gives them again when somebody comes', async () => {
    const chat = await openGroup(ann, [bob]);
    for (const body of ['one', 'two']) await send(ann, chat, body);
    await send(bob, chat, 'three');
    for (const reader of [ann, bob]) await markRead(reader, chat, 3);
    const stream = await follow(ann, chat);
    await leave(bob, chat);
    expect([await next(stream), await next(stream)]).toMatchObject([
      { seq: 1, isRead: false },
      { seq: 2, isRead: false },
    ]);
    await addMember(ann, chat, cy);
    expect([await next(stream), await next(stream)]).toMatchObject([
      { seq: 1, isRead: true },
      { seq: 2, isRead: true },
    ]);
    await stream.close();
  });

  it('refuses an afterRevision that is not there', async () => {
    const { dan, chat } = await openRoom();
    const { revision } = await readHistory(dan, chat);
    for (const afterRevision of [-1, revision + 1]) {
      const stream = await dan.client(1).subscribe(Updated, { chatId: chat.id, afterRevision });
      const refused = (await stream.next().catch((error: unknown) => error)) as GraphQLRequestError;
      expect(refused.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field: 'afterRevision' });
    }
  });

  it('with afterRevision leaves nothing out, however often the line is cut', { timeout: 120_000 }, async () => {
    const chat = await openGroup(ann, [bob, cy]);
    for (let nth = 1; nth <= 120; nth += 1) await send(nth % 3 ? ann : bob, chat, `message ${nth}`);
    const eve = await registerPerson(cluster, { firstName: 'Eve' });
    await addMember(ann, chat, eve);

    // What a client keeps: the messages as it knows them, and the highest revision that it has seen.
    const start = await readHistory(eve, chat, 1);
    const known = new Map(start.messages.map((message) => [message.id, message]));
    let seen = start.revision;
    const apply = (update: Update) => {
      expect(update.revision).toBeGreaterThan(seen);
      seen = update.revision!;
      known.set(update.id, update);
    };

    /** Two writers, each at messages of their own, and readers. */
    async function changeThings() {
      const own = (who: Person) => start.messages.filter(({ seq }) => (seq % 3 ? ann : bob) === who);
      const pick = <T>(list: readonly T[]) => list[Math.floor(Math.random() * list.length)]!;
      const act = async (who: Person) => {
        for (let turn = 0; turn < 6; turn += 1) {
          const message = pick(own(who));
          const dice = Math.random();
          if (dice < 0.2) await deleteMessage(who, message);
          else if (dice < 0.5) await markRead(pick([ann, bob, cy, eve]), chat, message.seq);
          // What was deleted meanwhile cannot be edited.
          else await editMessage(who, message, `${message.seq} in turn ${turn}`).catch(() => undefined);
        }
      };
      await Promise.all([act(ann), act(bob)]);
    }

    for (let round = 1; round <= 10; round += 1) {
      const stream = await follow(eve, chat, seen);
      const changing = changeThings();
      // Cut in the middle of it all, whatever has come by then.
      for (let count = 0; count < round % 4; count += 1) apply(await next(stream));
      await stream.close();
      await changing;
    }
    const last = await send(ann, chat, 'the last');
    await editMessage(ann, last, 'the very last');
    const stream = await follow(eve, chat, seen);
    while (!known.has(last.id)) apply(await next(stream));
    await stream.close();

    const fresh = await readHistory(eve, chat);
    expect([...known.values()].toSorted((a, b) => a.seq - b.seq)).toEqual(fresh.messages);
  });
});
