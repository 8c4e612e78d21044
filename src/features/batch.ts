import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Shares } from './shares.ts';

/** What is asked for, and for whom. */
export interface Ask<Key, By extends { person: string }> {
  key: Key;
  by: By;
}

interface Waiting<Key, By extends { person: string }, Value> extends Ask<Key, By> {
  name: string;
  /** How often it was asked. */
  times: number;
  answer: Promise<Value>;
  resolve: (value: Value) => void;
  reject: (error: unknown) => void;
}

export interface BatchOptions<Key, By extends { person: string }, Value> {
  shares: Shares;
  /** Of one statement. */
  maxAsks: number;
  /** Equal keys have one name. */
  nameOf: (key: Key) => string;
  /** One value for each, in their order. */
  read: (asks: ReadonlyArray<Ask<Key, By>>) => Promise<Value[]>;
}

/** Of a statement, so many answers are told before the node reads its sockets again. */
const ANSWERS_AT_ONCE = 1_000;

/**
 * Reads in one statement what everybody asks for while the node reads what its sockets have brought; it begins after
 * that. Who has their share of statements under way waits with what they ask for, and nobody waits with them. What an
 * operation asks for again while it waits is asked for once. Nothing is kept: a mutation or an event never shows what
 * was true before it.
 */
export class Batch<Key, By extends { person: string }, Value> {
  readonly #options: BatchOptions<Key, By, Value>;
  #waiting = new Map<string, Array<Waiting<Key, By, Value>>>();
  /** What of that each has asked for, by its name. */
  #standing = new Map<By, Map<string, Waiting<Key, By, Value>>>();
  #isScheduled = false;

  constructor(options: BatchOptions<Key, By, Value>) {
    this.#options = options;
  }

  load(key: Key, by: By): Promise<Value> {
    const name = this.#options.nameOf(key);
    let own = this.#standing.get(by);
    if (!own) this.#standing.set(by, (own = new Map()));
    let ask = own.get(name);
    if (ask) ask.times += 1;
    else {
      own.set(name, (ask = begin(key, by, name)));
      const waiting = this.#waiting.get(by.person);
      if (waiting) waiting.push(ask);
      else this.#waiting.set(by.person, [ask]);
      this.#schedule();
    }
    return ask.answer;
  }

  readonly #schedule = (): void => {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      for (let asks = this.#take(); asks.length > 0; asks = this.#take()) void this.#read(asks);
    });
  };

  /**
   * Of those who have room. What stays is put into a new Map: in one through which thousands pass, tables that it has
   * outgrown keep what they held from the quick collection of garbage.
   */
  #take(): Array<Waiting<Key, By, Value>> {
    const { shares, maxAsks } = this.#options;
    const taken: Array<Waiting<Key, By, Value>> = [];
    const left = new Map<string, Array<Waiting<Key, By, Value>>>();
    for (const [person, asks] of this.#waiting) {
      if (shares.isFull(person)) shares.onRoom(person, this.#schedule);
      else taken.push(...asks.splice(0, maxAsks - taken.length));
      if (asks.length > 0) left.set(person, asks);
    }
    this.#waiting = left;
    if (left.size === 0) this.#standing = new Map();
    else for (const ask of taken) this.#forget(ask);
    return taken;
  }

  #forget({ by, name }: Waiting<Key, By, Value>): void {
    const own = this.#standing.get(by)!;
    own.delete(name);
    if (own.size === 0) this.#standing.delete(by);
  }

  async #read(asks: ReadonlyArray<Waiting<Key, By, Value>>): Promise<void> {
    const { shares, read } = this.#options;
    const people = new Set(asks.map(({ by }) => by.person));
    shares.begin(people);
    try {
      const values = await read(asks);
      let told = 0;
      for (const [nth, { resolve, times }] of asks.entries()) {
        if (told > 0 && told + times > ANSWERS_AT_ONCE) {
          await nextTurn();
          told = 0;
        }
        resolve(values[nth]!);
        told += times;
      }
    } catch (error) {
      for (const { reject } of asks) reject(error);
    } finally {
      shares.end(people);
    }
  }
}

function begin<Key, By extends { person: string }, Value>(key: Key, by: By, name: string): Waiting<Key, By, Value> {
  const ask = { key, by, name, times: 1 } as Waiting<Key, By, Value>;
  ask.answer = new Promise((resolve, reject) => {
    ask.resolve = resolve;
    ask.reject = reject;
  });
  return ask;
}
