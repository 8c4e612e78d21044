import { openDB } from 'idb';
import type { DBSchema, IDBPDatabase } from 'idb';
import type { MessageType } from './generated/graphql.ts';

export interface Draft {
  chatId: string;
  body: string;
  type?: MessageType;
  extraData?: unknown;
}

/** What somebody wrote, until it is in the chat. */
export interface OutboxEntry extends Draft {
  clientId: string;
  userId: string;
  type: MessageType;
  queuedAt: string;
  status: 'waiting' | 'sending' | 'failed';
  /** Of a failed one: the server refused it for good (FORBIDDEN, NOT_FOUND, BAD_USER_INPUT …). */
  error?: { code: string; message: string };
}

/** Keeps entries on the device. What it has resolved is there after the app was killed. */
export interface OutboxStore {
  /** Everybody's, in the order in which they were first put. */
  load(): Promise<OutboxEntry[]>;
  /** A new one comes last; one that is there is replaced where it stands. */
  put(entry: OutboxEntry): Promise<void>;
  remove(clientId: string): Promise<void>;
  /** Another tab changed it. */
  subscribe?(listener: () => void): () => void;
}

/** For as long as the page lives. */
export function memoryOutboxStore(): OutboxStore {
  const entries = new Map<string, OutboxEntry>();
  return {
    load: async () => [...entries.values()],
    put: async (entry) => void entries.set(entry.clientId, entry),
    remove: async (clientId) => void entries.delete(clientId),
  };
}

interface Schema extends DBSchema {
  entries: { key: number; value: OutboxEntry; indexes: { clientId: string } };
}

/** Survives a reload and a closed app. The tabs of an origin share it. */
export function indexedDbOutboxStore({ name = 'parley' }: { name?: string } = {}): OutboxStore {
  let opening: Promise<IDBPDatabase<Schema>> | undefined;
  const channel = typeof BroadcastChannel === 'undefined' ? undefined : new BroadcastChannel(`${name}:outbox`);
  // Node, where tests run, would wait for it.
  (channel as { unref?: () => void } | undefined)?.unref?.();

  function open() {
    opening ??= openDB<Schema>(`${name}:outbox`, 1, {
      upgrade(database) {
        // A key that counts: the order in which they were written, whatever the clock said.
        database.createObjectStore('entries', { autoIncrement: true }).createIndex('clientId', 'clientId', {
          unique: true,
        });
      },
      terminated: () => (opening = undefined),
    }).catch((error: unknown) => {
      opening = undefined;
      throw error;
    });
    return opening;
  }

  async function change(clientId: string, entry: OutboxEntry | undefined) {
    const transaction = (await open()).transaction('entries', 'readwrite');
    const key = await transaction.store.index('clientId').getKey(clientId);
    if (entry) await (key === undefined ? transaction.store.put(entry) : transaction.store.put(entry, key));
    else if (key !== undefined) await transaction.store.delete(key);
    await transaction.done;
    channel?.postMessage('changed');
  }

  return {
    load: async () => (await open()).getAll('entries'),
    put: (entry) => change(entry.clientId, entry),
    remove: (clientId) => change(clientId, undefined),
    subscribe(listener) {
      channel?.addEventListener('message', listener);
      return () => channel?.removeEventListener('message', listener);
    },
  };
}
