import type { Logger } from '../logger.ts';
import type { Broker, HintListener } from './broker.ts';
import { createDelivery } from './delivery.ts';
import { toHint } from './hint.ts';

interface Subscriber {
  readonly listener: HintListener;
}

/** Carries hints within one process: for development, tests, and a deployment of one node. */
export function createMemoryBroker(logger: Logger): Broker {
  const topics = new Map<string, Set<Subscriber>>();
  const deliver = createDelivery(logger);
  let closed = false;

  return {
    publish(topic, published) {
      const hint = toHint(published);
      if (!hint || !topics.has(topic)) return;
      // A later tick, as over Redis: a listener never runs inside the publisher's call.
      setImmediate(() => {
        for (const { listener } of topics.get(topic) ?? []) deliver(topic, listener, hint);
      });
    },

    subscribe(topic, listener) {
      if (closed) return { ready: new Promise(() => {}), close() {} };
      const subscriber: Subscriber = { listener };
      const subscribers = topics.get(topic) ?? new Set();
      topics.set(topic, subscribers.add(subscriber));
      return {
        ready: Promise.resolve(),
        close() {
          subscribers.delete(subscriber);
          if (subscribers.size === 0 && topics.get(topic) === subscribers) topics.delete(topic);
        },
      };
    },

    onReconnect() {},

    status: () => (closed ? 'down' : 'up'),

    close() {
      closed = true;
      for (const subscribers of topics.values()) subscribers.clear();
      topics.clear();
      return Promise.resolve();
    },
  };
}
