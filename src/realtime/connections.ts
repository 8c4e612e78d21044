import { setMaxListeners } from 'node:events';
import type { Viewer } from '../auth/viewer.ts';
import { RateLimitedError, ServiceUnavailableError, UnauthenticatedError } from '../errors.ts';
import type { AppError } from '../errors.ts';
import type { Places } from '../rate-limits/places.ts';

/** A viewer's open line: a WebSocket, or the response of an event stream. */
export interface LiveConnection {
  readonly viewer: Viewer;
  /** Aborted with the error to hand on when the viewer's authority, or the node, ends before the connection does. */
  readonly signal: AbortSignal;
  /** To be called once the line is down. Idempotent. */
  close(): void;
}

export interface ConnectionsOptions {
  /** Which of the sessions live, read from the database now. */
  filterLiveSessions: (sessionIds: readonly string[]) => Promise<Set<string>>;
  /** How many of them one user may have here. */
  places: Places;
  onOpened: (userId: string) => void;
  onClosed: (userId: string) => void;
}

export type Connections = ReturnType<typeof createConnections>;

/**
 * The live connections of this node. A session that ends here is cut off at once, one that ends elsewhere by the
 * sweep, an expired token by the sweep.
 */
export function createConnections(options: ConnectionsOptions) {
  const open = new Map<LiveConnection, AbortController>();

  function end(connection: LiveConnection, error: AppError) {
    open.get(connection)?.abort(error);
  }

  return {
    /** @throws RateLimitedError when this user has too many. */
    open(viewer: Viewer): LiveConnection {
      if (!options.places.take(viewer.userId)) throw tooManyConnections();
      const controller = new AbortController();
      // One listener for each subscription on the line.
      setMaxListeners(0, controller.signal);
      const connection: LiveConnection = {
        viewer,
        signal: controller.signal,
        close() {
          if (!open.delete(connection)) return;
          options.places.giveBack(viewer.userId);
          options.onClosed(viewer.userId);
          // Whatever was opened on the line and lost from sight ends with it.
          controller.abort(new ServiceUnavailableError());
        },
      };
      open.set(connection, controller);
      options.onOpened(viewer.userId);
      return connection;
    },

    sessionsEnded(sessionIds: readonly string[]): void {
      const ended = new Set(sessionIds);
      for (const connection of [...open.keys()])
        if (ended.has(connection.viewer.sessionId)) end(connection, new UnauthenticatedError('SESSION_REVOKED'));
    },

    count: () => open.size,

    /** The node goes away: streams end, and their clients come back elsewhere. */
    endAll(): void {
      for (const connection of [...open.keys()]) end(connection, new ServiceUnavailableError());
    },

    async sweep(): Promise<void> {
      const now = Date.now();
      const sessionIds = new Set<string>();
      for (const connection of [...open.keys()])
        if (connection.viewer.expiresAt <= now) end(connection, new UnauthenticatedError('TOKEN_EXPIRED'));
        else sessionIds.add(connection.viewer.sessionId);
      if (sessionIds.size === 0) return;
      const live = await options.filterLiveSessions([...sessionIds]);
      for (const connection of [...open.keys()]) {
        const { sessionId } = connection.viewer;
        if (sessionIds.has(sessionId) && !live.has(sessionId))
          end(connection, new UnauthenticatedError('SESSION_REVOKED'));
      }
    },
  };
}

/** Of those whose other side is gone without a word, the pings find out within half a minute. */
function tooManyConnections(): RateLimitedError {
  return new RateLimitedError(30, 'Too many live connections.');
}
