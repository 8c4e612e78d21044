/** What has come but was not asked for yet, or was asked for but has not come. */
export class Inbox<T> {
  #items: (() => T)[] = [];
  #waiting: { give: (item: () => T) => void; fail: (error: Error) => void }[] = [];
  #closedBy: (() => Error) | undefined;

  push(item: T): void {
    this.#add(() => item);
  }

  /** Something that came and is an error: `next` throws it, and what follows still comes. */
  pushError(error: Error): void {
    this.#add(() => {
      throw error;
    });
  }

  /** Nothing more will come. What is here can still be taken; after it, `next` rejects with `why`. */
  close(why: () => Error): void {
    this.#closedBy ??= why;
    for (const waiter of this.#waiting.splice(0)) waiter.fail(this.#closedBy());
  }

  async next(deadlineMs: number): Promise<T> {
    const item = this.#items.shift();
    if (item !== undefined) return item();
    if (this.#closedBy !== undefined) throw this.#closedBy();
    return new Promise<T>((resolve, reject) => {
      const settle = () => {
        clearTimeout(timer);
        this.#waiting = this.#waiting.filter((other) => other !== waiter);
      };
      const fail = (error: Error) => {
        settle();
        reject(error);
      };
      const waiter = {
        fail,
        give(given: () => T) {
          settle();
          try {
            resolve(given());
          } catch (error) {
            reject(error);
          }
        },
      };
      const timer = setTimeout(() => fail(new Error(`nothing came within ${deadlineMs} ms`)), deadlineMs);
      this.#waiting.push(waiter);
    });
  }

  #add(item: () => T): void {
    if (this.#closedBy !== undefined) return;
    const waiter = this.#waiting[0];
    if (waiter === undefined) this.#items.push(item);
    else waiter.give(item);
  }
}
