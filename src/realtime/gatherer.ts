export interface Gatherer<Item> {
  /** The item is worked on in the next round, once, however often it is added before. */
  add(item: Item): void;
  drop(item: Item): void;
}

/**
 * Gathers what comes while a round of work is under way for the next one, so that the more there is to do, the more is
 * done together. One round at a time. Of a round that fails, `onFailure` is told; its items are not tried again.
 */
export function createGatherer<Item>(
  work: (items: readonly Item[]) => Promise<void>,
  onFailure: (error: unknown) => void,
): Gatherer<Item> {
  const waiting = new Set<Item>();
  let running = false;

  async function run() {
    while (waiting.size > 0) {
      const items = [...waiting];
      waiting.clear();
      try {
        await work(items);
      } catch (error) {
        onFailure(error);
      }
    }
    running = false;
  }

  return {
    add(item) {
      waiting.add(item);
      if (running) return;
      running = true;
      setImmediate(() => void run());
    },
    drop: (item) => void waiting.delete(item),
  };
}
