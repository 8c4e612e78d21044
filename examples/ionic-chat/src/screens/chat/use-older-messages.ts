import { useRef, useState } from 'react';
import { parley } from '../../parley.ts';
import type { Row } from './rows.ts';

/** Loads a page before the first row, one at a time. */
export function useOlderMessages(chatId: string, rows: readonly Row[], hasOlder: boolean) {
  const [isLoading, setLoading] = useState(false);
  const [hasFailed, setFailed] = useState(false);
  const isAway = useRef(false);

  async function load(): Promise<void> {
    if (isAway.current || !hasOlder) return;
    isAway.current = true;
    setLoading(true);
    setFailed(false);
    try {
      await parley.loadOlder(chatId);
    } catch {
      setFailed(true);
    } finally {
      isAway.current = false;
      setLoading(false);
    }
  }

  return { isLoading, hasFailed, load: () => void load(), isPrepending: useIsPrepending(rows) };
}

/**
 * True from the render in which rows came in above until others come in below: the list then keeps its distance from
 * the end. It looks at this only when the number of its rows changes.
 */
function useIsPrepending(rows: readonly Row[]): boolean {
  const [first, last] = [rows[0]?.key, rows.at(-1)?.key];
  const [known, setKnown] = useState({ first, last, isPrepending: false });
  if (known.first === first && known.last === last) return known.isPrepending;
  const isPrepending = known.first !== first && known.last === last;
  setKnown({ first, last, isPrepending });
  return isPrepending;
}
