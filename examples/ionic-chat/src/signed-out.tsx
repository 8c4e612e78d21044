import { IonRouterOutlet } from '@ionic/react';
import { Navigate, Route } from 'react-router-dom';
import { routes } from './routes.ts';
import { RegisterScreen } from './screens/auth/register-screen.tsx';
import { SignInScreen } from './screens/auth/sign-in-screen.tsx';

export function SignedOut({ hasEnded }: { hasEnded: boolean }) {
  return (
    <IonRouterOutlet>
      <Route path={routes.signIn} element={<SignInScreen hasEnded={hasEnded} />} />
      <Route path={routes.register} element={<RegisterScreen />} />
      <Route path="*" element={<Navigate to={routes.signIn} replace />} />
    </IonRouterOutlet>
  );
}
