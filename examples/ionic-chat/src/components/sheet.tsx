import { IonButton, IonButtons, IonContent, IonHeader, IonModal, IonTitle, IonToolbar } from '@ionic/react';

interface SheetProps {
  title: string;
  isOpen: boolean;
  onClose: () => void;
  /** The one thing that it is for. Absent: the content has its own button. */
  action?: { label: string; isEnabled: boolean; onClick: () => void };
  children: React.ReactNode;
}

/** A task of its own over a page. Its content is made when it opens, so it begins empty each time. */
export function Sheet({ title, isOpen, onClose, action, children }: SheetProps) {
  return (
    <IonModal
      isOpen={isOpen}
      onDidDismiss={onClose}
      aria-label={title}
      breakpoints={[0, 1]}
      initialBreakpoint={1}
      handle={false}
    >
      <IonHeader>
        <IonToolbar>
          <IonButtons slot="start">
            <IonButton onClick={onClose}>Cancel</IonButton>
          </IonButtons>
          <IonTitle role="heading" aria-level={1}>
            {title}
          </IonTitle>
          {action !== undefined && (
            <IonButtons slot="end">
              <IonButton strong disabled={!action.isEnabled} onClick={action.onClick}>
                {action.label}
              </IonButton>
            </IonButtons>
          )}
        </IonToolbar>
      </IonHeader>
      <IonContent>{children}</IonContent>
    </IonModal>
  );
}
