import { IonButton, IonSpinner } from '@ionic/react';

/** The button of a form. Enter in a field presses it too: Ionic sees to that. */
export function SubmitButton({ label, isBusy }: { label: string; isBusy: boolean }) {
  return (
    <IonButton type="submit" expand="block" disabled={isBusy} aria-label={label} aria-busy={isBusy}>
      {isBusy ? <IonSpinner aria-hidden="true" /> : label}
    </IonButton>
  );
}
