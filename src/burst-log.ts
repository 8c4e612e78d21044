export interface BurstOptions {
  /** So many calls are worth a line. */
  threshold: number;
  /** Within this; a window begins with its first call. */
  windowMs: number;
}

/** Calls `log` when calls come thick, once in each window in which they do, with how many the last window had. */
export function createBurstLog({ threshold, windowMs }: BurstOptions, log: (before: number) => void): () => void {
  let endsAt = 0;
  let count = 0;
  let before = 0;
  return () => {
    const now = performance.now();
    if (now >= endsAt) {
      before = now < endsAt + windowMs ? count : 0;
      endsAt = now + windowMs;
      count = 0;
    }
    count += 1;
    if (count === threshold) log(before);
  };
}
