import type { Readable } from '@parley/client';
import { useSyncExternalStore } from 'react';

export function useReadable<T>(readable: Readable<T>): T {
  return useSyncExternalStore(readable.subscribe, readable.get);
}
