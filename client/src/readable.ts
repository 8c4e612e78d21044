/** State that a view can show: what React's useSyncExternalStore, Angular's signals and RxJS want of a store. */
export interface Readable<T> {
  /** The same reference until something changed. */
  get(): T;
  /** Answers how to stop listening. */
  subscribe(listener: () => void): () => void;
}

export interface Value<T> extends Readable<T> {
  /** Tells the listeners, unless it is the very same. */
  set(next: T): void;
}

export function createValue<T>(initial: T): Value<T> {
  let value = initial;
  const listeners = new Set<() => void>();
  return {
    get: () => value,
    set(next) {
      if (Object.is(next, value)) return;
      value = next;
      for (const listener of [...listeners]) listener();
    },
    subscribe(listener) {
      // Two subscriptions of one function are two.
      const own = () => listener();
      listeners.add(own);
      return () => void listeners.delete(own);
    },
  };
}
