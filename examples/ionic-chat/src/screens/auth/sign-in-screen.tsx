import { IonRouterLink } from '@ionic/react';
import { useState } from 'react';
import { FormError } from '../../components/form-error.tsx';
import { SubmitButton } from '../../components/submit-button.tsx';
import { TextField } from '../../components/text-field.tsx';
import { isDemo } from '../../demo.ts';
import { useSubmit } from '../../hooks/use-submit.ts';
import { parley } from '../../parley.ts';
import { routes } from '../../routes.ts';
import { AuthPage } from './auth-page.tsx';
import { DemoPeople } from './demo-people.tsx';

/** `hasEnded`: nobody asked to be signed out. */
export function SignInScreen({ hasEnded }: { hasEnded: boolean }) {
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const form = useSubmit(() => parley.session.signIn({ email, password }));
  return (
    <AuthPage title="Sign in">
      {hasEnded && (
        <p className="notice" role="status">
          This device was signed out. Sign in again to go on.
        </p>
      )}
      {isDemo && <DemoPeople />}
      <form onSubmit={form.onSubmit} noValidate>
        <TextField
          label="E-mail"
          type="email"
          autocomplete="username"
          value={email}
          onChange={setEmail}
          error={form.errorOf('email')}
        />
        <TextField
          label="Password"
          type="password"
          autocomplete="current-password"
          value={password}
          onChange={setPassword}
          error={form.errorOf('password')}
        />
        <FormError text={form.errorBeside('email', 'password')} />
        <SubmitButton label="Sign in" isBusy={form.isBusy} />
      </form>
      <p className="auth-other">
        New here? <IonRouterLink routerLink={routes.register}>Create an account</IonRouterLink>
      </p>
    </AuthPage>
  );
}
