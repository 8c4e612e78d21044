import { useIonViewDidEnter, useIonViewWillLeave } from '@ionic/react';
import { useEffect, useState } from 'react';

/** The page is on top of Ionic's stack. To be called by what is there when the page arrives: who comes later hears nothing. */
export function useOnTop(): boolean {
  const [isOnTop, setOnTop] = useState(false);
  useIonViewDidEnter(() => setOnTop(true));
  useIonViewWillLeave(() => setOnTop(false));
  return isOnTop;
}

/** Somebody is looking: the window is visible and has the focus. */
export function useWindowActive(): boolean {
  const [isActive, setActive] = useState(looksActive);
  useEffect(() => {
    const look = () => setActive(looksActive());
    document.addEventListener('visibilitychange', look);
    window.addEventListener('focus', look);
    window.addEventListener('blur', look);
    return () => {
      document.removeEventListener('visibilitychange', look);
      window.removeEventListener('focus', look);
      window.removeEventListener('blur', look);
    };
  }, []);
  return isActive;
}

function looksActive(): boolean {
  return document.visibilityState === 'visible' && document.hasFocus();
}
