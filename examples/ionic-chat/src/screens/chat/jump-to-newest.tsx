import { IonBadge, IonFab, IonFabButton, IonIcon } from '@ionic/react';
import { chevronDown } from 'ionicons/icons';

export function JumpToNewest({ newCount, onJump }: { newCount: number; onJump: () => void }) {
  const label = newCount === 0 ? 'Jump to newest' : `Jump to newest, ${newCount} new`;
  return (
    <IonFab slot="fixed" vertical="bottom" horizontal="end" className="jump-to-newest">
      <IonFabButton size="small" color="light" aria-label={label} onClick={onJump}>
        <IonIcon icon={chevronDown} aria-hidden="true" />
      </IonFabButton>
      {newCount > 0 && <IonBadge aria-hidden="true">{newCount > 99 ? '99+' : newCount}</IonBadge>}
    </IonFab>
  );
}
