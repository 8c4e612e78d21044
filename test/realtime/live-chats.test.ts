import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rawSocket } from '../support/client.ts';
import { startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { toParams } from '../support/document.ts';
import { graphql } from '../support/generated/index.ts';
import { openDirectChat, openGroup, registerPerson, send } from '../support/people.ts';
import type { Person } from '../support/people.ts';
import { eventually } from '../support/wait.ts';
import {
  addMember,
  changeRole,
  deleteChat,
  leave,
  listenToChats,
  many,
  markRead,
  removeMember,
  rename,
} from './operations.ts';
import type { ChatListening, LiveChat } from './operations.ts';

const ChatsWithHistory = graphql(/* GraphQL */ `
  subscription LiveChatsWithHistory {
    chatUpdated {
      title
      messages(last: 60) {
        edges {
          node {
            body
          }
        }
      }
    }
  }
`);

describe('chatUpdated', () => {
  let cluster: Cluster;
  let ann: Person;
  let bob: Person;
  /** Bob's phone, at the other node. */
  let phone: ChatListening;
  beforeAll(async () => {
    cluster = await startCluster();
    ann = await registerPerson(cluster, { firstName: 'Ann' });
    bob = await registerPerson(cluster, { firstName: 'Bob' });
    phone = await listenToChats(bob, 1);
  });
  afterAll(async () => {
    await phone?.stream.close();
    await cluster?.stop();
  });

  const somebody = () => registerPerson(cluster, { firstName: 'Somebody' });
  /** An event shows what is true when it is made, each part for itself: the last of a row is right in all of them. */
  const shows = (lastSeq: number, unread: number) => (chat: LiveChat) =>
    chat.lastMessage?.seq === lastSeq && chat.unreadCount === unread;
  const memberIds = (chat: { members: Array<{ user: { id: string } }> }) => chat.members.map(({ user }) => user.id);

  it('tells of a new direct chat, and of what is said in it', async () => {
    const cy = await somebody();
    const chat = await openDirectChat(cy, bob);
    const opened = await phone.until(chat, () => true);
    expect(opened).toMatchObject({ kind: 'DIRECT', title: null, unreadCount: 0, lastMessage: null });
    expect(memberIds(opened).toSorted()).toEqual([bob.id, cy.id].toSorted());
    await send(cy, chat, 'hello');
    const said = await phone.until(chat, shows(1, 1));
    expect(said.lastMessage).toMatchObject({ body: 'hello' });
  });

  it('tells of a new group', async () => {
    const chat = await openGroup(ann, [bob], 'Sailors');
    expect(await phone.until(chat, () => true)).toMatchObject({ kind: 'GROUP', title: 'Sailors' });
  });

  it('tells whoever is added to a group that stands', async () => {
    const chat = await openGroup(ann, [], 'Fishers');
    await send(ann, chat, 'before Bob came');
    await addMember(ann, chat, bob);
    const added = await phone.until(chat, () => true);
    expect(added).toMatchObject({ title: 'Fishers', unreadCount: 0, lastMessage: { seq: 1 } });
    expect(memberIds(added)).toEqual([ann.id, bob.id]);
    await send(ann, chat, 'welcome');
    await phone.until(chat, shows(2, 1));
  });

  it('tells of a name, of members who come and go, and of what they may do', async () => {
    const cy = await somebody();
    const dan = await somebody();
    const chat = await openGroup(ann, [bob], 'Before');
    await rename(ann, chat, 'After');
    await phone.until(chat, ({ title }) => title === 'After');
    await addMember(ann, chat, cy);
    await phone.until(chat, (now) => memberIds(now).includes(cy.id));
    await changeRole(ann, chat, cy, 'ADMIN');
    await phone.until(chat, ({ members }) => members.some(({ user, role }) => user.id === cy.id && role === 'ADMIN'));
    await addMember(cy, chat, dan);
    await phone.until(chat, (now) => memberIds(now).includes(dan.id));
    await leave(cy, chat);
    await phone.until(chat, (now) => !memberIds(now).includes(cy.id));
    await removeMember(ann, chat, dan);
    await phone.until(chat, (now) => !memberIds(now).includes(dan.id));
  });

  it('counts what is unread for whoever listens, and starts again when they read on another device', async () => {
    const chat = await openGroup(ann, [bob]);
    const annsPhone = await listenToChats(ann, 1);
    for (const body of ['one', 'two', 'three']) await send(ann, chat, body);
    await phone.until(chat, shows(3, 3));
    // Her own messages are not unread to Ann.
    await annsPhone.until(chat, shows(3, 0));
    await markRead(bob, chat, 2);
    await phone.until(chat, shows(3, 1));
    await markRead(bob, chat, 3);
    await phone.until(chat, shows(3, 0));
    await send(bob, chat, 'read all of it');
    await phone.until(chat, shows(4, 0));
    await annsPhone.until(chat, shows(4, 1));
    await annsPhone.stream.close();
  });

  it('tells of a reading that ticks nothing: with others still behind, the own count changes all the same', async () => {
    const cy = await somebody();
    const chat = await openGroup(ann, [bob, cy]);
    await send(ann, chat, 'for both');
    await phone.until(chat, ({ unreadCount }) => unreadCount === 1);
    await markRead(bob, chat, 1);
    await phone.until(chat, ({ unreadCount }) => unreadCount === 0);
  });

  it('tells former members, and strangers, nothing', async () => {
    const chat = await openGroup(ann, [bob], 'A crowd');
    const foreign = await openGroup(ann, [], 'None of his business');
    await phone.until(chat, () => true);
    await removeMember(ann, chat, bob);
    await phone.settle();
    await send(ann, chat, 'he is gone');
    await rename(ann, chat, 'A couple');
    await send(ann, foreign, 'and was never here');
    expect(await phone.settle()).toEqual([]);
    // And again once the node has compared everything with the database.
    await rename(ann, chat, 'Ann');
    const other = await openGroup(ann, [bob], 'A marker');
    await phone.until(other, () => true);
    expect((await phone.settle()).filter(({ id }) => id !== other.id)).toEqual([]);
  });

  it('is silent about a group that was deleted, and goes on with the others', async () => {
    const chat = await openGroup(ann, [bob], 'Short-lived');
    await phone.until(chat, () => true);
    await phone.settle();
    await deleteChat(ann, chat);
    expect(await phone.settle()).toEqual([]);
  });

  it('brings the last state of every chat after a burst', { timeout: 60_000 }, async () => {
    const rooms = await many(5, (nth) => openGroup(ann, [bob], `Room ${nth}`));
    await many(200, (nth) => send(ann, rooms[nth % 5]!, 'and on'), 32);
    await Promise.all(rooms.map((room, nth) => rename(ann, room, `Room ${nth} at last`)));
    const waiting = new Set(rooms.map(({ id }) => id));
    while (waiting.size > 0) {
      const { chatUpdated } = await phone.stream.next();
      if (chatUpdated.title?.endsWith('at last') && chatUpdated.unreadCount === 40) waiting.delete(chatUpdated.id);
    }
  });

  it('makes one of what changes while a reader is slow', { timeout: 60_000 }, async () => {
    const eve = await somebody();
    const chat = await openGroup(ann, [eve], 'Name 0');
    // Two megabytes an event: a few fill the kernels on the way.
    await many(60, () => send(ann, chat, '\u{1f30a}'.repeat(8_000)), 16);
    const slow = await rawSocket(cluster.node(1));
    slow.send({ type: 'connection_init', payload: { authorization: `Bearer ${eve.accessToken}` } });
    await slow.nextMessage();
    slow.send({ type: 'subscribe', id: 'slow', payload: toParams(ChatsWithHistory) });
    const nextTitle = async (deadlineMs?: number) => {
      const message = await slow.nextMessage(deadlineMs);
      return (message as { payload: { data: { chatUpdated: { title: string } } } }).payload.data.chatUpdated.title;
    };
    // Live once it tells of something.
    await eventually(async () => {
      await rename(ann, chat, 'Name 0');
      await rename(ann, chat, 'Name 1');
      await nextTitle(500);
    });

    slow.socket.pause();
    for (let nth = 2; nth <= 101; nth += 1) await rename(ann, chat, `Name ${nth}`);
    slow.socket.resume();
    const titles: string[] = [];
    while (titles.at(-1) !== 'Name 101') titles.push(await nextTitle());
    expect(titles.length).toBeLessThan(50);
    slow.close(1000);
  });

  it('tells every device of a person the same', async () => {
    const tablet = await listenToChats(bob, 0);
    const chat = await openGroup(ann, [bob]);
    await send(ann, chat, 'to all devices');
    for (const device of [phone, tablet]) await device.until(chat, shows(1, 1));
    await tablet.stream.close();
    await send(ann, chat, 'to the one that is left');
    await phone.until(chat, shows(2, 2));
  });
});
