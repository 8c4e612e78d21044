/**
 * What is under way, to be looked at now and then. A Set would do, but for what it costs where thousands come and go each
 * second: in tables that it has outgrown, those that left long ago are kept from the quick collection of garbage.
 */
export class Slots<Item> {
  readonly #slots: Array<Item | undefined> = [];
  readonly #free: number[] = [];

  /** Answers the slot, to be freed. */
  take(item: Item): number {
    const slot = this.#free.pop() ?? this.#slots.length;
    this.#slots[slot] = item;
    return slot;
  }

  free(slot: number): void {
    this.#slots[slot] = undefined;
    this.#free.push(slot);
  }

  forEach(look: (item: Item) => void): void {
    for (const item of this.#slots) if (item !== undefined) look(item);
  }
}
