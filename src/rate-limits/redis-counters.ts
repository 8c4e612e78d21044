import { Cluster, Redis } from 'ioredis';
import type { Logger } from '../logger.ts';

/** Nobody waits longer than this for Redis to count. */
const ANSWER_WITHIN_MS = 200;
/** After which Redis is left in peace, so that not everybody waits in turn for one that is slow. */
const PAUSE_MS = 2_000;
/** Silence for this long while an answer is due means that the connection is dead, whatever TCP says. */
const SILENT_AFTER_MS = 2_000;
const CONNECT_WITHIN_MS = 5_000;
const RETRY_MS = 1_000;

/** The Redis in which all nodes count together. */
export interface RedisCounters {
  readonly client: Redis | Cluster;
  /** What Redis answers to the question or, while it is down, slow or silent, what there is otherwise. */
  ask<T>(question: () => Promise<T>, otherwise: () => Promise<T>): Promise<T>;
  close(): void;
}

/**
 * Connects in the background, for ever.
 *
 * @param urls one server, or several nodes of one cluster. User, password and TLS are the same for all.
 */
export function connectRedisCounters(urls: readonly string[], logger: Logger): RedisCounters {
  const client = connect(urls);
  let pausedUntil = 0;
  let away = false;

  function failed(error: unknown): void {
    pausedUntil = performance.now() + PAUSE_MS;
    if (away) return;
    away = true;
    // The message alone: ioredis hangs the command on the error.
    const { message: reason } = error as Error;
    logger.warn({ reason }, 'Redis is away: each node limits rates on its own until it is back');
  }

  client.on('error', failed);
  return {
    client,
    async ask(question, otherwise) {
      if (client.status !== 'ready' || performance.now() < pausedUntil) return otherwise();
      try {
        const answer = await soon(question());
        away = false;
        return answer;
      } catch (error) {
        failed(error);
        return otherwise();
      }
    },
    close: () => client.disconnect(),
  };
}

/** Rejects when it takes too long; not when it is this process that was too busy to see that the answer has come. */
async function soon<T>(answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const giveUp = () => reject(new Error(`no answer within ${ANSWER_WITHIN_MS} ms`));
    // Whatever has come is read between the timers and the immediates.
    timer = setTimeout(() => setImmediate(giveUp), ANSWER_WITHIN_MS);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}

function connect(urls: readonly string[]): Redis | Cluster {
  const options = {
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    socketTimeout: SILENT_AFTER_MS,
    connectTimeout: CONNECT_WITHIN_MS,
    disableClientInfo: true,
  };
  const [first] = urls as [string];
  if (urls.length === 1) return new Redis(first, { ...options, retryStrategy: () => RETRY_MS });
  const { protocol, username, password } = new URL(first);
  return new Cluster([...urls], {
    enableOfflineQueue: false,
    clusterRetryStrategy: () => RETRY_MS,
    // What the nodes that it is told of by others are reached with.
    redisOptions: {
      ...options,
      ...(username && { username: decodeURIComponent(username) }),
      ...(password && { password: decodeURIComponent(password) }),
      ...(protocol === 'rediss:' && { tls: {} }),
    },
  });
}
