import { IonButton } from '@ionic/react';
import { ParleyError } from '@parley/client';
import { useAct } from '../../hooks/use-act.ts';
import { parley } from '../../parley.ts';
import { wordsFor } from '../../words.ts';
import type { Row } from './rows.ts';

/** Under a message that the server refused: why, and what can be done. */
export function FailedActions({ row: { entry } }: { row: Row }) {
  const act = useAct();
  if (!entry) return null;
  const why = entry.error ? wordsFor(new ParleyError(entry.error.code, entry.error.message)) : '';
  return (
    <div className="failed-actions" role="group" aria-label="Message not sent">
      <p>Not sent. {why}</p>
      <IonButton fill="clear" size="small" onClick={() => void act(() => parley.outbox.retry(entry.clientId))}>
        Try again
      </IonButton>
      <IonButton
        fill="clear"
        size="small"
        color="danger"
        onClick={() => void act(() => parley.outbox.discard(entry.clientId))}
      >
        Discard
      </IonButton>
    </div>
  );
}
