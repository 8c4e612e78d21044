import { useIonToast } from '@ionic/react';
import { toParleyError } from '@parley/client';
import { wordsFor } from '../words.ts';
import type { OtherWords } from '../words.ts';

/** For a tap that changes something: what is refused is said in a toast. Answers whether it was done. */
export function useAct() {
  const say = useSay();
  return async (act: () => Promise<unknown>, otherWords?: OtherWords): Promise<boolean> => {
    try {
      await act();
      return true;
    } catch (error) {
      say(wordsFor(toParleyError(error), otherWords));
      return false;
    }
  };
}

export function useSay() {
  const [present] = useIonToast();
  return (message: string): void => {
    void present({ message, duration: 4000, position: 'top', buttons: [{ text: 'OK', role: 'cancel' }] });
  };
}
