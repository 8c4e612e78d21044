import { IonButton, IonSpinner } from '@ionic/react';
import { chatbubbleEllipsesOutline } from 'ionicons/icons';
import { EmptyState } from '../../components/empty-state.tsx';

/** Pixels above the first message, whatever stands there: a start that grew would push the messages about. */
export const START_HEIGHT = 56;

interface HistoryStartProps {
  hasOlder: boolean;
  isLoading: boolean;
  hasFailed: boolean;
  onRetry: () => void;
}

export function HistoryStart({ hasOlder, isLoading, hasFailed, onRetry }: HistoryStartProps) {
  return (
    <div className="history-start" style={{ height: START_HEIGHT }}>
      {!hasOlder ? (
        <p>Beginning of the conversation</p>
      ) : hasFailed ? (
        <IonButton fill="clear" size="small" onClick={onRetry}>
          Older messages could not be loaded. Try again
        </IonButton>
      ) : (
        isLoading && <IonSpinner aria-label="Loading older messages" />
      )}
    </div>
  );
}

export function EmptyChat() {
  return <EmptyState icon={chatbubbleEllipsesOutline} title="No messages yet" text="Write the first one below." />;
}
