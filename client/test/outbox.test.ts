import 'fake-indexeddb/auto';
import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { startCluster } from '../../test/support/cluster.ts';
import type { Cluster } from '../../test/support/cluster.ts';
import { signIn } from '../../test/support/devices.ts';
import { readHistory } from '../../test/support/history.ts';
import { openGroup, registerPerson, send } from '../../test/support/people.ts';
import type { Person } from '../../test/support/people.ts';
import { eventually } from '../../test/support/wait.ts';
import {
  AddMembersDocument,
  ChatHistoryDocument,
  indexedDbOutboxStore,
  memoryTokenStore,
  toTimeline,
} from '../src/index.ts';
import type { MessageFields } from '../src/index.ts';
import { bodiesIn, closePhone, openPhone, untilLive } from './support/phone.ts';
import type { Phone, PhoneOptions } from './support/phone.ts';

describe('an outbox', () => {
  let cluster: Cluster;
  let ann: Person;
  let bob: Person;
  const phones: Phone[] = [];
  beforeAll(async () => {
    cluster = await startCluster({ nodes: 1 });
    ann = await registerPerson(cluster);
    bob = await registerPerson(cluster);
  });
  afterAll(() => cluster?.stop());
  afterEach(async () => {
    vi.restoreAllMocks();
    await Promise.all(phones.splice(0).map(closePhone));
  });

  /** Ann's phone; what it keeps is under a name of its own. */
  async function open(options: PhoneOptions = {}): Promise<Phone> {
    const name = options.name ?? randomUUID();
    const phone = await openPhone(cluster, ann, { outboxStore: indexedDbOutboxStore({ name }), ...options, name });
    phones.push(phone);
    return phone;
  }

  const credentialsOf = ({ email, password }: Person) => ({ email, password });
  const bodiesOf = async (chat: { id: string }) => (await readHistory(bob, chat)).map(({ body }) => body);
  const statuses = ({ parley }: Phone) => parley.outbox.entries.get().map(({ body, status }) => `${body}: ${status}`);
  const untilSent = (phone: Phone) => eventually(() => expect(statuses(phone)).toEqual([]));
  const many = (count: number, word: string) => Array.from({ length: count }, (_, nth) => `${word} ${nth}`);

  function countSends(): () => number {
    const spy = vi.spyOn(globalThis, 'fetch');
    return () =>
      spy.mock.calls.filter(([, init]) => (init?.body as string | undefined)?.includes('sendMessage')).length;
  }

  it('outlives a closed app, and is sent in order when the network returns', async () => {
    const chats = [await openGroup(ann, [bob]), await openGroup(ann, [bob])] as const;
    const tokenStore = memoryTokenStore();
    const name = randomUUID();
    const phone = await open({ tokenStore, name });
    phone.wire.set({ kind: 'drop' });
    phone.wire.reset();
    const bodies = many(10, 'offline');
    for (const body of bodies) for (const chat of chats) await phone.parley.outbox.send({ chatId: chat.id, body });
    expect(statuses(phone).length).toBe(20);
    await phone.parley.stop();

    const next = await open({ tokenStore, name, wire: phone.wire });
    expect(next.parley.outbox.entries.get().map(({ body }) => body)).toEqual(bodies.flatMap((body) => [body, body]));
    for (const chat of chats) expect(await bodiesOf(chat)).toEqual([]);
    next.wire.set({ kind: 'pass' });
    next.wire.reset();
    next.signals.wake();
    await untilSent(next);
    for (const chat of chats) expect(await bodiesOf(chat)).toEqual(bodies);
    await next.parley.stop();
    const third = await open({ tokenStore, name });
    expect(third.parley.outbox.entries.get()).toEqual([]);
  });

  it('makes one message of a send whose answer was lost', async () => {
    const chat = await openGroup(ann, [bob]);
    const phone = await open();
    const sends = countSends();
    const cut = phone.wire.cutBefore('down', (chunk) => chunk.includes('"sendMessage"'));
    await phone.parley.outbox.send({ chatId: chat.id, body: 'once' });
    await cut;
    await phone.parley.outbox.send({ chatId: chat.id, body: 'then' });
    await untilSent(phone);
    expect(sends()).toBe(3);
    expect(await bodiesOf(chat)).toEqual(['once', 'then']);
  });

  it('keeps the order and sends once while connections break', async () => {
    const chat = await openGroup(ann, [bob]);
    const phone = await open();
    phone.parley.followChat(chat.id);
    await untilLive(phone);
    const bodies = many(30, 'storm');
    for (const [nth, body] of bodies.entries()) {
      await phone.parley.outbox.send({ chatId: chat.id, body });
      if (nth % 3 === 0) phone.wire.reset();
    }
    phone.signals.wake();
    await untilSent(phone);
    expect(await bodiesOf(chat)).toEqual(bodies);
    await eventually(() => expect(bodiesIn(phone, chat.id)).toEqual(bodies));
  });

  it('shows what the server refuses, goes on with the rest, and tries again when asked', async () => {
    const [mine, hers] = [await openGroup(ann, [bob]), await openGroup(bob, [await registerPerson(cluster)])];
    const phone = await open();
    const refused = await phone.parley.outbox.send({ chatId: hers.id, body: 'let me in' });
    await phone.parley.outbox.send({ chatId: mine.id, body: ' ' });
    await phone.parley.outbox.send({ chatId: mine.id, body: 'fine' });
    await eventually(() => expect(statuses(phone)).toEqual(['let me in: failed', ' : failed']));
    expect(phone.parley.outbox.entries.get().map(({ error }) => error?.code)).toEqual(['NOT_FOUND', 'BAD_USER_INPUT']);
    expect(await bodiesOf(mine)).toEqual(['fine']);

    const bobs = await openPhone(cluster, bob);
    phones.push(bobs);
    const variables = { chatId: hers.id, userIds: [ann.id] };
    await bobs.parley.apollo.mutate({ mutation: AddMembersDocument, variables });
    await phone.parley.outbox.retry(refused.clientId);
    await eventually(() => expect(statuses(phone)).toEqual([' : failed']));
    expect(await bodiesOf(hers)).toEqual(['let me in']);
    await phone.parley.outbox.discard(phone.parley.outbox.entries.get()[0]!.clientId);
    expect(statuses(phone)).toEqual([]);
  });

  it('of two tabs is one', async () => {
    const chat = await openGroup(ann, [bob]);
    const tokenStore = memoryTokenStore();
    const name = randomUUID();
    const tabs = [await open({ tokenStore, name }), await open({ tokenStore, name })] as const;
    const bodies = many(10, 'tab');
    for (const [nth, body] of bodies.entries()) await tabs[nth % 2]!.parley.outbox.send({ chatId: chat.id, body });
    await Promise.all(tabs.map(untilSent));
    const history = await bodiesOf(chat);
    expect(history.toSorted()).toEqual(bodies.toSorted());
    for (const own of [0, 1])
      expect(history.filter((body) => bodies.indexOf(body) % 2 === own)).toEqual(
        bodies.filter((_, nth) => nth % 2 === own),
      );
  });

  it('is each person’s own', async () => {
    const chat = await openGroup(ann, [bob]);
    const name = randomUUID();
    const anns = await open({ name });
    anns.wire.set({ kind: 'drop' });
    anns.wire.reset();
    await anns.parley.outbox.send({ chatId: chat.id, body: 'from ann' });
    await anns.parley.stop();

    const phone = await openPhone(cluster, bob, { name, outboxStore: indexedDbOutboxStore({ name }) });
    phones.push(phone);
    await phone.parley.outbox.send({ chatId: chat.id, body: 'from bob' });
    expect(phone.parley.outbox.entries.get().map(({ body }) => body)).toEqual(['from bob']);
    await untilSent(phone);
    await phone.parley.session.signIn(credentialsOf(ann));
    await eventually(async () => expect((await bodiesOf(chat)).length).toBe(2));
    expect((await readHistory(bob, chat)).map(({ body, author }) => [body, author?.id])).toEqual([
      ['from bob', bob.id],
      ['from ann', ann.id],
    ]);
  });

  it('is never sent in the name of the next, who signs in between two attempts', async () => {
    const chat = await openGroup(ann, [bob]);
    const tokenStore = memoryTokenStore();
    const { accessToken, refreshToken } = await signIn(cluster, ann);
    await tokenStore.save({ userId: ann.id, refreshToken, accessToken: `${accessToken.slice(0, -8)}AAAAAAAA` });
    const { fetch } = globalThis;
    let switching: Promise<void> | undefined;
    vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
      const response = await fetch(input, init);
      if ((init?.body as string | undefined)?.includes('sendMessage'))
        await (switching ??= phone.parley.session.signIn(credentialsOf(bob)));
      return response;
    });
    const phone = await open({ tokenStore });
    await phone.parley.outbox.send({ chatId: chat.id, body: 'from ann' });
    await eventually(() => expect(phone.parley.session.state.get()).toMatchObject({ userId: bob.id }));
    await phone.parley.outbox.send({ chatId: chat.id, body: 'from bob' });
    await untilSent(phone);
    await phone.parley.session.signIn(credentialsOf(ann));
    await eventually(async () => expect((await bodiesOf(chat)).length).toBe(2));
    expect((await readHistory(bob, chat)).map(({ body, author }) => [body, author?.id])).toEqual([
      ['from bob', bob.id],
      ['from ann', ann.id],
    ]);
  });

  it('never shows a message twice or not at all while others write, too', async () => {
    const chat = await openGroup(ann, [bob]);
    const phone = await open({ tuning: { keptMessages: 1_000 } });
    phone.parley.followChat(chat.id);
    await untilLive(phone);
    let messages: readonly MessageFields[] = [];
    const complaints: string[] = [];
    const written: string[] = [];
    /** What a view shows, whichever of its two sources has just told it something. */
    function look() {
      const rows = toTimeline(messages, phone.parley.outbox.entries.get());
      const bodies = rows.map((row) => (row.kind === 'message' ? row.message.body : row.entry.body));
      for (const body of written) {
        const count = bodies.filter((shown) => shown === body).length;
        if (count !== 1) complaints.push(`${body} is shown ${count} times`);
      }
    }
    const view = phone.parley.apollo
      .watchQuery({ query: ChatHistoryDocument, variables: { chatId: chat.id }, fetchPolicy: 'cache-only' })
      .subscribe(({ data, dataState }) => {
        if (dataState === 'complete') messages = data.chat!.messages.edges.map(({ node }) => node);
        look();
      });
    const unwatch = phone.parley.outbox.entries.subscribe(look);

    const others = (async () => {
      for (const body of many(40, 'bob')) await send(bob, chat, body);
    })();
    for (const body of many(20, 'ann')) {
      const sending = phone.parley.outbox.send({ chatId: chat.id, body });
      await sending;
      written.push(body);
      look();
    }
    await others;
    await untilSent(phone);
    await eventually(() => expect(messages.length).toBe(60));
    expect(complaints).toEqual([]);
    expect(messages.map(({ body }) => body)).toEqual(await bodiesOf(chat));
    expect(messages.flatMap(({ body }) => (body.startsWith('ann') ? [body] : []))).toEqual(many(20, 'ann'));
    unwatch();
    view.unsubscribe();
  });
});

