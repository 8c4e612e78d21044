import type { Cancellation } from '../../cancellation.ts';
import type { Logger } from '../../logger.ts';
import type { PresenceState, PresenceStore } from './presence-store.ts';

/** Three renewals may fail before others take this node for dead. */
const RENEW_EVERY_MS = 10_000;

/** Connections that open or close together are written together. */
const GATHER_MS = 50;

/** Wait before a write that failed is tried again. */
const RETRY_MS = 1_000;

export type PresenceService = ReturnType<typeof createPresenceService>;

/** Who is online: counted from live connections on this node, kept in the database under the node's lease. */
export function createPresenceService(store: PresenceStore, logger: Logger) {
  const connections = new Map<string, number>();
  /** People whose row may not say what `connections` says. */
  const unwritten = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  let renewal: NodeJS.Timeout | undefined;
  let writing: Promise<void> = Promise.resolve();
  let stopped = false;

  function touch(userId: string) {
    unwritten.add(userId);
    if (!stopped) timer ??= setTimeout(flush, GATHER_MS);
  }

  function flush() {
    timer = undefined;
    writing = writing.then(write);
  }

  async function write() {
    const userIds = [...unwritten];
    unwritten.clear();
    try {
      const online = userIds.filter((id) => connections.has(id));
      const offline = userIds.filter((id) => !connections.has(id));
      if (online.length > 0) await store.connected(online);
      if (offline.length > 0) await store.disconnected(offline);
    } catch (error) {
      logger.warn({ err: error }, 'presence was not written; trying again');
      for (const id of userIds) unwritten.add(id);
      if (!stopped) timer ??= setTimeout(flush, RETRY_MS);
    }
  }

  async function renew() {
    try {
      const wasForgotten = await store.renewLease();
      if (wasForgotten) for (const id of connections.keys()) touch(id);
      await store.release('expired');
    } catch (error) {
      logger.warn({ err: error }, 'the lease was not renewed; trying again');
    }
    if (!stopped) renewal = setTimeout(renew, RENEW_EVERY_MS);
  }

  return {
    /** `isAlone`: no other node shares the database, so whatever lease stands there was left by a dead one. */
    async start({ isAlone }: { isAlone: boolean }): Promise<void> {
      if (isAlone) await store.release('all');
      await renew();
    },

    connectionOpened(userId: string): void {
      const count = connections.get(userId) ?? 0;
      connections.set(userId, count + 1);
      if (count === 0) touch(userId);
    },

    connectionClosed(userId: string): void {
      const count = connections.get(userId) ?? 0;
      if (count > 1) connections.set(userId, count - 1);
      else if (connections.delete(userId)) touch(userId);
    },

    findMany: (userIds: readonly string[], cancellation?: Cancellation): Promise<PresenceState[]> =>
      store.findStates(userIds, cancellation),

    /** Writes what is left, and ends the lease. Never rejects. */
    async stop(): Promise<void> {
      stopped = true;
      clearTimeout(timer);
      clearTimeout(renewal);
      flush();
      await writing;
      await store
        .release('this')
        .catch((error: unknown) => logger.warn({ err: error }, 'the lease was left to expire'));
    },
  };
}
