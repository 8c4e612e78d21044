import { useLayoutEffect, useRef, useState } from 'react';
import type { VirtualizerHandle } from 'virtua';
import { prefersReducedMotion } from '../../platform.ts';
import type { Row } from './rows.ts';
import { useSeen } from './use-seen.ts';

interface MessageScrollOptions {
  rows: readonly Row[];
  isLooking: boolean;
  onNearStart: () => void;
  onSeen: (seq: number) => void;
}

/** Closer to the end than this is at the end. */
const END_PX = 60;
/** The next older page is asked for this long before its place is in view. */
const NEAR_START_PX = 1200;

/** Opens at the first unread message or the newest; stays at the end while one is there; tells what has been seen. */
export function useMessageScroll({ rows, isLooking, onNearStart, onSeen }: MessageScrollOptions) {
  const scroller = useRef<HTMLDivElement>(null);
  const list = useRef<VirtualizerHandle>(null);
  const [isAtEnd, setAtEnd] = useState(true);
  const { seen, lookSoon } = useSeen({ rows, scroller, isLooking, onSeen });
  const sticks = useRef(true);
  const lastOffset = useRef(0);

  function scrollToEnd(smooth = false): void {
    list.current?.scrollToIndex(rows.length - 1, { align: 'end', smooth });
  }

  function onScroll(offset: number): void {
    const isEnd = isNearEnd(list.current!);
    // Growth of the list never moves the offset back: only somebody who scrolls up lets go of the end.
    if (isEnd) sticks.current = true;
    else if (offset < lastOffset.current) sticks.current = false;
    lastOffset.current = offset;
    setAtEnd(isEnd);
    if (offset < NEAR_START_PX) onNearStart();
    lookSoon();
  }

  function onResize(): void {
    if (sticks.current) scrollToEnd();
    setAtEnd(isNearEnd(list.current!));
    lookSoon();
  }

  useLayoutEffect(() => {
    const unread = rows.findIndex((row) => row.startsUnread);
    if (unread === -1) return scrollToEnd();
    sticks.current = false;
    list.current?.scrollToIndex(unread, { align: 'start' });
    // Once, for the rows that were there first.
    // oxlint-disable-next-line react/exhaustive-deps
  }, []);

  const last = rows.at(-1);
  const knownLast = useRef(last?.key);
  useLayoutEffect(() => {
    if (last === undefined || knownLast.current === last.key) return;
    knownLast.current = last.key;
    // Who sends wants to see it there.
    if (last.entry !== null) sticks.current = true;
    if (sticks.current) scrollToEnd();
    // oxlint-disable-next-line react/exhaustive-deps
  }, [last]);

  function jumpToEnd(): void {
    const view = list.current!;
    const isNear = view.scrollSize - view.scrollOffset < 4 * view.viewportSize;
    sticks.current = true;
    scrollToEnd(isNear && !prefersReducedMotion());
  }

  const isNew = ({ seq, isOwn }: Row) => seq !== null && seq > seen && !isOwn;
  const newCount = rows.reduce((count, row) => (isNew(row) ? count + 1 : count), 0);
  return { scroller, list, isAtEnd, newCount, jumpToEnd, onScroll, onResize };
}

function isNearEnd({ scrollSize, scrollOffset, viewportSize }: VirtualizerHandle): boolean {
  return scrollSize - scrollOffset - viewportSize < END_PX;
}
