import { IonContent, IonIcon, IonPage } from '@ionic/react';
import { chatbubbleEllipses } from 'ionicons/icons';

/** Before one is in: a mark, a heading and a form. */
export function AuthPage({ title, children }: { title: string; children: React.ReactNode }) {
  return (
    <IonPage>
      <IonContent>
        <div className="auth-page">
          <IonIcon icon={chatbubbleEllipses} className="auth-mark" aria-hidden="true" />
          <h1>{title}</h1>
          {children}
        </div>
      </IonContent>
    </IonPage>
  );
}
