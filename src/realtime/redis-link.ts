import { Redis } from 'ioredis';

/** A command without an answer for this long means that the connection is dead, whatever TCP says. */
const ANSWER_WITHIN_MS = 5_000;
const PING_EVERY_MS = 5_000;
const SHORTEST_RETRY_MS = 50;
const LONGEST_RETRY_MS = 1_000;
/** For the peer's FIN, after ours. A paused or unreachable Redis sends none. */
const GOODBYE_WITHIN_MS = 300;

export interface RedisLinkOptions {
  /** One server, or several nodes of one cluster, tried in turn. User, password and TLS are the same for all. */
  urls: string[];
  /** Runs on each new connection, which counts as up once this resolves, and is dropped when it rejects. */
  prepare?: () => Promise<void>;
  onUp: () => void;
  /** Called at least once each time the link goes down, and for each failed attempt to get it up. */
  onDown: (reason: string) => void;
}

/** One connection to Redis that is made again for ever, and that finds out within 11 s when the other side is gone. */
export interface RedisLink {
  readonly client: Redis;
  isUp: () => boolean;
  /** Gives the present connection up for a new one. */
  drop: (reason: string) => void;
  /** Never rejects; at most 0.5 s. */
  close(): Promise<void>;
}

export function createRedisLink({ urls, prepare, onUp, onDown }: RedisLinkOptions): RedisLink {
  const nodes = createRotation(urls);
  let connection: { up: boolean } | null = null;
  let failures = 0;
  let lastError = '';
  let closed = false;

  // Nothing is queued, resent or resubscribed behind our back: what was in flight when a connection ends, fails.
  const client = new Redis(nodes.current(), {
    enableOfflineQueue: false,
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    commandTimeout: ANSWER_WITHIN_MS,
    connectTimeout: ANSWER_WITHIN_MS,
    disconnectTimeout: GOODBYE_WITHIN_MS,
    disableClientInfo: true,
    retryStrategy: () => {
      if (urls.length > 1) Object.assign(client.options, addressOf(nodes.next()));
      const delay = Math.min(LONGEST_RETRY_MS, SHORTEST_RETRY_MS * 2 ** failures);
      failures += 1;
      return delay * (0.75 + Math.random() / 4);
    },
  });

  function lost(reason: string): void {
    connection = null;
    if (!closed) onDown(lastError || reason);
  }

  function drop(reason: string): void {
    if (!connection) return;
    lost(reason);
    client.disconnect(true);
  }

  // The message alone: ioredis hangs the failed command on the error, and that of AUTH holds the password.
  client.on('error', (error: Error) => (lastError = error.message));
  client.on('close', () => lost('connection closed'));
  client.on('ready', () => {
    const mine = { up: false };
    connection = mine;
    // Ready is not enough: ioredis says so also after a refused AUTH, when the default user needs no password.
    Promise.all([client.ping(), prepare?.()]).then(
      () => {
        if (mine !== connection) return;
        mine.up = true;
        lastError = '';
        onUp();
      },
      (error: Error) => mine === connection && drop(error.message),
    );
  });

  const pinging = setInterval(() => {
    const mine = connection;
    if (!mine?.up) return;
    client.ping().then(
      // Only now: a connection that dies as soon as it is made must not be made again twenty times a second.
      () => (failures = 0),
      () => mine === connection && drop('no answer to PING'),
    );
  }, PING_EVERY_MS);

  return {
    client,
    isUp: () => connection?.up ?? false,
    drop,
    async close() {
      closed = true;
      connection = null;
      clearInterval(pinging);
      const isOver = client.status === 'reconnecting' || client.status === 'end';
      const ended = isOver || new Promise((resolve) => client.once('end', resolve));
      client.disconnect();
      await ended;
    },
  };
}

/** Starts anywhere, so that the nodes of a deployment spread over the nodes of the cluster. */
function createRotation(urls: string[]) {
  let position = Math.floor(Math.random() * urls.length);
  const current = (): string => urls[position % urls.length]!;
  const next = (): string => {
    position += 1;
    return current();
  };
  return { current, next };
}

function addressOf(url: string): { host: string; port: number } {
  const { hostname, port } = new URL(url);
  return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) || 6379 };
}
