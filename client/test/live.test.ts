import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startCluster } from '../../test/support/cluster.ts';
import type { Cluster } from '../../test/support/cluster.ts';
import { readHistory, seqsTo } from '../../test/support/history.ts';
import { closeIdleConnections } from '../../test/support/idle-connections.ts';
import { openDirectChat, openGroup, registerPerson, send } from '../../test/support/people.ts';
import type { Person } from '../../test/support/people.ts';
import { eventually } from '../../test/support/wait.ts';
import {
  ChatHistoryDocument,
  CreateChatDocument,
  DeleteMessageDocument,
  EditMessageDocument,
  LeaveChatDocument,
  RemoveMemberDocument,
} from '../src/index.ts';
import { bodiesIn, chatsOf, closePhone, openPhone, PhoneSocket, shownIn, untilLive } from './support/phone.ts';
import type { Phone, PhoneOptions } from './support/phone.ts';

describe('what is followed', () => {
  let cluster: Cluster;
  let ann: Person;
  let bob: Person;
  const phones: Phone[] = [];
  beforeAll(async () => {
    cluster = await startCluster({ nodes: 1 });
    [ann, bob] = await Promise.all([
      registerPerson(cluster, { firstName: 'Ann' }),
      registerPerson(cluster, { firstName: 'Bob' }),
    ]);
  });
  afterAll(() => cluster?.stop());
  afterEach(() => Promise.all(phones.splice(0).map(closePhone)));

  async function open(who: Person, options?: PhoneOptions): Promise<Phone> {
    const phone = await openPhone(cluster, who, options);
    phones.push(phone);
    return phone;
  }

  /** Bob's phone, in a chat of its own with what Ann says. */
  async function openChat(messages: string[] = [], options?: PhoneOptions) {
    const chat = await openGroup(ann, [bob]);
    for (const body of messages) await send(ann, chat, body);
    const phone = await open(bob, options);
    const follow = phone.parley.followChat(chat.id);
    await untilLive(phone);
    expect(bodiesIn(phone, chat.id)).toEqual(messages);
    return { chat, phone, follow };
  }

  /** No network, and the phone knows. */
  function goOffline({ wire, signals, parley }: Phone) {
    wire.set({ kind: 'drop' });
    wire.reset();
    signals.setOnline(false);
    expect(parley.connection.get()).toBe('offline');
  }

  function comeBack({ wire, signals }: Phone) {
    wire.set({ kind: 'pass' });
    // What hung in the hole breaks, as where a phone changes networks.
    wire.reset();
    signals.setOnline(true);
    signals.wake();
  }

  async function sayMuch(chat: { id: string }, count: number) {
    for (let said = 0; said < count; said += 10)
      await Promise.all(
        Array.from({ length: Math.min(10, count - said) }, (_, nth) => send(ann, chat, `${said + nth}`)),
      );
  }

  it('is a conversation on two phones', async () => {
    const chat = await openDirectChat(ann, bob);
    const [anns, bobs] = await Promise.all([open(ann), open(bob)]);
    for (const { parley } of [anns, bobs]) {
      parley.followChats();
      parley.followChat(chat.id);
    }
    await Promise.all([untilLive(anns), untilLive(bobs)]);
    await anns.parley.outbox.send({ chatId: chat.id, body: 'how are you?' });
    await eventually(() => expect(bodiesIn(bobs, chat.id)).toEqual(['how are you?']));
    await bobs.parley.outbox.send({ chatId: chat.id, body: 'well' });
    for (const phone of [anns, bobs])
      await eventually(() => {
        expect(bodiesIn(phone, chat.id)).toEqual(['how are you?', 'well']);
        expect(phone.parley.outbox.entries.get()).toEqual([]);
      });
    await eventually(() => expect(chatsOf(bobs)[0]).toMatchObject({ id: chat.id, unreadCount: 1 }));
    bobs.parley.markRead(chat.id, 1);
    bobs.parley.markRead(chat.id, 2);
    await eventually(() => expect(chatsOf(bobs)[0]).toMatchObject({ id: chat.id, unreadCount: 0 }));
    await eventually(() => expect(shownIn(anns, chat.id)?.edges[0]?.node.isRead).toBe(true));
  });

  it('equals history after thirty broken connections', { timeout: 60_000 }, async () => {
    const { chat, phone } = await openChat(['the first'], { tuning: { keptMessages: 10_000, farBehind: 10_000 } });
    const screens: number[][] = [];
    const view = phone.parley.apollo.watchQuery({
      query: ChatHistoryDocument,
      variables: { chatId: chat.id },
      fetchPolicy: 'cache-only',
    });
    const showing = view.subscribe(({ data, dataState }) => {
      if (dataState === 'complete') screens.push(data.chat!.messages.edges.map(({ node }) => node.seq));
    });

    let isOver = false;
    const writing = (async () => {
      for (let nth = 0; !isOver; nth += 1) await send(ann, chat, `message ${nth}`);
    })();
    for (let storm = 0; storm < 30; storm += 1) {
      await eventually(() => expect(phone.parley.connection.get()).not.toBe('connecting'), { everyMs: 5 });
      phone.wire.reset();
      await eventually(() => expect(phone.parley.connection.get()).toBe('connecting'), { everyMs: 1 });
      phone.signals.wake();
    }
    isOver = true;
    await writing;
    await untilLive(phone);

    const history = await readHistory(ann, chat);
    expect(history.length).toBeGreaterThan(30);
    await eventually(() => expect(shownIn(phone, chat.id)?.edges.length).toBe(history.length));
    expect(shownIn(phone, chat.id)?.edges.map(({ node: { seq, id, body } }) => ({ seq, id, body }))).toEqual(
      history.map(({ seq, id, body }) => ({ seq, id, body })),
    );
    // At no moment was there a repeat, a hole, or a step back.
    for (const seqs of screens) expect(seqs).toEqual(seqsTo(seqs.length));
    showing.unsubscribe();
  });

  it('goes on where it was: each attempt asks from the last message that came', async () => {
    const { chat, phone } = await openChat(['one', 'two']);
    for (const body of ['three', 'four', 'five']) {
      await untilLive(phone);
      phone.wire.reset();
      await eventually(() => expect(phone.parley.connection.get()).toBe('connecting'), { everyMs: 1 });
      await send(ann, chat, body);
      await eventually(() => expect(bodiesIn(phone, chat.id)).toContain(body));
    }
    const asked = PhoneSocket.sent
      .map((frame) => JSON.parse(frame) as { payload?: { variables?: { chatId?: string; afterSeq?: number } } })
      .flatMap(({ payload }) => (payload?.variables?.chatId === chat.id ? (payload.variables.afterSeq ?? []) : []));
    expect(asked).toEqual([2, 2, 3, 4]);
  });

  it('notices a black hole by itself, and mends once it is gone', async () => {
    const { chat, phone } = await openChat([], { tuning: { connectMs: 1_000 } });
    const { attempts } = PhoneSocket;
    phone.wire.set({ kind: 'drop' });
    await send(ann, chat, 'into the void');
    await eventually(() => expect(phone.parley.connection.get()).toBe('connecting'));
    // A second attempt: the first, which the hole had swallowed, was given up.
    await eventually(() => expect(PhoneSocket.attempts).toBeGreaterThanOrEqual(attempts + 2));
    phone.wire.set({ kind: 'pass' });
    await eventually(() => expect(bodiesIn(phone, chat.id)).toEqual(['into the void']));
    await untilLive(phone);
  });

  it('looks at a socket that seems to stand when the app comes back', async () => {
    // No ping for an hour: as where the timers of an app in the background do not run.
    const { chat, phone } = await openChat([], { tuning: { pingEveryMs: 3_600_000 } });
    phone.wire.set({ kind: 'drop' });
    await send(ann, chat, 'while it slept');
    phone.signals.wake();
    await eventually(() => expect(phone.parley.connection.get()).toBe('connecting'));
    phone.wire.set({ kind: 'pass' });
    await eventually(() => expect(bodiesIn(phone, chat.id)).toEqual(['while it slept']));
  });

  it('comes back at once when the network does, however long it was to wait', async () => {
    // The first wait is an hour, or half of one.
    const { chat, phone } = await openChat([], { tuning: { retryBaseMs: 3_600_000, retryCapMs: 3_600_000 } });
    goOffline(phone);
    await send(ann, chat, 'at last');
    await eventually(() => expect(phone.wire.connections).toBe(0));
    comeBack(phone);
    await eventually(() => expect(bodiesIn(phone, chat.id)).toEqual(['at last']));
  });

  it('shows what became of old messages meanwhile', async () => {
    const { chat, phone } = await openChat(['to be edited', 'to be deleted', 'to be read']);
    const anns = await open(ann);
    goOffline(phone);
    const [edited, deleted] = shownIn(phone, chat.id)!.edges.map(({ node }) => node.id);
    const { apollo } = anns.parley;
    const input = { messageId: edited!, body: 'edited' };
    await apollo.mutate({ mutation: EditMessageDocument, variables: { input } });
    await apollo.mutate({ mutation: DeleteMessageDocument, variables: { messageId: deleted! } });
    // On another device of his.
    const tablet = await open(bob);
    tablet.parley.followChat(chat.id);
    tablet.parley.markRead(chat.id, 3);
    await eventually(() => expect(shownIn(tablet, chat.id)?.edges.at(-1)?.node.isRead).toBe(true));
    comeBack(phone);
    await eventually(() =>
      expect(
        shownIn(phone, chat.id)?.edges.map(({ node }) => [node.body, node.deletedAt !== null, node.isRead]),
      ).toEqual([
        ['edited', false, true],
        ['', true, true],
        ['to be read', false, true],
      ]),
    );
  });

  it('is opened again with what became of it while nobody looked', async () => {
    const { chat, phone, follow } = await openChat(['one', 'two']);
    const first = shownIn(phone, chat.id)!.edges[0]!.node;
    follow.stop();
    const anns = await open(ann);
    const input = { messageId: first.id, body: 'one, edited' };
    await anns.parley.apollo.mutate({ mutation: EditMessageDocument, variables: { input } });
    await sayMuch(chat, 50);
    phone.parley.followChat(chat.id);
    await untilLive(phone);
    // The newest page touches what was there: one list, and its oldest message is as it is now.
    await eventually(() => expect(bodiesIn(phone, chat.id)[0]).toBe('one, edited'));
    expect(bodiesIn(phone, chat.id).length).toBe(52);
  });

  it('ends when the viewer is removed, and the chat leaves the list', async () => {
    const { chat, phone, follow } = await openChat(['hello']);
    phone.parley.followChats();
    await untilLive(phone);
    expect(chatsOf(phone).map(({ id }) => id)).toContain(chat.id);
    const anns = await open(ann);
    const variables = { chatId: chat.id, userId: bob.id };
    await anns.parley.apollo.mutate({ mutation: RemoveMemberDocument, variables });
    await eventually(() => expect(follow.state.get()).toEqual({ status: 'ended', code: 'NOT_FOUND' }));
    expect(chatsOf(phone).map(({ id }) => id)).not.toContain(chat.id);
    expect(shownIn(phone, chat.id)).toBeUndefined();
    await untilLive(phone);
    const again = phone.parley.followChat(chat.id);
    await eventually(() => expect(again.state.get()).toEqual({ status: 'ended', code: 'NOT_FOUND' }));
  });

  it('is a list of chats that knows of new ones, left ones, and those lost while away', async () => {
    const phone = await open(bob);
    phone.parley.followChats();
    await untilLive(phone);
    const { apollo } = phone.parley;
    const titles = () => chatsOf(phone).map(({ title }) => title);
    const create = async (title: string) => {
      const input = { kind: 'GROUP' as const, memberIds: [ann.id], title };
      return (await apollo.mutate({ mutation: CreateChatDocument, variables: { input } })).data!.createChat.id;
    };
    const left = await create('left');
    expect(titles()).toContain('left');
    await create('kept');
    const lost = await openGroup(ann, [bob], 'lost');
    await eventually(() => expect(titles().slice(0, 3)).toEqual(['lost', 'kept', 'left']));
    const anns = await open(ann);
    const removal = { chatId: lost.id, userId: bob.id };
    await anns.parley.apollo.mutate({ mutation: RemoveMemberDocument, variables: removal });
    await apollo.mutate({ mutation: RemoveMemberDocument, variables: { chatId: left, userId: ann.id } });
    goOffline(phone);
    const met = await openGroup(ann, [bob], 'met while away');
    await send(ann, met, 'hello');
    comeBack(phone);
    await untilLive(phone);
    await eventually(() => expect(titles()[0]).toBe('met while away'));
    expect(titles()).not.toContain('lost');
    // The last owner may not: nothing has changed.
    const leaving = apollo.mutate({ mutation: LeaveChatDocument, variables: { chatId: left } });
    await expect(leaving).rejects.toMatchObject({ name: 'CombinedGraphQLErrors' });
    expect(titles()).toContain('left');
  });

  it('stays short in memory, and loads again what was let go', { timeout: 60_000 }, async () => {
    const { chat, phone, follow } = await openChat();
    await sayMuch(chat, 120);
    await eventually(() => expect(shownIn(phone, chat.id)?.edges.at(-1)?.node.seq).toBe(120));
    const shown = () => shownIn(phone, chat.id)!.edges.map(({ node }) => node.seq);
    const inCache = () =>
      Object.keys(phone.parley.apollo.cache.extract() as object).filter((id) => id.startsWith('Message:'));
    expect(shown().length).toBeLessThan(80);
    expect(inCache().length).toBeLessThan(80);
    expect(shownIn(phone, chat.id)!.pageInfo).toMatchObject({ hasPreviousPage: true, hasNextPage: false });

    while (await phone.parley.loadOlder(chat.id));
    expect(shown()).toEqual(seqsTo(120));
    expect(shownIn(phone, chat.id)!.pageInfo.hasPreviousPage).toBe(false);
    // Somebody is reading up there.
    await send(ann, chat, 'one more');
    await eventually(() => expect(shown()).toEqual(seqsTo(121)));
    follow.setAtNewest(true);
    expect(shown()).toEqual(seqsTo(121).slice(-40));
  });

  it('starts anew at the newest page when it is far behind', { timeout: 60_000 }, async () => {
    const { chat, phone } = await openChat(['the first']);
    goOffline(phone);
    await sayMuch(chat, 130);
    comeBack(phone);
    await untilLive(phone);
    await eventually(() => expect(shownIn(phone, chat.id)?.edges.at(-1)?.node.seq).toBe(131));
    expect(shownIn(phone, chat.id)!.edges.map(({ node }) => node.seq)).toEqual(seqsTo(131).slice(-50));
    expect(await phone.parley.loadOlder(chat.id)).toBe(true);
    expect(shownIn(phone, chat.id)!.edges.map(({ node }) => node.seq)).toEqual(seqsTo(131).slice(-100));
    await send(ann, chat, 'and on');
    await eventually(() => expect(bodiesIn(phone, chat.id).at(-1)).toBe('and on'));
  });

  it('is one subscription for several views, until the last of them leaves', async () => {
    const { chat, phone, follow } = await openChat();
    const second = phone.parley.followChat(chat.id);
    follow.stop();
    follow.stop();
    await send(ann, chat, 'still here');
    await eventually(() => expect(bodiesIn(phone, chat.id)).toEqual(['still here']));
    second.stop();
    closeIdleConnections();
    await eventually(() => expect(phone.wire.connections).toBeLessThanOrEqual(1));
    expect(phone.parley.connection.get()).toBe('live');
  });
});
