import { useEffect, useLayoutEffect, useRef, useState } from 'react';
import type { RefObject } from 'react';
import type { Row } from './rows.ts';

interface SeenOptions {
  rows: readonly Row[];
  scroller: RefObject<HTMLElement | null>;
  /** Somebody looks at the page: what is in view is read. */
  isLooking: boolean;
  onSeen: (seq: number) => void;
}

/** At first the list finds its place over some frames: what flits by meanwhile was not seen. */
const SETTLE_MS = 400;
/** A scroll is looked at so often, not each frame: measuring takes time from it. */
const LOOK_MS = 150;
/** More of a message than this below the edge of the window, and it has not been seen. */
const FIRST_LINES_PX = 40;

/** Which messages came into view. Answers the highest seq, and a function that asks for another look. */
export function useSeen({ rows, scroller, isLooking, onSeen }: SeenOptions) {
  const [seen, setSeen] = useState(0);
  const [hasSettled, setSettled] = useState(false);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);

  function look(): void {
    timer.current = undefined;
    if (!scroller.current || !hasSettled) return;
    const inView = newestSeqAt(rows, newestIndexInView(scroller.current));
    if (inView > seen) setSeen(inView);
    if (isLooking && inView > 0) onSeen(inView);
  }

  const newestLook = useRef(look);
  useLayoutEffect(() => {
    newestLook.current = look;
  });

  function lookSoon(): void {
    timer.current ??= setTimeout(() => newestLook.current(), LOOK_MS);
  }

  useEffect(() => {
    const settling = setTimeout(() => setSettled(true), SETTLE_MS);
    return () => {
      clearTimeout(settling);
      clearTimeout(timer.current);
      timer.current = undefined;
    };
  }, []);

  // Rows came, or somebody came back to the window.
  useEffect(lookSoon, [rows, isLooking, hasSettled]);

  return { seen, lookSoon };
}

/** Asks the document, not the list: that one guesses the height of what it has not measured. -1: none. */
function newestIndexInView(scroller: HTMLElement): number {
  const { bottom } = scroller.getBoundingClientRect();
  const articles = [...scroller.querySelectorAll<HTMLElement>('article')];
  const newest = articles.findLast((article) => {
    const { top, height } = article.getBoundingClientRect();
    // The list hides what it has not measured yet.
    return top + Math.min(height, FIRST_LINES_PX) <= bottom && getComputedStyle(article).visibility === 'visible';
  });
  return newest === undefined ? -1 : Number(newest.dataset['index']);
}

/** What waits has no seq yet: the newest before it counts. */
function newestSeqAt(rows: readonly Row[], index: number): number {
  for (let i = Math.min(index, rows.length - 1); i >= 0; i -= 1) {
    const seq = rows[i]!.seq;
    if (seq !== null) return seq;
  }
  return 0;
}
