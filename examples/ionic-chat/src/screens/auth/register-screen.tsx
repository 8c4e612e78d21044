import { IonRouterLink } from '@ionic/react';
import { useState } from 'react';
import { FormError } from '../../components/form-error.tsx';
import { SubmitButton } from '../../components/submit-button.tsx';
import { TextField } from '../../components/text-field.tsx';
import { useSubmit } from '../../hooks/use-submit.ts';
import { parley } from '../../parley.ts';
import { routes } from '../../routes.ts';
import { AuthPage } from './auth-page.tsx';

export function RegisterScreen() {
  const [firstName, setFirstName] = useState('');
  const [lastName, setLastName] = useState('');
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const form = useSubmit(() => parley.session.register({ firstName, lastName, email, password }));
  return (
    <AuthPage title="Create an account">
      <form onSubmit={form.onSubmit} noValidate>
        <div className="field-pair">
          <TextField
            label="First name"
            autocomplete="given-name"
            maxlength={60}
            value={firstName}
            onChange={setFirstName}
            error={form.errorOf('firstName')}
          />
          <TextField
            label="Last name"
            autocomplete="family-name"
            maxlength={60}
            value={lastName}
            onChange={setLastName}
            error={form.errorOf('lastName')}
          />
        </div>
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
          autocomplete="new-password"
          hint="At least 8 characters"
          value={password}
          onChange={setPassword}
          error={form.errorOf('password')}
        />
        <FormError text={form.errorBeside('firstName', 'lastName', 'email', 'password')} />
        <SubmitButton label="Create account" isBusy={form.isBusy} />
      </form>
      <p className="auth-other">
        Have an account?{' '}
        <IonRouterLink routerLink={routes.signIn} routerDirection="back">
          Sign in instead
        </IonRouterLink>
      </p>
    </AuthPage>
  );
}
