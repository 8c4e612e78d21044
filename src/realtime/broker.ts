/**
 * What travels between nodes: the number that something has reached. Never content, so that a lost, late, doubled or
 * forged hint can neither leak nor break anything: whoever hears it reads the database.
 */
export interface Hint {
  /** The counter's value: a chat's or a person's revision. A non-negative safe integer. */
  revision: number;
}

export type HintListener = (hint: Hint) => void;

export type BrokerStatus = 'up' | 'down';

export interface BrokerSubscription {
  /** Settles once hints published from now on arrive. Never rejects: while the broker is away it stays pending. */
  readonly ready: Promise<void>;
  /** Stops the listener at once. Idempotent; never throws, also while the broker is away. */
  close(): void;
}

/**
 * Carries hints between the nodes of one deployment.
 *
 * Guarantees: a hint reaches each listener of its topic at most once, at any time, in any order; it may be lost
 * whenever the broker or a link to it fails, and nobody is told. Of those that are published for a topic at once, all
 * but the highest may be left out. What arrives is well-formed: anything else is dropped, and logged at most once a
 * second. A listener that throws stops no other listener.
 */
export interface Broker {
  /** Fire and forget: returns at once, never throws, keeps nothing while the broker is away. */
  publish(topic: string, hint: Hint): void;
  subscribe(topic: string, listener: HintListener): BrokerSubscription;
  /** Called each time the broker has come back: everything published meanwhile may have been missed. */
  onReconnect(listener: () => void): void;
  status(): BrokerStatus;
  /** Frees every subscription and connection. Never rejects. */
  close(): Promise<void>;
}
