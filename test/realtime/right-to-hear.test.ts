import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GraphQLRequestError } from '../support/client.ts';
import { backend, startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { openDirectChat, openGroup, registerPerson, send } from '../support/people.ts';
import type { Person } from '../support/people.ts';
import type { Stream } from '../support/stream.ts';
import { eventually, within } from '../support/wait.ts';
import {
  addMember,
  Added,
  Chats,
  deleteAccount,
  deleteChat,
  editMessage,
  leave,
  logOut,
  removeMember,
  rename,
  seqs,
  Updated,
} from './operations.ts';

/** Promise 5. */
const SILENCED_MS = 2_000;

describe('the right to hear', () => {
  let cluster: Cluster;
  let ann: Person;
  let cy: Person;
  beforeAll(async () => {
    cluster = await startCluster();
    ann = await registerPerson(cluster, { firstName: 'Ann' });
    cy = await registerPerson(cluster, { firstName: 'Cy' });
  });
  afterAll(() => cluster?.stop());

  async function expectSilenced(stream: Pick<Stream<unknown>, 'end'>, code: string) {
    const end = await within(stream.end, SILENCED_MS, 'the end of the subscription');
    expect(end).toMatchObject({ kind: 'error', errors: [{ extensions: { code } }] });
  }

  const refusalOf = async (who: Person, chat: { id: string }) => {
    const stream = await who.client(1).subscribe(Added, { chatId: chat.id, afterSeq: 0 });
    return (await stream.next().catch((error: unknown) => error)) as GraphQLRequestError;
  };

  /** Bob listens at the other node, to the group and to Cy, on one socket. */
  async function listenOnOneSocket() {
    const bob = await registerPerson(cluster, { firstName: 'Bob' });
    const group = await openGroup(ann, [bob, cy]);
    const direct = await openDirectChat(bob, cy);
    const message = await send(ann, group, 'he may hear this');
    await send(cy, direct, 'and this');
    const socket = await bob.client(1).openSocket();
    const added = socket.subscribe(Added, { chatId: group.id, afterSeq: 0 });
    const updated = socket.subscribe(Updated, { chatId: group.id, afterRevision: 0 });
    const neighbour = socket.subscribe(Added, { chatId: direct.id, afterSeq: 0 });
    const chats = socket.subscribe(Chats);
    await editMessage(ann, message, 'he may still hear this');
    await Promise.all([added.next(), updated.next(), neighbour.next()]);
    return { bob, group, direct, socket, added, updated, neighbour, chats };
  }

  const ways = {
    'a removal': (bob: Person, group: { id: string }) => removeMember(ann, group, bob),
    leaving: (bob: Person, group: { id: string }) => leave(bob, group),
    'the deletion of the group': (_bob: Person, group: { id: string }) => deleteChat(ann, group),
  };

  it.each(Object.entries(ways))('ends with %s, for that chat alone', async (_name, goAway) => {
    const { bob, group, direct, socket, added, updated, neighbour } = await listenOnOneSocket();
    await goAway(bob, group);
    await Promise.all([expectSilenced(added, 'NOT_FOUND'), expectSilenced(updated, 'NOT_FOUND')]);
    await send(cy, direct, 'we go on');
    expect((await neighbour.next()).messageAdded.body).toBe('we go on');
    expect(added.collected).toHaveLength(1);
    expect((await refusalOf(bob, group)).code).toBe('NOT_FOUND');
    await socket.close();
  });

  it('ends over sse with an error, too', async () => {
    const bob = await registerPerson(cluster, { firstName: 'Bob' });
    const group = await openGroup(ann, [bob]);
    await send(ann, group, 'hello');
    const stream = await bob.client(1).subscribe(Added, { chatId: group.id, afterSeq: 0 }, { transport: 'sse' });
    await stream.next();
    await removeMember(ann, group, bob);
    await expectSilenced(stream, 'NOT_FOUND');
  });

  it('comes back with membership', async () => {
    const { bob, group, socket, added } = await listenOnOneSocket();
    await removeMember(ann, group, bob);
    await expectSilenced(added, 'NOT_FOUND');
    await addMember(ann, group, bob);
    const again = socket.subscribe(Added, { chatId: group.id, afterSeq: 1 });
    await send(ann, group, 'welcome back');
    expect((await again.next()).messageAdded).toMatchObject({ seq: 2, body: 'welcome back' });
    await socket.close();
  });

  it('ends with a logout, for everything on the socket', async () => {
    const { bob, direct, socket, added, updated, neighbour, chats } = await listenOnOneSocket();
    await logOut(bob);
    await Promise.all([added, updated, neighbour, chats].map((stream) => expectSilenced(stream, 'UNAUTHENTICATED')));
    expect(await within(socket.closed, SILENCED_MS, 'the close of the socket')).toMatchObject({ code: 4401 });
    await send(cy, direct, 'nobody hears');
    expect(neighbour.collected).toHaveLength(1);
  });

  // Where the database can be kept from answering.
  it.runIf(backend === 'distributed')('ends with an error also while an event is being read', async () => {
    const bob = await registerPerson(cluster, { firstName: 'Bob' });
    const group = await openGroup(ann, [bob]);
    const socket = await bob.client().openSocket();
    const chats = socket.subscribe(Chats);
    await eventually(async () => {
      await rename(ann, group, 'before');
      expect(chats.collected.length).toBeGreaterThan(0);
    });
    const lock = new pg.Client(cluster.databaseUrl);
    await lock.connect();
    try {
      await lock.query('BEGIN; LOCK TABLE message IN ACCESS EXCLUSIVE MODE');
      await rename(ann, group, 'meanwhile');
      await eventually(async () =>
        expect(
          await cluster.sql(`SELECT pid FROM pg_locks WHERE NOT granted AND relation = 'message'::regclass`),
        ).not.toEqual([]),
      );
      await logOut(bob);
    } finally {
      await lock.end();
    }
    await expectSilenced(chats, 'UNAUTHENTICATED');
    expect(await within(socket.closed, SILENCED_MS, 'the close of the socket')).toMatchObject({ code: 4401 });
  });

  it('ends over sse with a logout, too', async () => {
    const bob = await registerPerson(cluster, { firstName: 'Bob' });
    const group = await openGroup(ann, [bob]);
    await send(ann, group, 'hello');
    const stream = await bob.client(1).subscribe(Added, { chatId: group.id, afterSeq: 0 }, { transport: 'sse' });
    await stream.next();
    await logOut(bob);
    await expectSilenced(stream, 'UNAUTHENTICATED');
  });

  it('ends with the account', async () => {
    const { bob, group, socket, added, chats } = await listenOnOneSocket();
    await deleteAccount(bob);
    // The node may learn first that the member is gone, or that the session is.
    const end = await within(added.end, SILENCED_MS, 'the end of the subscription');
    expect(end).toMatchObject({ kind: 'error', errors: [{ extensions: {} }] });
    if (end.kind === 'error') expect(['NOT_FOUND', 'UNAUTHENTICATED']).toContain(end.errors[0]!.extensions!.code);
    await expectSilenced(chats, 'UNAUTHENTICATED');
    expect(await within(socket.closed, SILENCED_MS, 'the close of the socket')).toMatchObject({ code: 4401 });
    await send(ann, group, 'nobody of that name');
    expect(added.collected).toHaveLength(1);
  });

  it('never reaches behind the removal, in 6 races with writers', { timeout: 120_000 }, async () => {
    for (let race = 1; race <= 6; race += 1) {
      const bob = await registerPerson(cluster, { firstName: 'Bob' });
      const group = await openGroup(ann, [bob, cy]);
      await send(ann, group, 'first');
      const [bobs, cys] = await Promise.all(
        [bob, cy].map((who) => who.client(1).subscribe(Added, { chatId: group.id, afterSeq: 0 })),
      );
      await bobs!.next();

      let answered = false;
      let writing = true;
      const begunAfter = new Set<number>();
      let last = 0;
      const write = async (nodeIndex: number) => {
        while (writing) {
          const isLate = answered;
          const { seq } = await send(nodeIndex ? cy : ann, group, 'on and on', { nodeIndex });
          if (isLate) begunAfter.add(seq);
          last = Math.max(last, seq);
        }
      };
      const writers = Promise.all([write(0), write(1)]);
      // In the middle of the stream, each time at another moment of it.
      await eventually(() => expect(bobs!.collected.length).toBeGreaterThan(2 + (race % 5)), { everyMs: 1 });
      await removeMember(ann, group, bob);
      answered = true;
      // Somebody who asks again while it happens is refused as well.
      const again = await refusalOf(bob, group);
      await expectSilenced(bobs!, 'NOT_FOUND');
      await eventually(() => expect(begunAfter.size).toBeGreaterThan(5), { everyMs: 1 });
      writing = false;
      await writers;

      await eventually(() => expect(cys!.collected.at(-1)!.messageAdded.seq).toBe(last));
      expect(cys!.collected.map(({ messageAdded }) => messageAdded.seq)).toEqual(seqs(1, last));
      const heard = bobs!.collected.map(({ messageAdded }) => messageAdded.seq);
      expect(heard).toEqual(seqs(1, heard.length));
      expect(heard.filter((seq) => begunAfter.has(seq))).toEqual([]);
      expect(again.code).toBe('NOT_FOUND');
      await cys!.close();
    }
  });
});
