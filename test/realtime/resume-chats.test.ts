import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { graphql } from '../support/generated/index.ts';
import { openDirectChat, openGroup, registerPerson, send } from '../support/people.ts';
import type { Person } from '../support/people.ts';

const MyChats = graphql(/* GraphQL */ `
  query ChatsBeforeSleep {
    chats {
      changeCursor
    }
  }
`);

const Updated = graphql(/* GraphQL */ `
  subscription ChatsAfterSleep($after: String) {
    chatUpdated(after: $after) {
      id
      title
      unreadCount
      changeCursor
    }
  }
`);

const Rename = graphql(/* GraphQL */ `
  mutation RenameWhileAsleep($chatId: ID!, $title: String!) {
    updateChat(input: { chatId: $chatId, title: $title }) {
      id
    }
  }
`);

const MarkRead = graphql(/* GraphQL */ `
  mutation ReadWhileAsleep($chatId: ID!, $seq: Int!) {
    markRead(chatId: $chatId, seq: $seq) {
      id
    }
  }
`);

/** What the list stands for, as a client keeps it. */
async function cursorOf(person: Person): Promise<string> {
  const { chats } = await person.client().request(MyChats);
  return chats.changeCursor;
}

describe('chatUpdated(after:)', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(() => cluster?.stop());

  it('begins with every chat that changed while the phone slept, and goes on from there', async () => {
    const [ann, bob, cid] = await Promise.all([1, 2, 3].map(() => registerPerson(cluster)));
    const quiet = await openDirectChat(ann!, bob!);
    const busy = await openGroup(ann!, [bob!, cid!], 'Busy');
    const named = await openGroup(ann!, [bob!], 'Old name');
    const read = await openGroup(ann!, [bob!, cid!], 'Read elsewhere');
    await send(ann!, read, 'for all');
    const after = await cursorOf(bob!);

    await send(ann!, busy, 'while you slept', { nodeIndex: 1 });
    await ann!.client().request(Rename, { chatId: named.id, title: 'New name' });
    await bob!.client(1).request(MarkRead, { chatId: read.id, seq: 1 });
    const fresh = await openDirectChat(cid!, bob!);

    const stream = await bob!.client(1).subscribe(Updated, { after });
    const seen = new Map<string, { title?: string | null; unreadCount: number; changeCursor: string }>();
    const changed = [busy, named, read, fresh].map(({ id }) => id);
    while (!changed.every((id) => seen.has(id))) {
      const { chatUpdated } = await stream.next();
      seen.set(chatUpdated.id, chatUpdated);
    }
    expect(seen.get(busy.id)).toMatchObject({ unreadCount: 1 });
    expect(seen.get(named.id)).toMatchObject({ title: 'New name' });
    expect(seen.get(read.id)).toMatchObject({ unreadCount: 0 });

    // Live from here on: the next that comes is the chat that was quiet until now.
    await send(ann!, quiet, 'now');
    await expect.poll(async () => (await stream.next()).chatUpdated.id, { timeout: 10_000 }).toBe(quiet.id);
    await stream.close();

    // Resumed with the newest cursor, what changes now comes; what did long ago may, while a transaction elsewhere is open.
    const again = await bob!.client(0).subscribe(Updated, { after: await cursorOf(bob!) });
    await send(ann!, named, 'after all');
    await expect.poll(async () => (await again.next()).chatUpdated.id, { timeout: 10_000 }).toBe(named.id);
    await again.close();
  });

  it('begins with the first chat of all for somebody who had none', async () => {
    const [ann, bob] = await Promise.all([1, 2].map(() => registerPerson(cluster)));
    const after = await cursorOf(bob!);
    const chat = await openDirectChat(ann!, bob!);
    const stream = await bob!.client(1).subscribe(Updated, { after });
    expect((await stream.next()).chatUpdated.id).toBe(chat.id);
    await stream.close();
  });

  it('begins with all of them for a cursor from before the database was restored', async () => {
    const [ann, bob] = await Promise.all([1, 2].map(() => registerPerson(cluster)));
    const chats = [await openDirectChat(ann!, bob!), await openGroup(ann!, [bob!])];
    const fromTheFuture = Buffer.from('change:999999999999').toString('base64url');
    const stream = await bob!.client().subscribe(Updated, { after: fromTheFuture });
    const ids = (await stream.take(2)).map(({ chatUpdated }) => chatUpdated.id);
    expect(ids.toSorted()).toEqual(chats.map(({ id }) => id).toSorted());
    await stream.close();
  });

  it('refuses what is no cursor', async () => {
    const bob = await registerPerson(cluster);
    const stream = await bob.client().subscribe(Updated, { after: 'bm9uc2Vuc2U' });
    await expect(stream.next()).rejects.toMatchObject({ code: 'BAD_USER_INPUT', extensions: { field: 'after' } });
  });
});
