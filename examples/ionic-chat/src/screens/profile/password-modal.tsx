import { useApolloClient } from '@apollo/client/react';
import { ChangePasswordDocument } from '@parley/client';
import { useState } from 'react';
import { FormError } from '../../components/form-error.tsx';
import { Sheet } from '../../components/sheet.tsx';
import { TextField } from '../../components/text-field.tsx';
import { useSay } from '../../hooks/use-act.ts';
import { useSubmit } from '../../hooks/use-submit.ts';

export function PasswordModal({ isOpen, onClose }: { isOpen: boolean; onClose: () => void }) {
  const [currentPassword, setCurrent] = useState('');
  const [newPassword, setNew] = useState('');
  const apollo = useApolloClient();
  const say = useSay();
  const form = useSubmit(
    async () => {
      const variables = { currentPassword, newPassword };
      await apollo.mutate({ mutation: ChangePasswordDocument, variables });
      close();
      say('Your password was changed. All other devices were signed out.');
    },
    { INVALID_CREDENTIALS: 'The current password is not right.' },
  );

  function close(): void {
    setCurrent('');
    setNew('');
    form.clear();
    onClose();
  }

  const isComplete = currentPassword !== '' && newPassword !== '';
  return (
    <Sheet
      title="Change password"
      isOpen={isOpen}
      onClose={close}
      action={{ label: 'Save', isEnabled: isComplete && !form.isBusy, onClick: () => void form.submit() }}
    >
      <form className="sheet-form" onSubmit={form.onSubmit}>
        <TextField
          label="Current password"
          type="password"
          autocomplete="current-password"
          value={currentPassword}
          onChange={setCurrent}
          error={form.errorOf('currentPassword')}
        />
        <TextField
          label="New password"
          type="password"
          autocomplete="new-password"
          hint="At least 8 characters. All other devices are signed out."
          value={newPassword}
          onChange={setNew}
          error={form.errorOf('newPassword')}
        />
        <FormError text={form.errorBeside('currentPassword', 'newPassword')} />
      </form>
    </Sheet>
  );
}
