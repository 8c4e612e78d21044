import { useApolloClient } from '@apollo/client/react';
import { DeleteAccountDocument } from '@parley/client';
import { useState } from 'react';
import { FormError } from '../../components/form-error.tsx';
import { Sheet } from '../../components/sheet.tsx';
import { TextField } from '../../components/text-field.tsx';
import { useSubmit } from '../../hooks/use-submit.ts';
import { parley } from '../../parley.ts';

export function DeleteAccountModal({ isOpen, onClose }: { isOpen: boolean; onClose: () => void }) {
  const [password, setPassword] = useState('');
  const apollo = useApolloClient();
  const form = useSubmit(
    async () => {
      await apollo.mutate({ mutation: DeleteAccountDocument, variables: { password } });
      await parley.session.signOut();
    },
    { INVALID_CREDENTIALS: 'The password is not right.' },
  );

  function close(): void {
    setPassword('');
    form.clear();
    onClose();
  }

  return (
    <Sheet
      title="Delete account"
      isOpen={isOpen}
      onClose={close}
      action={{ label: 'Delete', isEnabled: password !== '' && !form.isBusy, onClick: () => void form.submit() }}
    >
      <form className="sheet-form" onSubmit={form.onSubmit}>
        <p>
          Your account goes for good. What you wrote stays where you wrote it, without your name. Groups that you alone
          own go to their longest-standing members.
        </p>
        <TextField
          label="Password"
          type="password"
          autocomplete="current-password"
          value={password}
          onChange={setPassword}
          error={form.errorOf('password')}
        />
        <FormError text={form.errorBeside('password')} />
      </form>
    </Sheet>
  );
}
