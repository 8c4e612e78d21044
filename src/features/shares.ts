/** How many statements are under way for each person, of so many that one may have at a time on this node. */
export class Shares {
  readonly #max: number;
  readonly #underWay = new Map<string, number>();
  readonly #waiting = new Map<string, Set<() => void>>();

  constructor(max: number) {
    this.#max = max;
  }

  isFull(person: string): boolean {
    return (this.#underWay.get(person) ?? 0) >= this.#max;
  }

  /** Of a statement for all of them. */
  begin(people: Iterable<string>): void {
    for (const person of people) this.#underWay.set(person, (this.#underWay.get(person) ?? 0) + 1);
  }

  end(people: Iterable<string>): void {
    for (const person of people) {
      const left = this.#underWay.get(person)! - 1;
      if (left > 0) this.#underWay.set(person, left);
      else this.#underWay.delete(person);
      const waiting = this.#waiting.get(person);
      this.#waiting.delete(person);
      for (const look of waiting ?? []) look();
    }
  }

  /** Calls it once, when a statement of the person has ended. */
  onRoom(person: string, look: () => void): void {
    const waiting = this.#waiting.get(person);
    if (waiting) waiting.add(look);
    else this.#waiting.set(person, new Set([look]));
  }
}
