import { describe, expect, it, vi } from 'vitest';
import { ParleyError } from '../../src/errors.ts';
import type { MessageFieldsFragment, SendMessageInput } from '../../src/generated/graphql.ts';
import { createOutbox } from '../../src/outbox.ts';
import { memoryOutboxStore } from '../../src/outbox-store.ts';
import type { OutboxStore } from '../../src/outbox-store.ts';
import { createWaiting } from '../../src/waiting.ts';
import { deferred } from '../../../test/support/wait.ts';

interface Call {
  input: SendMessageInput;
  answer(): void;
  refuse(error: Error): void;
}

/** An outbox whose server answers when the test says so. */
async function openOutbox(store: OutboxStore = memoryOutboxStore(), { hasGap = false } = {}) {
  const calls: Call[] = [];
  const waiting = createWaiting({ retryBaseMs: 3_600_000, retryCapMs: 3_600_000 });
  const own = createOutbox({
    name: `outbox-${Math.random()}`,
    store,
    waiting,
    userId: () => 'ann',
    sendMessage: (input) =>
      new Promise((resolve, reject) => calls.push({ input, answer: () => resolve(messageOf(input)), refuse: reject })),
    show: () => !hasGap,
  });
  await own.resume();
  const call = async (nth: number) => vi.waitFor(() => (expect(calls.length).toBeGreaterThan(nth), calls[nth]!));
  const statuses = () => own.outbox.entries.get().map(({ body, status }) => `${body}: ${status}`);
  return { ...own, calls, call, waiting, statuses, store };
}

function messageOf({ clientId, body }: SendMessageInput): MessageFieldsFragment {
  return { id: clientId, clientId, body, author: { id: 'ann' } } as MessageFieldsFragment;
}

describe('the outbox', () => {
  it('sends what is of one chat in order, one after the other, and chats beside each other', async () => {
    const { outbox, calls, call, statuses } = await openOutbox();
    for (const body of ['one', 'two']) await outbox.send({ chatId: 'x', body });
    await outbox.send({ chatId: 'y', body: 'three' });
    await call(1);
    expect(calls.map(({ input }) => input.body)).toEqual(['one', 'three']);
    calls[0]!.answer();
    expect((await call(2)).input.body).toBe('two');
    calls[1]!.answer();
    calls[2]!.answer();
    await vi.waitFor(() => expect(statuses()).toEqual([]));
  });

  it('tries again what failed in passing, under the same clientId, at once when it is woken', async () => {
    const { outbox, calls, call, waiting, statuses } = await openOutbox();
    const { clientId } = await outbox.send({ chatId: 'x', body: 'one' });
    const codes = [
      'OFFLINE',
      'SERVICE_UNAVAILABLE',
      'TIMEOUT',
      'RATE_LIMITED',
      'INTERNAL_SERVER_ERROR',
      'UNAUTHENTICATED',
    ];
    for (const [nth, code] of codes.entries()) {
      (await call(nth)).refuse(new ParleyError(code, 'not now', { retryAfter: 3_600 }));
      await vi.waitFor(() => expect(statuses()).toEqual(['one: waiting']));
      waiting.wake();
    }
    (await call(codes.length)).answer();
    await vi.waitFor(() => expect(statuses()).toEqual([]));
    expect(new Set(calls.map(({ input }) => input.clientId))).toEqual(new Set([clientId]));
  });

  it('keeps what was refused for good, and goes on with the next', async () => {
    const { outbox, call, statuses, store } = await openOutbox();
    const { clientId } = await outbox.send({ chatId: 'x', body: 'one' });
    await outbox.send({ chatId: 'x', body: 'two' });
    (await call(0)).refuse(new ParleyError('BAD_USER_INPUT', 'no'));
    (await call(1)).answer();
    await vi.waitFor(() => expect(statuses()).toEqual(['one: failed']));
    expect(await store.load()).toMatchObject([{ clientId, status: 'failed', error: { code: 'BAD_USER_INPUT' } }]);
    await outbox.retry(clientId);
    expect((await call(2)).input).toMatchObject({ clientId, body: 'one' });
    (await call(2)).refuse(new ParleyError('NOT_FOUND', 'no'));
    await vi.waitFor(() => expect(statuses()).toEqual(['one: failed']));
    await outbox.discard(clientId);
    expect(statuses()).toEqual([]);
    expect(await store.load()).toEqual([]);
  });

  it('is through with an entry whose message comes live before the answer', async () => {
    const { outbox, call, onMessages, statuses, store } = await openOutbox();
    await outbox.send({ chatId: 'x', body: 'one' });
    const { input } = await call(0);
    onMessages([{ ...messageOf(input), author: { id: 'bob' } } as MessageFieldsFragment]);
    onMessages([messageOf(input)]);
    await vi.waitFor(() => expect(statuses()).toEqual([]));
    expect(await store.load()).toEqual([]);
  });

  it('keeps an acknowledged entry on the screen until its message has its place there', async () => {
    const { outbox, calls, call, onMessages, statuses } = await openOutbox(memoryOutboxStore(), { hasGap: true });
    await outbox.send({ chatId: 'x', body: 'one' });
    (await call(0)).answer();
    await outbox.send({ chatId: 'x', body: 'two' });
    await call(1);
    expect(statuses()).toEqual(['one: sending', 'two: sending']);
    onMessages([messageOf(calls[0]!.input)]);
    await vi.waitFor(() => expect(statuses()).toEqual(['two: sending']));
  });

  it('lets an acknowledged entry go when nobody looks at its chat any more', async () => {
    const { outbox, call, onLeft, statuses } = await openOutbox(memoryOutboxStore(), { hasGap: true });
    await outbox.send({ chatId: 'x', body: 'one' });
    (await call(0)).answer();
    await outbox.send({ chatId: 'x', body: 'two' });
    await call(1);
    onLeft('x');
    await vi.waitFor(() => expect(statuses()).toEqual(['two: sending']));
  });

  it('does not lose what is written while the store is being read', async () => {
    const store = memoryOutboxStore();
    const gate = deferred();
    const slow: OutboxStore = {
      ...store,
      async load() {
        const stored = await store.load();
        await gate.promise;
        return stored;
      },
    };
    const own = createOutbox({
      name: 'slow',
      store: slow,
      waiting: createWaiting({ retryBaseMs: 10, retryCapMs: 10 }),
      userId: () => 'ann',
      sendMessage: () => new Promise(() => {}),
      show: () => true,
    });
    const resuming = own.resume();
    await own.outbox.send({ chatId: 'x', body: 'one' });
    gate.resolve();
    await resuming;
    expect(own.outbox.entries.get().map(({ body }) => body)).toEqual(['one']);
  });
});
