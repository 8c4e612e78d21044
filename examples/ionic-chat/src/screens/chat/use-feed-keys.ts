import { useState } from 'react';
import type { FocusEvent, KeyboardEvent, RefObject } from 'react';
import type { VirtualizerHandle } from 'virtua';
import type { Row } from './rows.ts';

/**
 * The feed is one stop of the Tab key: the message that had the focus last, at first the newest. From there the arrows,
 * Page Up, Page Down, Home and End walk the messages, also those that are not in the document yet.
 */
export function useFeedKeys(rows: readonly Row[], list: RefObject<VirtualizerHandle | null>) {
  const [stopKey, setStopKey] = useState<string>();
  const known = stopKey === undefined ? -1 : rows.findIndex(({ key }) => key === stopKey);
  const tabStop = known === -1 ? rows.length - 1 : known;

  function onKeyDown(event: KeyboardEvent<HTMLElement>): void {
    const from = indexOf(event.target);
    const to = from === null ? null : targetOf(event.key, from, rows.length - 1);
    if (to === null) return;
    event.preventDefault();
    const feed = event.currentTarget;
    setStopKey(rows[to]!.key);
    list.current?.scrollToIndex(to, { align: 'nearest' });
    focusWhenThere(feed, rows[to]!.key);
  }

  function onFocus({ target }: FocusEvent<HTMLElement>): void {
    const index = indexOf(target);
    if (index !== null) setStopKey(rows[index]?.key);
  }

  return { tabStop, onKeyDown, onFocus };
}

function targetOf(key: string, from: number, end: number): number | null {
  switch (key) {
    case 'ArrowUp':
    case 'PageUp':
      return Math.max(0, from - 1);
    case 'ArrowDown':
    case 'PageDown':
      return Math.min(end, from + 1);
    case 'Home':
      return 0;
    case 'End':
      return end;
    default:
      return null;
  }
}

/** Null where it is not the message itself that has the focus, but a link or a button in it. */
function indexOf(target: EventTarget): number | null {
  const index = (target as HTMLElement).dataset['index'];
  return index === undefined ? null : Number(index);
}

/** A row that was far away comes some frames after it was scrolled to, and takes no focus before it was measured. */
function focusWhenThere(feed: HTMLElement, key: string, framesLeft = 60): void {
  requestAnimationFrame(() => {
    const article = feed.querySelector<HTMLElement>(`[data-key="${CSS.escape(key)}"]`);
    article?.focus();
    if (document.activeElement !== article && framesLeft > 0) focusWhenThere(feed, key, framesLeft - 1);
  });
}
