import type { Redis } from 'ioredis';
import { createRedisLink } from './redis-link.ts';
import type { RedisLinkOptions } from './redis-link.ts';

/** So that no single command grows with the number of open chats. */
const CHANNELS_PER_COMMAND = 1_000;

interface Channel {
  /** Redis has acknowledged it on the present connection. */
  live: boolean;
  readonly waiting: Set<() => void>;
}

/**
 * The subscribing connection. It keeps what Redis has subscribed equal to what is wanted, whatever happens to the
 * connection meanwhile.
 */
export interface RedisChannels {
  /**
   * What RedisPubSub takes for its subscriber client. It acknowledges at once and never fails: RedisPubSub would cache
   * a failed SUBSCRIBE, leave the rejection of an UNSUBSCRIBE to nobody, and give no id to close while one is pending.
   */
  readonly client: Redis;
  isUp: () => boolean;
  /** Calls back once hints on a wanted channel arrive; returns how to call that off. */
  whenLive(name: string, callback: () => void): () => void;
  close(): Promise<void>;
}

export function createRedisChannels({ urls, onUp, onDown }: Omit<RedisLinkOptions, 'prepare'>): RedisChannels {
  const wanted = new Map<string, Channel>();
  let session: object | null = null;

  const link = createRedisLink({
    urls,
    prepare: subscribeAll,
    onUp,
    onDown(reason) {
      session = null;
      for (const channel of wanted.values()) channel.live = false;
      onDown(reason);
    },
  });

  async function subscribeAll(): Promise<void> {
    session = {};
    const entries = [...wanted];
    const commands: Promise<void>[] = [];
    for (let i = 0; i < entries.length; i += CHANNELS_PER_COMMAND) {
      commands.push(subscribeTo(entries.slice(i, i + CHANNELS_PER_COMMAND)));
    }
    await Promise.all(commands);
  }

  async function subscribeTo(entries: [string, Channel][]): Promise<void> {
    const mine = session;
    await link.client.subscribe(...entries.map(([name]) => name));
    if (mine !== session) return;
    for (const [name, channel] of entries) {
      // Closed and wanted again meanwhile: that is another SUBSCRIBE, behind an UNSUBSCRIBE.
      if (wanted.get(name) !== channel) continue;
      channel.live = true;
      for (const callback of channel.waiting) callback();
      channel.waiting.clear();
    }
  }

  // Redis runs a connection's commands in order, so the last word about a channel is what it ends up with. A command
  // that fails leaves that in doubt: a new connection, with all channels subscribed anew, settles it.
  const dropOnFailure = (error: Error): void => link.drop(error.message);

  const client = {
    on: (event: string, listener: (...args: unknown[]) => void) => link.client.on(event, listener),
    subscribe(name: string, acknowledge: (error: null) => void) {
      const channel: Channel = { live: false, waiting: new Set() };
      wanted.set(name, channel);
      if (session) subscribeTo([[name, channel]]).catch(dropOnFailure);
      acknowledge(null);
    },
    unsubscribe(name: string) {
      wanted.delete(name);
      if (session) link.client.unsubscribe(name).catch(dropOnFailure);
    },
    punsubscribe() {},
  };

  return {
    client: client as unknown as Redis,
    isUp: link.isUp,
    whenLive(name, callback) {
      const channel = wanted.get(name);
      if (channel?.live) callback();
      else channel?.waiting.add(callback);
      return () => channel?.waiting.delete(callback);
    },
    close() {
      session = null;
      wanted.clear();
      return link.close();
    },
  };
}
