import { IonButton, IonIcon, IonItem, IonItemOption, IonItemOptions, IonItemSliding, IonLabel } from '@ionic/react';
import type { SessionFields } from '@parley/client';
import { desktopOutline, logOutOutline, phonePortraitOutline } from 'ionicons/icons';
import { ago } from '../../format/times.ts';

interface DeviceItemProps {
  session: SessionFields;
  now: number;
  onRevoke: () => void;
}

const PHONE = /iphone|ipad|android|phone/i;

export function DeviceItem({
  session: { deviceName, isCurrent, createdAt, lastUsedAt },
  now,
  onRevoke,
}: DeviceItemProps) {
  const name = deviceName ?? 'Unknown device';
  return (
    <IonItemSliding disabled={isCurrent}>
      <IonItem>
        <IonIcon slot="start" icon={PHONE.test(name) ? phonePortraitOutline : desktopOutline} aria-hidden="true" />
        <IonLabel>
          <h2>{name}</h2>
          <p>{isCurrent ? 'This device' : `Last used ${ago(lastUsedAt, now)}`}</p>
          <p>Signed in {ago(createdAt, now)}</p>
        </IonLabel>
        {!isCurrent && (
          <IonButton slot="end" fill="clear" color="danger" aria-label={`Sign out ${name}`} onClick={onRevoke}>
            <IonIcon slot="icon-only" icon={logOutOutline} aria-hidden="true" />
          </IonButton>
        )}
      </IonItem>
      <IonItemOptions side="end">
        <IonItemOption color="danger" onClick={onRevoke}>
          Sign out
        </IonItemOption>
      </IonItemOptions>
    </IonItemSliding>
  );
}
