import { IonBackButton, IonButtons, IonHeader, IonTitle, IonToolbar } from '@ionic/react';
import { ConnectionStrip } from './connection-strip.tsx';

interface PageHeaderProps {
  title: string;
  /** Where Back leads when the app was opened here. Absent: a page of the first level. */
  backTo?: string;
  end?: React.ReactNode;
  /** A second toolbar, such as a search. */
  children?: React.ReactNode;
}

export function PageHeader({ title, backTo, end, children }: PageHeaderProps) {
  return (
    <IonHeader translucent>
      <IonToolbar>
        {backTo !== undefined && (
          <IonButtons slot="start">
            <IonBackButton defaultHref={backTo} aria-label="Back" />
          </IonButtons>
        )}
        <IonTitle role="heading" aria-level={1}>
          {title}
        </IonTitle>
        {end !== undefined && <IonButtons slot="end">{end}</IonButtons>}
      </IonToolbar>
      {children}
      <ConnectionStrip />
    </IonHeader>
  );
}

/**
 * The large title that iOS scrolls into the header above. Ionic hides it elsewhere; and of the two, one at a time from
 * whoever listens to the page.
 */
export function LargeTitle({ title, children }: { title: string; children?: React.ReactNode }) {
  return (
    <IonHeader collapse="condense">
      <IonToolbar>
        <IonTitle size="large" role="heading" aria-level={1}>
          {title}
        </IonTitle>
      </IonToolbar>
      {children}
    </IonHeader>
  );
}