describe('an outbox of somebody who writes too much', () => {
  let cluster: Cluster;
  let phone: Phone | undefined;
  beforeAll(async () => {
    cluster = await startCluster({ nodes: 1, env: { RATE_LIMIT: 'on', MESSAGES_PER_MINUTE: '3' } });
  });
  afterAll(async () => {
    if (phone) await closePhone(phone);
    await cluster?.stop();
  });

  it('waits, and sends every message once and in order', async () => {
    const ann = await registerPerson(cluster);
    const chat = await openGroup(ann, []);
    phone = await openPhone(cluster, ann);
    const { outbox } = phone.parley;
    const bodies = ['one', 'two', 'three', 'four', 'five'];
    for (const body of bodies) await outbox.send({ chatId: chat.id, body });
    const left = () => outbox.entries.get().map(({ body, status }) => `${body}: ${status}`);
    await eventually(() => expect(left()).toEqual(['four: waiting', 'five: waiting']));
    expect((await readHistory(ann, chat)).map(({ body }) => body)).toEqual(bodies.slice(0, 3));
    // A new process has counted nothing yet.
    const { port } = cluster.node(0);
    await cluster.node(0).stop();
    await cluster.startNode({ PORT: String(port) });
    await eventually(() => {
      phone!.signals.wake();
      expect(left()).toEqual([]);
    });
    expect((await readHistory(ann, chat)).map(({ body }) => body)).toEqual(bodies);
  });
});
