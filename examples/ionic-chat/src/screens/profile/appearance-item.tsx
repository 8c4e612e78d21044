import { IonIcon, IonItem, IonLabel, IonNote, useIonActionSheet } from '@ionic/react';
import { close, contrastOutline, moonOutline, phonePortraitOutline, sunnyOutline } from 'ionicons/icons';
import { useState } from 'react';
import { chooseAppearance, readAppearance } from '../../theme/appearance.ts';
import type { Appearance } from '../../theme/appearance.ts';

const CHOICES: ReadonlyArray<{ appearance: Appearance; text: string; icon: string }> = [
  { appearance: 'system', text: 'As the system', icon: phonePortraitOutline },
  { appearance: 'light', text: 'Light', icon: sunnyOutline },
  { appearance: 'dark', text: 'Dark', icon: moonOutline },
];

export function AppearanceItem() {
  const [chosen, setChosen] = useState(readAppearance);
  const [presentSheet] = useIonActionSheet();

  function choose(appearance: Appearance): void {
    setChosen(appearance);
    chooseAppearance(appearance);
  }

  function open(): void {
    const buttons = CHOICES.map(({ appearance, text, icon }) => ({
      text,
      icon,
      ...(appearance === chosen && { role: 'selected' }),
      handler: () => choose(appearance),
    }));
    void presentSheet({
      header: 'Appearance',
      buttons: [...buttons, { text: 'Cancel', icon: close, role: 'cancel' }],
    });
  }

  return (
    <IonItem button detail={false} onClick={open}>
      <IonIcon slot="start" icon={contrastOutline} aria-hidden="true" />
      <IonLabel>Appearance</IonLabel>
      <IonNote slot="end">{CHOICES.find(({ appearance }) => appearance === chosen)?.text}</IonNote>
    </IonItem>
  );
}
