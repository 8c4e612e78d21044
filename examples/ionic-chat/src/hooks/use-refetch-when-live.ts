import { useEffect } from 'react';
import { parley } from '../parley.ts';
import { useReadable } from './use-readable.ts';

/** A screen that could not load tries again by itself once there is a connection. */
export function useRefetchWhenLive(hasFailed: boolean, refetch: () => Promise<unknown>): void {
  const connection = useReadable(parley.connection);
  useEffect(() => {
    if (hasFailed && connection === 'live') refetch().catch(ignoreShown);
  }, [hasFailed, connection, refetch]);
}

/** What fails again is still on the screen. */
function ignoreShown(): void {}
