import type { ErrorCode } from '../errors.ts';

export type Transport = 'http' | 'sse' | 'ws';

/** By its HTTP status; an operation on a socket began to run, or was refused before; the client went away. */
export type RequestOutcome = '2xx' | '3xx' | '4xx' | '5xx' | 'started' | 'refused' | 'aborted';

/** `shared`: one answer for all who asked the same. `own`: read and answered for one subscriber. */
export type DeliveryWay = 'shared' | 'own';

export interface PoolUse {
  inUse: number;
  idle: number;
  /** Who waits for a connection. */
  waiting: number;
}

export interface QueueLength {
  running: number;
  waiting: number;
}

/** What is counted elsewhere already, and read when somebody asks. None of it may take long, or throw. */
export interface Readings {
  socketsOpen(): number;
  /** Of signed-in people: sockets that were acknowledged, and event streams. */
  connectionsOpen(): number;
  /** Null: the database has no pool. */
  databasePool(): PoolUse | null;
  passwordQueue(): QueueLength;
  isBrokerUp(): boolean;
}

/**
 * What the rooms of the server tell its operators. Guarantees: a call costs an addition or little more, never throws,
 * and keeps nothing of what it is told but numbers. What becomes a label comes from a closed set: never an id, an
 * address, or a name that a client chose.
 */
export interface Metrics {
  requestAnswered(transport: Transport, outcome: RequestOutcome): void;
  operationStarted(type: 'query' | 'mutation' | 'subscription'): void;
  errorPresented(code: ErrorCode): void;
  /** @param field as the schema calls it. */
  subscriptionOpened(field: string): void;
  subscriptionClosed(field: string): void;
  /** It was committed here; not one that stood already. */
  messageSent(): void;
  /** So many events were handed to subscribers. */
  delivered(way: DeliveryWay, count: number): void;
  /** A message came into this node's feed of its chat, for those who listen. @param sentAt the message's `createdAt`. */
  reachedFeed(sentAt: Date): void;
  /** The sweep found what neither a hint nor a commit of this node had told of. */
  hintLossHealed(feed: 'chat' | 'user'): void;
  sweepFailed(): void;
  slowSocketClosed(): void;
  /** From now on these are read, too. */
  observe(readings: Partial<Readings>): void;
}

/** Nobody asks. */
export const NO_METRICS: Metrics = {
  requestAnswered() {},
  operationStarted() {},
  errorPresented() {},
  subscriptionOpened() {},
  subscriptionClosed() {},
  messageSent() {},
  delivered() {},
  reachedFeed() {},
  hintLossHealed() {},
  sweepFailed() {},
  slowSocketClosed() {},
  observe() {},
};
