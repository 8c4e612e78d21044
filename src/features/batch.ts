import type { Shares } from './shares.ts';

/** What is asked for, and for whom. */
export interface Ask<Key, By extends { person: string }> {
  key: Key;
  by: By;
}

interface Waiting<Key, By extends { person: string }, Value> extends Ask<Key, By> {
  resolve: (value: Value) => void;
  reject: (error: unknown) => void;
}

export interface BatchOptions<Key, By extends { person: string }, Value> {
  shares: Shares;
  /** Of one statement. */
  maxAsks: number;
  /** One value for each, in their order. */
  read: (asks: ReadonlyArray<Ask<Key, By>>) => Promise<Value[]>;
}

/**
 * Reads in one statement what everybody asks for while the node reads what its sockets have brought; it begins after
 * that. Who has their share of statements under way waits with what they ask for, and nobody waits with them.
 * Nothing is kept: a mutation or an event never shows what was true before it.
 */
export class Batch<Key, By extends { person: string }, Value> {
  readonly #options: BatchOptions<Key, By, Value>;
  readonly #waiting = new Map<string, Array<Waiting<Key, By, Value>>>();
  #isScheduled = false;

  constructor(options: BatchOptions<Key, By, Value>) {
    this.#options = options;
  }

  load(key: Key, by: By): Promise<Value> {
    return new Promise((resolve, reject) => {
      const ask = { key, by, resolve, reject };
      const standing = this.#waiting.get(by.person);
      if (standing) standing.push(ask);
      else this.#waiting.set(by.person, [ask]);
      this.#schedule();
    });
  }

  readonly #schedule = (): void => {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      for (let asks = this.#take(); asks.length > 0; asks = this.#take()) void this.#read(asks);
    });
  };

  /** Of those who have room. */
  #take(): Array<Waiting<Key, By, Value>> {
    const { shares, maxAsks } = this.#options;
    const taken: Array<Waiting<Key, By, Value>> = [];
    for (const [person, asks] of this.#waiting) {
      if (taken.length === maxAsks) break;
      if (shares.isFull(person)) shares.onRoom(person, this.#schedule);
      else {
        taken.push(...asks.splice(0, maxAsks - taken.length));
        if (asks.length === 0) this.#waiting.delete(person);
      }
    }
    return taken;
  }

  async #read(asks: ReadonlyArray<Waiting<Key, By, Value>>): Promise<void> {
    const { shares, read } = this.#options;
    const people = new Set(asks.map(({ by }) => by.person));
    shares.begin(people);
    try {
      const values = await read(asks);
      asks.forEach(({ resolve }, nth) => resolve(values[nth]!));
    } catch (error) {
      for (const { reject } of asks) reject(error);
    } finally {
      shares.end(people);
    }
  }
}
