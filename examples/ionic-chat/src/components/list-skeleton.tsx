import { IonAvatar, IonItem, IonLabel, IonList, IonSkeletonText } from '@ionic/react';

/** The shape of what comes, so that nothing jumps when it does. */
export function ListSkeleton({ rows = 8, label }: { rows?: number; label: string }) {
  return (
    <IonList role="status" aria-label={label} className="list-skeleton">
      {Array.from({ length: rows }, (_, index) => (
        <IonItem key={index} aria-hidden="true" lines="full">
          <IonAvatar slot="start">
            <IonSkeletonText animated />
          </IonAvatar>
          <IonLabel>
            <IonSkeletonText animated style={{ width: `${38 + ((index * 29) % 30)}%` }} />
            <IonSkeletonText animated style={{ width: `${60 + ((index * 17) % 35)}%` }} />
          </IonLabel>
        </IonItem>
      ))}
    </IonList>
  );
}
