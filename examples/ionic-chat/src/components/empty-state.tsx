import { IonButton, IonIcon } from '@ionic/react';

interface EmptyStateProps {
  icon: string;
  title: string;
  text?: string;
  action?: { label: string; onClick: () => void };
  isAlert?: boolean;
}

/** What stands where a list would be, when there is none: what this is, and what to do about it. */
export function EmptyState({ icon, title, text, action, isAlert = false }: EmptyStateProps) {
  return (
    <div className="empty-state" role={isAlert ? 'alert' : undefined}>
      <IonIcon icon={icon} aria-hidden="true" />
      <h2>{title}</h2>
      {text !== undefined && <p>{text}</p>}
      {action !== undefined && (
        <IonButton fill="outline" shape="round" onClick={action.onClick}>
          {action.label}
        </IonButton>
      )}
    </div>
  );
}
