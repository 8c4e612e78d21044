/** How much of a feed stays in memory for its subscribers; who is further behind reads the database. */
export const TAIL_LENGTH = 256;

/** The newest part of a list whose keys ascend: everything with a key above `start`, up to `end`. */
export class Tail<Item> {
  readonly #keyOf: (item: Item) => number;
  #items: Item[] = [];
  #start: number;
  #end: number;

  constructor(position: number, keyOf: (item: Item) => number) {
    this.#keyOf = keyOf;
    this.#start = position;
    this.#end = position;
  }

  get end(): number {
    return this.#end;
  }

  /** Takes items that ascend and leave nothing out up to `end`; those already here are dropped. */
  append(items: readonly Item[], end: number): void {
    for (const item of items) if (this.#keyOf(item) > this.#end) this.#items.push(item);
    this.#end = Math.max(this.#end, end);
    // Cutting in large steps makes the cost of each item constant.
    if (this.#items.length > 2 * TAIL_LENGTH) {
      const kept = this.#items.length - TAIL_LENGTH;
      this.#start = this.#keyOf(this.#items[kept - 1]!);
      this.#items = this.#items.slice(kept);
    }
  }

  /** Forgets everything: the list goes on behind `position`. */
  restart(position: number): void {
    if (position <= this.#end) return;
    this.#items = [];
    this.#start = position;
    this.#end = position;
  }

  /** At most `limit` items behind the position; null when some of them are not in memory any more. */
  after(position: number, limit: number): Item[] | null {
    if (position < this.#start) return null;
    let low = 0;
    let high = this.#items.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#keyOf(this.#items[middle]!) > position) high = middle;
      else low = middle + 1;
    }
    return this.#items.slice(low, low + limit);
  }
}
