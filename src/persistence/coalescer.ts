import { ServiceUnavailableError } from '../errors.ts';

/** One entry, and how its caller is answered. The first answer counts. */
export interface Job<Entry, Result> {
  readonly entry: Entry;
  resolve(result: Result): void;
  reject(error: unknown): void;
}

export interface CoalescerOptions<Entry, Result> {
  /** Of the entries of one key, one batch at a time is under way. */
  keyOf(entry: Entry): string;
  /**
   * Does a batch. The next one may start when this settles; a job that is left unanswered is to be answered later, and
   * holds up its own key alone. What it throws answers the jobs that have no answer yet.
   */
  run(batch: Array<Job<Entry, Result>>): Promise<void>;
  /** Batches at a time. */
  limit: number;
  /** For so many ms none goes beside the newest, unless it is as large: what comes meanwhile shares the next. */
  aloneMs: number;
  /** Entries in one batch at most. */
  maxBatchSize: number;
  /** So many ms after it came, an entry is refused with SERVICE_UNAVAILABLE; it may have been done all the same. */
  answerWithinMs: number;
}

interface Waiting<Entry, Result> extends Job<Entry, Result> {
  isRefused: boolean;
}

/**
 * Gathers what comes while a batch is under way into the next one. Entries of one key are done in the order in which
 * they came.
 */
export function createCoalescer<Entry, Result>(options: CoalescerOptions<Entry, Result>) {
  const { keyOf, run, limit, aloneMs, maxBatchSize, answerWithinMs } = options;
  let waiting = new Map<string, Array<Waiting<Entry, Result>>>();
  let waitingEntries = 0;
  /** How many of a key's entries are under way. */
  const underWay = new Map<string, number>();
  let batches = 0;
  /** The newest batch, while it is to be alone. */
  let alone: { size: number } | undefined;
  let isScheduled = false;

  function schedule(): void {
    if (isScheduled || batches === limit || waiting.size === 0) return;
    if (alone && waitingEntries < alone.size) return;
    isScheduled = true;
    // Not a microtask: the embedded database yields nothing else, and sockets would never be read.
    setImmediate(start);
  }

  function start(): void {
    isScheduled = false;
    const batch = takeBatch();
    if (batch.length === 0) return;
    void doBatch(batch);
  }

  /**
   * What stays is put into a new Map: in one through which thousands pass, tables that it has outgrown keep what they
   * held, whole requests, from the quick collection of garbage.
   */
  function takeBatch() {
    const batch: Array<Waiting<Entry, Result>> = [];
    const left: typeof waiting = new Map();
    const behind: typeof waiting = new Map();
    for (const [key, entries] of waiting) {
      if (batch.length === maxBatchSize || underWay.has(key)) {
        left.set(key, entries);
        continue;
      }
      const wanted = entries.filter(({ isRefused }) => !isRefused);
      const taken = wanted.splice(0, maxBatchSize - batch.length);
      waitingEntries -= entries.length - wanted.length;
      if (taken.length > 0) underWay.set(key, taken.length);
      // Behind the other keys, so that a busy one does not keep them waiting.
      if (wanted.length > 0) behind.set(key, wanted);
      batch.push(...taken);
    }
    for (const [key, entries] of behind) left.set(key, entries);
    waiting = left;
    return batch;
  }

  async function doBatch(batch: Array<Waiting<Entry, Result>>): Promise<void> {
    batches += 1;
    const mine = { size: batch.length };
    alone = mine;
    const patience = setTimeout(notAlone, aloneMs, mine);
    try {
      await run(batch);
    } catch (error) {
      for (const job of batch) job.reject(error);
    }
    batches -= 1;
    clearTimeout(patience);
    notAlone(mine);
  }

  function notAlone(mine: { size: number }): void {
    if (alone === mine) alone = undefined;
    schedule();
  }

  function answered(key: string): void {
    const left = underWay.get(key)! - 1;
    if (left > 0) underWay.set(key, left);
    else underWay.delete(key);
    schedule();
  }

  return (entry: Entry): Promise<Result> =>
    new Promise<Result>((resolve, reject) => {
      const key = keyOf(entry);
      const timer = setTimeout(() => {
        job.isRefused = true;
        reject(new ServiceUnavailableError());
      }, answerWithinMs);
      let isAnswered = false;
      const answer = (settle: () => void) => {
        if (isAnswered) return;
        isAnswered = true;
        clearTimeout(timer);
        settle();
        answered(key);
      };
      const job: Waiting<Entry, Result> = {
        entry,
        isRefused: false,
        resolve: (result) => answer(() => resolve(result)),
        reject: (error) => answer(() => reject(error)),
      };
      const entries = waiting.get(key);
      if (entries) entries.push(job);
      else waiting.set(key, [job]);
      waitingEntries += 1;
      schedule();
    });
}
