import { setTimeout as sleep } from 'node:timers/promises';

/** Wait before a read that failed for the time being is tried again. */
export const RETRY_MS = 250;

/** Reads again and again until there is an answer, or a failure that another try would not mend. */
export async function readPatiently<T>(read: () => Promise<T>, isTransient: (error: unknown) => boolean): Promise<T> {
  for (;;) {
    try {
      return await read();
    } catch (error) {
      if (!isTransient(error)) throw error;
      await sleep(RETRY_MS, undefined, { ref: false });
    }
  }
}
