export interface Places {
  /** False: none is left for this key. */
  take(key: string): boolean;
  /** To be called once for each that was taken. */
  giveBack(key: string): void;
  /** Whether none is taken. */
  isUnused(key: string): boolean;
}

/**
 * So many places for each key at a time, in this process.
 *
 * @param onFull is told of the first who finds none, until one is free again.
 */
export function createPlaces(max: number, onFull: (key: string) => void): Places {
  const taken = new Map<string, number>();
  const full = new Set<string>();
  return {
    take(key) {
      const count = taken.get(key) ?? 0;
      if (count < max) {
        taken.set(key, count + 1);
        return true;
      }
      if (!full.has(key)) onFull(key);
      full.add(key);
      return false;
    },
    giveBack(key) {
      const count = taken.get(key)! - 1;
      full.delete(key);
      if (count > 0) taken.set(key, count);
      else taken.delete(key);
    },
    isUnused: (key) => !taken.has(key),
  };
}
