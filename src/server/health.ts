import type { IncomingMessage, ServerResponse } from 'node:http';
import type { BrokerStatus } from '../realtime/broker.ts';

export interface Health {
  /** Answers a probe; false when the path is none. */
  handle(path: string | undefined, request: IncomingMessage, response: ServerResponse): boolean;
  /** From now on the node is not ready: no new work is wanted. */
  drain(): void;
}

export interface HealthOptions {
  /** Rejects when the database cannot be asked. */
  pingDatabase: () => Promise<unknown>;
  brokerStatus: () => BrokerStatus;
}

const PROBE_TIMEOUT_MS = 1_000;
/** Anybody may ask as often as they like: for so long they are told what the first was. */
const PING_LASTS_MS = 1_000;

/**
 * `/livez` says that the event loop turns. `/readyz` says whether work should come here: not without the database, and
 * still without the broker, which costs time alone.
 */
export function createHealth({ pingDatabase, brokerStatus }: HealthOptions): Health {
  let draining = false;
  let ping: { at: number; database: Promise<'up' | 'down'> } | undefined;

  function askDatabase(): Promise<'up' | 'down'> {
    const now = performance.now();
    if (ping && now - ping.at < PING_LASTS_MS) return ping.database;
    const database = withTimeout(pingDatabase()).then(
      () => 'up' as const,
      () => 'down' as const,
    );
    ping = { at: now, database };
    return database;
  }

  async function probe() {
    return { database: await askDatabase(), broker: brokerStatus() === 'up' ? 'up' : 'degraded', draining };
  }

  return {
    handle(path, request, response) {
      if (path !== '/livez' && path !== '/readyz') return false;
      if (request.method !== 'GET' && request.method !== 'HEAD') {
        response.writeHead(405, { allow: 'GET, HEAD' }).end();
        return true;
      }
      if (path === '/livez') {
        response.writeHead(200, { 'content-type': 'application/json' }).end('{"status":"live"}');
        return true;
      }
      void probe().then((state) => {
        const ready = state.database === 'up' && !state.draining;
        response.writeHead(ready ? 200 : 503, { 'content-type': 'application/json', 'cache-control': 'no-store' });
        response.end(JSON.stringify({ status: ready ? 'ready' : 'not ready', ...state }));
      });
      return true;
    },

    drain() {
      draining = true;
    },
  };
}

async function withTimeout<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('no answer in time')), PROBE_TIMEOUT_MS);
  });
  try {
    return await Promise.race([work, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
