/** How much of a feed stays in memory for its subscribers; who is further behind reads the database. */
export const TAIL_LENGTH = 256;
/** The same in characters: a person may listen to many chats, and fill them all. */
const TAIL_CHARACTERS = 128 * 1024;

/** The newest part of a list whose keys ascend: everything with a key above `start`, up to `end`. */
export class Tail<Item> {
  readonly keyOf: (item: Item) => number;
  readonly #charactersOf: (item: Item) => number;
  #characters = 0;
  #items: Item[] = [];
  #start: number;
  #end: number;

  constructor(position: number, keyOf: (item: Item) => number, charactersOf: (item: Item) => number) {
    this.keyOf = keyOf;
    this.#charactersOf = charactersOf;
    this.#start = position;
    this.#end = position;
  }

  get end(): number {
    return this.#end;
  }

  /** Takes items that ascend and leave nothing out up to `end`; those already here are dropped. */
  append(items: readonly Item[], end: number): void {
    for (const item of items)
      if (this.keyOf(item) > this.#end) {
        this.#items.push(item);
        this.#characters += this.#charactersOf(item);
      }
    this.#end = Math.max(this.#end, end);
    // Cutting in large steps makes the cost of each item constant.
    if (this.#items.length > 2 * TAIL_LENGTH || this.#characters > 2 * TAIL_CHARACTERS) this.#cut();
  }

  #cut(): void {
    let from = this.#items.length;
    let characters = 0;
    while (from > 0 && this.#items.length - from < TAIL_LENGTH) {
      const more = this.#charactersOf(this.#items[from - 1]!);
      if (characters + more > TAIL_CHARACTERS) break;
      characters += more;
      from -= 1;
    }
    this.#start = this.keyOf(this.#items[from - 1]!);
    this.#items = this.#items.slice(from);
    this.#characters = characters;
  }

  /** Puts a newer form of an item in the place of the one that is here, if it is. */
  replace(item: Item, isNewer: (item: Item, than: Item) => boolean): void {
    const at = this.#indexBehind(this.keyOf(item)) - 1;
    const standing = this.#items[at];
    if (standing !== undefined && this.keyOf(standing) === this.keyOf(item) && isNewer(item, standing)) {
      this.#items[at] = item;
      this.#characters += this.#charactersOf(item) - this.#charactersOf(standing);
    }
  }

  /** Forgets everything: the list goes on behind `position`, unless it has come further already. */
  restart(position: number): void {
    if (position < this.#end) return;
    this.#items = [];
    this.#characters = 0;
    this.#start = position;
    this.#end = position;
  }

  /** At most `limit` items behind the position; null when some of them are not in memory any more. */
  after(position: number, limit: number): Item[] | null {
    if (position < this.#start) return null;
    const from = this.#indexBehind(position);
    return this.#items.slice(from, from + limit);
  }

  #indexBehind(position: number): number {
    let low = 0;
    let high = this.#items.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.keyOf(this.#items[middle]!) > position) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
