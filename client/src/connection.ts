import { createValue } from './readable.ts';
import type { Readable } from './readable.ts';
import type { SessionState } from './session.ts';
import type { PlatformSignals } from './signals.ts';

/**
 * What a view shows of it. 'live': all that is followed is up to date, which is also said of nothing. With nothing
 * followed there is no socket.
 */
export type ConnectionState = 'offline' | 'connecting' | 'catchingUp' | 'live';

export interface ConnectionSources {
  signals: PlatformSignals;
  session: Readable<SessionState>;
  /** The acknowledged connection, or null. */
  socket: Readable<number | null>;
  isUpToDate: Readable<boolean>;
}

export function createConnection({ signals, session, socket, isUpToDate }: ConnectionSources) {
  const state = createValue<ConnectionState>('connecting');

  function measure() {
    if (!signals.isOnline()) state.set('offline');
    else if (session.get().status === 'restoring') state.set('connecting');
    else if (session.get().status === 'signedOut' || isUpToDate.get()) state.set('live');
    else state.set(socket.get() === null ? 'connecting' : 'catchingUp');
  }

  return {
    state: { get: state.get, subscribe: state.subscribe } satisfies Readable<ConnectionState>,
    /** Answers how to stop. */
    watch(): () => void {
      const stops = [
        signals.onOnlineChange(measure),
        session.subscribe(measure),
        socket.subscribe(measure),
        isUpToDate.subscribe(measure),
      ];
      measure();
      return () => stops.forEach((stop) => stop());
    },
  };
}
