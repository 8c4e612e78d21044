import { isTransient, toParleyError } from './errors.ts';
import type { Waiting } from './waiting.ts';

export interface ReadMarksOptions {
  waiting: Waiting;
  gatherMs: number;
  send(chatId: string, seq: number): Promise<unknown>;
}

/** How far each chat was read: gathered while somebody scrolls, only ever forward, sent when the server can be reached. */
export function createReadMarks({ waiting, gatherMs, send }: ReadMarksOptions) {
  const wanted = new Map<string, number>();
  const told = new Map<string, number>();
  const senders = new Set<string>();

  async function tell(chatId: string) {
    senders.add(chatId);
    await waiting.sleep(gatherMs);
    for (let attempt = 0; ; attempt += 1) {
      const seq = wanted.get(chatId);
      if (seq === undefined || seq <= (told.get(chatId) ?? 0)) break;
      try {
        await send(chatId, seq);
        told.set(chatId, seq);
        attempt = -1;
      } catch (error) {
        // The chat is gone, or the person signed out: there is nothing to mark.
        if (!isTransient(toParleyError(error))) break;
        await waiting.backOff(attempt);
      }
    }
    senders.delete(chatId);
  }

  return {
    mark(chatId: string, seq: number) {
      if (seq <= (wanted.get(chatId) ?? 0)) return;
      wanted.set(chatId, seq);
      if (!senders.has(chatId)) void tell(chatId);
    },
    /** Of somebody who has signed out. */
    clear() {
      wanted.clear();
      told.clear();
      waiting.wake();
    },
  };
}
