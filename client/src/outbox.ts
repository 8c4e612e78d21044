import { isTransient, ParleyError, toParleyError } from './errors.ts';
import type { MessageFieldsFragment, SendMessageInput } from './generated/graphql.ts';
import { withLock } from './locks.ts';
import { newId } from './new-id.ts';
import type { Draft, OutboxEntry, OutboxStore } from './outbox-store.ts';
import { createValue } from './readable.ts';
import type { Readable } from './readable.ts';
import type { Waiting } from './waiting.ts';

export interface Outbox {
  /** Of the signed-in person, in the order in which they were written. */
  readonly entries: Readable<readonly OutboxEntry[]>;
  /** Resolves once it is kept on the device. It is sent in order, per chat, when there is a network. */
  send(draft: Draft): Promise<OutboxEntry>;
  /** A failed one, once more: the same message, whatever became of it before. */
  retry(clientId: string): Promise<void>;
  discard(clientId: string): Promise<void>;
}

export interface OutboxOptions {
  name: string;
  store: OutboxStore;
  waiting: Waiting;
  /** The person who is signed in now. */
  userId(): string | undefined;
  /** As this person, or not at all. */
  sendMessage(input: SendMessageInput, userId: string): Promise<MessageFieldsFragment>;
  /** Puts it into the cache. False: it waits there for others that come before it, and the chat is being followed. */
  show(chatId: string, message: MessageFieldsFragment): boolean;
}

export function createOutbox(options: OutboxOptions) {
  const { name, store, waiting, userId, sendMessage, show } = options;
  const entries = createValue<readonly OutboxEntry[]>([]);
  /** At most one for each chat in this tab. */
  const senders = new Map<string, Promise<void>>();
  /** Acknowledged, and not in the cache yet. */
  const sent = new Set<string>();
  /** Counts what this tab has changed, for whoever reads the store meanwhile. */
  let changes = 0;
  let isStopped = true;
  let unwatch = () => {};

  const find = (clientId: string) => entries.get().find((entry) => entry.clientId === clientId);
  const without = (clientId: string) => entries.get().filter((entry) => entry.clientId !== clientId);

  function replace(next: OutboxEntry) {
    entries.set(entries.get().map((entry) => (entry.clientId === next.clientId ? next : entry)));
  }

  /** As the store has them; what this tab is sending is being sent. */
  async function reload() {
    let stored: OutboxEntry[];
    let before: number;
    do {
      before = changes;
      stored = await store.load();
    } while (before !== changes);
    const sending = new Set(entries.get().flatMap((entry) => (entry.status === 'sending' ? [entry.clientId] : [])));
    entries.set(
      stored
        .filter((entry) => entry.userId === userId())
        .map((entry) => (sending.has(entry.clientId) ? { ...entry, status: 'sending' as const } : entry)),
    );
    sendAll();
  }

  function sendAll() {
    if (isStopped) return;
    for (const chatId of new Set(entries.get().map((entry) => entry.chatId))) {
      if (senders.has(chatId)) continue;
      const sender = sendChat(chatId).finally(() => senders.delete(chatId));
      senders.set(chatId, sender);
    }
  }

  const nextOf = (chatId: string) =>
    entries.get().find((entry) => entry.chatId === chatId && entry.status !== 'failed' && !sent.has(entry.clientId));

  /** One chat's, one after the other, until there is none or nobody to send it. */
  async function sendChat(chatId: string): Promise<void> {
    let attempt = 0;
    for (;;) {
      const clientId = nextOf(chatId)?.clientId;
      if (clientId === undefined || isStopped) return;
      // One tab at a time: two would overtake one another. That both send the same would do no harm.
      const error = await withLock(`${name}:outbox:${chatId}`, () => sendOne(clientId));
      if (!error) attempt = 0;
      else if (!isStopped) {
        await waiting.backOff(attempt++, (error.retryAfter ?? 0) * 1000);
      }
    }
  }

  /** Answers what stands in the way for now. */
  async function sendOne(clientId: string): Promise<ParleyError | undefined> {
    const entry = find(clientId);
    if (!entry || isStopped) return undefined;
    replace({ ...entry, status: 'sending' });
    try {
      const { chatId, body, type, extraData } = entry;
      const input = { chatId, body, type, extraData: extraData ?? null, clientId };
      const message = await sendMessage(input, entry.userId);
      if (isStopped || entry.userId !== userId()) return undefined;
      if (show(chatId, message)) settle(clientId);
      else sent.add(clientId);
      return undefined;
    } catch (thrown) {
      const error = toParleyError(thrown);
      if (!find(clientId)) return undefined;
      // The end of the session is not the message's fault.
      if (isTransient(error) || error.code === 'UNAUTHENTICATED') {
        replace({ ...entry, status: 'waiting' });
        return error;
      }
      const failed = { ...entry, status: 'failed' as const, error: { code: error.code, message: error.message } };
      replace(failed);
      await store.put(failed).catch(() => {
        // Then it is refused once more after the next start.
      });
      return undefined;
    }
  }

  /**
   * Its message is in the cache. Apollo tells the views in the next task, so the entry goes in the one behind that: for a
   * moment a view has both, which `toTimeline` shows as one, and never neither.
   */
  function settle(clientId: string) {
    sent.add(clientId);
    setTimeout(() => forget(clientId), 0);
    // Where that fails, it is sent once more after the next start, and is the same message.
    const count = () => void (changes += 1);
    store.remove(clientId).then(count, count);
  }

  function forget(clientId: string) {
    sent.delete(clientId);
    if (find(clientId)) entries.set(without(clientId));
  }

  const outbox: Outbox = {
    entries,
    async send({ chatId, body, type = 'TEXT', extraData }) {
      const author = userId();
      if (author === undefined) throw new ParleyError('UNAUTHENTICATED', 'Nobody is signed in.');
      const entry: OutboxEntry = {
        clientId: newId(),
        userId: author,
        chatId,
        body,
        type,
        ...(extraData !== undefined && { extraData }),
        queuedAt: new Date().toISOString(),
        status: 'waiting',
      };
      await store.put(entry);
      changes += 1;
      if (author === userId() && !find(entry.clientId)) entries.set([...entries.get(), entry]);
      sendAll();
      return entry;
    },
    async retry(clientId) {
      const failed = find(clientId);
      if (failed?.status !== 'failed') return;
      const { error: _reason, ...entry } = failed;
      const waitingAgain = { ...entry, status: 'waiting' as const };
      await store.put(waitingAgain);
      changes += 1;
      replace(waitingAgain);
      sendAll();
    },
    async discard(clientId) {
      await store.remove(clientId);
      changes += 1;
      forget(clientId);
    },
  };

  return {
    outbox,
    /** The person's entries, and on with them. */
    async resume() {
      isStopped = false;
      unwatch();
      unwatch = store.subscribe?.(() => void reload().catch(() => {})) ?? (() => {});
      await reload();
    },
    /** What is on its way is finished; nothing new is sent. */
    suspend() {
      isStopped = true;
      unwatch();
      waiting.wake();
      sent.clear();
      entries.set([]);
    },
    /** Messages have come into the cache by another way: those that are ours are through. */
    onMessages(messages: readonly MessageFieldsFragment[]) {
      for (const { clientId, author } of messages)
        if (clientId !== null && author?.id === userId() && find(clientId)) settle(clientId);
    },
    /** Nobody looks at the chat any more: what is acknowledged need not wait for its place on a screen. */
    onLeft(chatId: string) {
      for (const entry of entries.get())
        if (entry.chatId === chatId && sent.has(entry.clientId)) settle(entry.clientId);
    },
  };
}
