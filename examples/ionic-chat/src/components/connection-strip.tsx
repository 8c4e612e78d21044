import { IonIcon, IonSpinner } from '@ionic/react';
import type { ConnectionState } from '@parley/client';
import { cloudOffline } from 'ionicons/icons';
import { useEffect, useState } from 'react';
import { useReadable } from '../hooks/use-readable.ts';
import { parley } from '../parley.ts';

const WORDS: Record<Exclude<ConnectionState, 'live'>, string> = {
  offline: 'Offline — messages wait on this device',
  connecting: 'Connecting…',
  catchingUp: 'Catching up…',
};

/** A connection that takes less than this is nobody's business. */
const PATIENCE_MS = 800;

/** Under a header: says why what one sees may be old. Nothing while all is well. */
export function ConnectionStrip() {
  const state = useSettled(useReadable(parley.connection));
  return (
    <div role="status" className="connection-strip" data-state={state}>
      {state !== 'live' && (
        <p>
          {state === 'offline' ? (
            <IonIcon icon={cloudOffline} aria-hidden="true" />
          ) : (
            <IonSpinner name="lines-sharp-small" aria-hidden="true" />
          )}
          {WORDS[state]}
        </p>
      )}
    </div>
  );
}

/** Good news at once, others when they have lasted. */
function useSettled(state: ConnectionState): ConnectionState {
  const [settled, setSettled] = useState<ConnectionState>('live');
  useEffect(() => {
    const timer = setTimeout(() => setSettled(state), state === 'live' ? 0 : PATIENCE_MS);
    return () => clearTimeout(timer);
  }, [state]);
  return settled;
}
