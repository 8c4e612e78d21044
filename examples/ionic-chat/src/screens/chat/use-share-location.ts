import { useIonAlert } from '@ionic/react';
import { useState } from 'react';
import { useAct, useSay } from '../../hooks/use-act.ts';
import { parley } from '../../parley.ts';

/** Codes of GeolocationPositionError. */
const WORDS: Record<number, string> = {
  1: 'This app may not see where you are. Allow it in the settings of your browser.',
  2: 'Your location could not be found.',
  3: 'Finding your location took too long. Try again.',
};

/** Asks first, because everybody in the chat will know; then finds out and sends. */
export function useShareLocation(chatId: string) {
  const [isBusy, setBusy] = useState(false);
  const [presentAlert] = useIonAlert();
  const act = useAct();
  const say = useSay();

  async function findAndSend(): Promise<void> {
    setBusy(true);
    try {
      const { latitude, longitude, accuracy } = await findPosition();
      const extraData = { latitude, longitude, accuracy };
      await act(() => parley.outbox.send({ chatId, type: 'LOCATION', body: 'My location', extraData }));
    } catch (error) {
      say(WORDS[(error as GeolocationPositionError).code] ?? 'Your location could not be found.');
    } finally {
      setBusy(false);
    }
  }

  function share(): void {
    if (!('geolocation' in navigator)) return say('This browser cannot tell where you are.');
    void presentAlert({
      header: 'Share your location?',
      message: 'Everybody in this chat will see where you are now.',
      buttons: [
        { text: 'Cancel', role: 'cancel' },
        { text: 'Share', handler: () => void findAndSend() },
      ],
    });
  }

  return { isBusy, share };
}

function findPosition(): Promise<GeolocationCoordinates> {
  return new Promise((resolve, reject) => {
    navigator.geolocation.getCurrentPosition((position) => resolve(position.coords), reject, {
      enableHighAccuracy: true,
      timeout: 15_000,
      maximumAge: 30_000,
    });
  });
}
