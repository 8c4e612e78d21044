import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Aggregator, GaugeConfiguration } from 'prom-client';
import { ERROR_CODES } from '../errors.ts';
import type { Metrics, Readings } from './metrics.ts';

export interface Prometheus {
  metrics: Metrics;
  registry: Registry;
}

/** A hint takes milliseconds, the sweep up to a second; promise 3 ends at two. */
const LAG_BUCKETS_S = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30];

/**
 * Keeps the figures for Prometheus. What is told is counted in integers, and put into the library's counters when
 * somebody reads: those look a label up by its text.
 */
export function createPrometheus(): Prometheus {
  const registry = new Registry();
  // Node's own, under the names that dashboards know: process_…, nodejs_…
  collectDefaultMetrics({ register: registry });
  const counter = createCounters(registry);
  const readings: Partial<Readings> = {};
  createGauges(registry, readings);

  const requests = counter(
    'parley_requests_total',
    'Requests to the API by transport and outcome: the class of the HTTP status, an event stream when it ends; ' +
      'of an operation on a socket, whether it began to run.',
    ['transport', 'outcome'],
    ['http 2xx', 'http 4xx', 'http 5xx', 'sse 2xx', 'ws started', 'ws refused'],
  );
  const operations = counter(
    'parley_operations_total',
    'Operations that began to run, by type.',
    ['type'],
    ['query', 'mutation', 'subscription'],
  );
  const errors = counter(
    'parley_errors_total',
    'Errors that clients were given, by extensions.code.',
    ['code'],
    ERROR_CODES,
  );
  const deliveries = counter(
    'parley_deliveries_total',
    'Events handed to subscribers: shared, one answer for all who asked the same, or own.',
    ['way'],
    ['shared', 'own'],
  );
  const healed = counter(
    'parley_hint_losses_healed_total',
    'Times the sweep found a change of which no hint and no commit of this node had told, by kind of feed.',
    ['feed'],
    ['chat', 'user'],
  );
  const messages = counter('parley_messages_sent_total', 'Messages that were committed here.');
  const failedSweeps = counter('parley_sweep_failures_total', 'Rounds of the sweep in which a task failed.');
  const slowSockets = counter(
    'parley_slow_sockets_closed_total',
    'Sockets and HTTP clients that took nothing, cut off.',
  );
  const lag = new Histogram({
    name: 'parley_feed_lag_seconds',
    help:
      'From the createdAt of a message, by the clock of the database, until this node has it for its subscribers; ' +
      'one observation for each message of a chat that somebody here listens to.',
    buckets: LAG_BUCKETS_S,
    registers: [registry],
  });
  const subscriptions = new Map<string, number>();
  gauge(registry, {
    name: 'parley_subscriptions_open',
    help: 'Subscriptions under way, by field.',
    labelNames: ['field'],
    collect() {
      for (const [field, count] of subscriptions) this.set({ field }, count);
    },
  });

  return {
    registry,
    metrics: {
      requestAnswered: (transport, outcome) => requests(`${transport} ${outcome}`),
      operationStarted: (type) => operations(type),
      errorPresented: (code) => errors(code),
      subscriptionOpened: (field) => void subscriptions.set(field, (subscriptions.get(field) ?? 0) + 1),
      subscriptionClosed: (field) => void subscriptions.set(field, subscriptions.get(field)! - 1),
      messageSent: () => messages(''),
      delivered: (way, count) => deliveries(way, count),
      // Two clocks never agree quite.
      reachedFeed: (sentAt) => lag.observe(Math.max(0, Date.now() - sentAt.getTime()) / 1000),
      hintLossHealed: (feed) => healed(feed),
      sweepFailed: () => failedSweeps(''),
      slowSocketClosed: () => slowSockets(''),
      observe: (more) => void Object.assign(readings, more),
    },
  };
}

/** Adds to one of a counter's values: the values of its labels, with spaces between. */
type Add = (values: string, count?: number) => void;

function createCounters(registry: Registry) {
  /** @param known those that are shown before they are met, so that the first one is a rise. */
  return (name: string, help: string, labelNames: readonly string[] = [], known: readonly string[] = ['']): Add => {
    const cells = new Map(known.map((values) => [values, { count: 0 }]));
    const metric = new Counter({
      name,
      help,
      labelNames,
      registers: [registry],
      collect() {
        metric.reset();
        for (const [text, { count }] of cells) {
          const values = text.split(' ');
          metric.inc(Object.fromEntries(labelNames.map((label, nth) => [label, values[nth]!])), count);
        }
      },
    });
    return (values, count = 1) => {
      const cell = cells.get(values);
      if (cell) cell.count += count;
      else cells.set(values, { count });
    };
  };
}

function createGauges(registry: Registry, readings: Partial<Readings>): void {
  const single = (name: string, help: string, read: () => number | undefined, aggregator: Aggregator = 'sum') =>
    gauge(registry, {
      name,
      help,
      aggregator,
      collect() {
        const value = read();
        if (value === undefined) this.remove();
        else this.set(value);
      },
    });

  single('parley_sockets_open', 'WebSockets that are open.', () => readings.socketsOpen?.());
  single('parley_connections_open', 'Live connections of signed-in people: sockets and event streams.', () =>
    readings.connectionsOpen?.(),
  );
  single(
    'parley_broker_up',
    '1: hints flow. 0: Redis is away, and changes wait for the sweep.',
    () => {
      const isUp = readings.isBrokerUp?.();
      return isUp === undefined ? undefined : Number(isUp);
    },
    'min',
  );
  gauge(registry, {
    name: 'parley_database_connections',
    help: 'Connections to PostgreSQL by state: in_use or idle.',
    labelNames: ['state'],
    collect() {
      const pool = readings.databasePool?.();
      if (!pool) return;
      this.set({ state: 'in_use' }, pool.inUse);
      this.set({ state: 'idle' }, pool.idle);
    },
  });
  single('parley_database_waiting', 'Statements that wait for a connection.', () => readings.databasePool?.()?.waiting);
  gauge(registry, {
    name: 'parley_passwords',
    help: 'Passwords that are hashed or compared by state: running or waiting for their turn.',
    labelNames: ['state'],
    collect() {
      const queue = readings.passwordQueue?.();
      if (!queue) return;
      this.set({ state: 'running' }, queue.running);
      this.set({ state: 'waiting' }, queue.waiting);
    },
  });
}

function gauge<Label extends string>(registry: Registry, configuration: GaugeConfiguration<Label>): void {
  void new Gauge({ aggregator: 'sum', ...configuration, registers: [registry] });
}
