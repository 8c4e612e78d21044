import { useIonAlert } from '@ionic/react';
import { useAct } from '../../hooks/use-act.ts';
import { parley } from '../../parley.ts';

/** Asks only when something would be left unsaid. */
export function useSignOut(): () => void {
  const [presentAlert] = useIonAlert();
  const act = useAct();
  const signOut = () => void act(() => parley.session.signOut());
  return () => {
    const waiting = parley.outbox.entries.get().length;
    if (waiting === 0) return signOut();
    void presentAlert({
      header: 'Sign out?',
      message:
        waiting === 1
          ? 'One message has not been sent yet. It stays on this device until you sign in here again.'
          : `${waiting} messages have not been sent yet. They stay on this device until you sign in here again.`,
      buttons: [
        { text: 'Cancel', role: 'cancel' },
        { text: 'Sign out', role: 'destructive', handler: signOut },
      ],
    });
  };
}
