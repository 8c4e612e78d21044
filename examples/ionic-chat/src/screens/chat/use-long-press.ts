import { useRef } from 'react';
import type { MouseEvent, PointerEvent } from 'react';

const HOLD_MS = 450;
/** A finger that moves further scrolls. */
const STILL_PX = 10;

/** Holding a finger down, or the menu button of a mouse. iOS has no `contextmenu`, so fingers are timed. */
export function useLongPress(onPress: () => void) {
  const hold = useRef<{ timer: ReturnType<typeof setTimeout>; x: number; y: number } | null>(null);

  function letGo(): void {
    if (hold.current) clearTimeout(hold.current.timer);
    hold.current = null;
  }

  return {
    onPointerDown: ({ pointerType, clientX, clientY }: PointerEvent) => {
      if (pointerType !== 'touch') return;
      letGo();
      const timer = setTimeout(() => {
        letGo();
        onPress();
      }, HOLD_MS);
      hold.current = { timer, x: clientX, y: clientY };
    },
    onPointerMove: ({ clientX, clientY }: PointerEvent) => {
      if (hold.current && Math.hypot(clientX - hold.current.x, clientY - hold.current.y) > STILL_PX) letGo();
    },
    onPointerUp: letGo,
    onPointerCancel: letGo,
    onContextMenu: (event: MouseEvent) => {
      const native = event.nativeEvent as globalThis.PointerEvent;
      const isOnLink = (event.target as HTMLElement).closest('a') !== null;
      // A mouse on a link or on chosen text means the browser's own menu.
      if (native.pointerType !== 'touch' && (isOnLink || getSelection()?.isCollapsed === false)) return;
      event.preventDefault();
      if (native.pointerType !== 'touch') onPress();
    },
  };
}
