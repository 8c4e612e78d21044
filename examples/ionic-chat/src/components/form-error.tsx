import { IonIcon } from '@ionic/react';
import { alertCircle } from 'ionicons/icons';

/** What is wrong with the whole of a form. */
export function FormError({ text }: { text: string | undefined }) {
  if (text === undefined) return null;
  return (
    <p className="form-error" role="alert">
      <IonIcon icon={alertCircle} aria-hidden="true" />
      {text}
    </p>
  );
}
