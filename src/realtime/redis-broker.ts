import { RedisPubSub } from 'graphql-redis-subscriptions';
import type { Logger } from '../logger.ts';
import type { Broker, Hint } from './broker.ts';
import { createDelivery } from './delivery.ts';
import { parseHint, toHint } from './hint.ts';
import { createRedisChannels } from './redis-channels.ts';
import { createRedisLink } from './redis-link.ts';
import { createSparingLog } from '../sparing-log.ts';

/** Hints that Redis has not answered yet. Past it they are lost, rather than kept for a Redis that has stalled. */
const MAX_IN_FLIGHT = 5_000;

export interface RedisBrokerOptions {
  /** One server, or several nodes of one cluster: SUBSCRIBE and PUBLISH reach the whole cluster from any of them. */
  urls: string[];
  /** In front of every topic, so that deployments can share a Redis. */
  prefix: string;
  logger: Logger;
}

/** Carries hints between processes. Returns at once; while Redis is away the status is 'down' and it keeps trying. */
export function createRedisBroker({ urls, prefix, logger }: RedisBrokerOptions): Broker {
  const reconnectListeners: (() => void)[] = [];
  const deliver = createDelivery(logger);
  let away = false;
  /** By channel, until the end of this round of the event loop. */
  let gathered = new Map<string, Hint>();
  let inFlight = 0;
  let closed = false;

  const onUp = (): void => {
    if (!away || !isUp()) return;
    away = false;
    logger.info('Redis is back');
    for (const listener of reconnectListeners) {
      try {
        listener();
      } catch (err) {
        logger.error({ err }, 'A reconnect listener threw');
      }
    }
  };
  const onDown = (reason: string): void => {
    if (away) return;
    away = true;
    logger.warn({ reason }, 'Redis is away: live updates wait for the database until it is back');
  };

  const publisher = createRedisLink({ urls, onUp, onDown });
  const channels = createRedisChannels({ urls, onUp, onDown });
  const isUp = (): boolean => publisher.isUp() && channels.isUp();

  const logMalformed = createSparingLog((channel: string, heldBack) => {
    logger.warn({ channel, heldBack }, 'Dropped a malformed hint');
  });
  const pubsub = new RedisPubSub({
    publisher: publisher.client,
    subscriber: channels.client,
    // Buffers, so that ten megabytes of nonsense are not decoded before they are thrown away.
    messageEventName: 'messageBuffer',
    pmessageEventName: 'pmessageBuffer',
    deserializer(message, { channel }) {
      const hint = parseHint(message as Buffer);
      if (!hint) logMalformed(channel);
      return hint;
    },
  });

  /**
   * In one write: what shares a commit is announced at once. Not by a pipeline of ioredis, whose `length` is an accessor
   * of each: V8 puts those among what is old, and from there the whole of it is kept from the quick collection of garbage.
   */
  function publishGathered(): void {
    const hints = gathered;
    gathered = new Map();
    if (!publisher.isUp()) return;
    const { client } = publisher;
    const answered = (): void => void (inFlight -= 1);
    inFlight += hints.size;
    client.stream.cork();
    for (const [channel, hint] of hints) client.publish(channel, JSON.stringify(hint)).then(answered, answered);
    client.stream.uncork();
  }

  return {
    publish(topic, published) {
      const hint = toHint(published);
      if (!hint || !publisher.isUp() || inFlight + gathered.size >= MAX_IN_FLIGHT) return;
      if (gathered.size === 0) setImmediate(publishGathered);
      const channel = prefix + topic;
      if (hint.revision >= (gathered.get(channel)?.revision ?? 0)) gathered.set(channel, hint);
    },

    subscribe(topic, listener) {
      const channel = prefix + topic;
      let open = true;
      const id = pubsub.subscribe<Hint | null>(channel, (hint) => {
        if (hint && open && !closed) deliver(topic, listener, hint);
      });
      let stopWaiting = (): void => {};
      const ready = new Promise<void>((resolve) => (stopWaiting = channels.whenLive(channel, resolve)));
      return {
        ready,
        close() {
          // RedisPubSub counts the listeners of a channel and does not notice one that leaves twice.
          if (!open) return;
          open = false;
          stopWaiting();
          void id.then((subscription) => pubsub.unsubscribe(subscription));
        },
      };
    },

    onReconnect(listener) {
      reconnectListeners.push(listener);
    },

    status: () => (isUp() ? 'up' : 'down'),

    async close() {
      closed = true;
      await Promise.all([publisher.close(), channels.close()]);
    },
  };
}
