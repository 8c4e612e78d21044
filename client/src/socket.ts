import { createClient } from 'graphql-ws';
import type { Client } from 'graphql-ws';
import { createValue } from './readable.ts';
import type { Readable } from './readable.ts';
import type { Credentials } from './session.ts';
import type { Tuning } from './tuning.ts';
import type { Waiting } from './waiting.ts';

export interface Socket {
  readonly client: Client;
  /** The number of the connection that is acknowledged now, or null between two of them. */
  readonly connection: Readable<number | null>;
  /** Looks at the connection now: tries at once if it waits to try, and asks for a sign of life if it seems to stand. */
  kick(): void;
  /** Lets go of the connection, which was opened in somebody's name: who subscribes next opens one in theirs. */
  drop(): void;
  dispose(): void;
}

export interface SocketOptions {
  url: string;
  webSocketImpl?: unknown;
  credentials: Credentials;
  tuning: Tuning;
  waiting: Waiting;
}

/** Bad, expired or revoked: whether it is the end of the session, the renewal will tell. */
const REFUSED = new Set([4401, 4403]);

/** One connection for all subscriptions, while there are any. It comes back for ever, and does not trust silence. */
export function createSocket({ url, webSocketImpl, credentials, tuning, waiting }: SocketOptions): Socket {
  const connection = createValue<number | null>(null);
  let connections = 0;
  let usedToken: string | undefined;
  let refusedToken: string | undefined;
  let standing: WebSocket | undefined;
  /** When the attempt that is under way began. */
  let attemptAt: number | undefined;
  /** The next attempt is not to be waited for. */
  let isUrgent = false;
  let isDisposed = false;

  // terminate, not close: a dead peer never answers a close.
  const life = createDeadline(() => client.terminate());

  const client = createClient({
    url,
    webSocketImpl,
    // Between two pages of an app there may be no subscription for a moment.
    lazyCloseTimeout: 1_000,
    /** Called for each attempt. It never throws, for graphql-ws would then close a second time, in the next attempt. */
    async connectionParams() {
      const before = await credentials.current();
      if (before && before.accessToken === refusedToken) await credentials.renew(refusedToken).catch(() => {});
      usedToken = (await credentials.current())?.accessToken;
      return { authorization: `Bearer ${usedToken}` };
    },
    retryAttempts: Infinity,
    shouldRetry: () => !isDisposed,
    async retryWait(retries) {
      if (!isUrgent) await waiting.backOff(retries);
      isUrgent = false;
    },
    keepAlive: tuning.pingEveryMs,
    on: {
      connecting() {
        attemptAt = Date.now();
        life.expect(tuning.connectMs);
      },
      connected(socket) {
        attemptAt = undefined;
        standing = socket as WebSocket;
        life.seen();
        connection.set((connections += 1));
      },
      ping: (isReceived) => void (isReceived || life.expect(tuning.pongMs)),
      message: () => life.extend(),
      pong: (isReceived) => void (isReceived && life.seen()),
      error: lost,
      closed(event) {
        const { code } = event as { code?: number };
        if (code !== undefined && REFUSED.has(code)) refusedToken = usedToken;
        lost();
      },
    },
  });

  function lost() {
    attemptAt = undefined;
    standing = undefined;
    life.seen();
    connection.set(null);
  }

  return {
    client,
    connection,
    kick() {
      waiting.wake();
      if (standing?.readyState === 1) {
        standing.send('{"type":"ping"}');
        life.expect(tuning.probeMs);
      } else if (attemptAt !== undefined && Date.now() - attemptAt > tuning.probeMs) {
        isUrgent = true;
        client.terminate();
      }
    },
    drop: () => client.terminate(),
    dispose() {
      isDisposed = true;
      waiting.wake();
      life.seen();
      // It waits for the connection that is ended here.
      Promise.resolve(client.dispose()).catch(() => {});
      client.terminate();
    },
  };
}

/** Runs when a sign of life is expected and none comes in time. */
function createDeadline(onMissed: () => void) {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let patienceMs = 0;

  function expect(ms: number) {
    clearTimeout(timer);
    patienceMs = ms;
    timer = setTimeout(() => {
      timer = undefined;
      onMissed();
    }, ms);
  }

  return {
    expect,
    /** Something came, if not what was asked for: it may be stuck behind a long answer. */
    extend() {
      if (timer !== undefined) expect(patienceMs);
    },
    seen() {
      clearTimeout(timer);
      timer = undefined;
    },
  };
}
