import { useApolloClient } from '@apollo/client/react';
import { UpdateProfileDocument } from '@parley/client';
import type { UserFields } from '@parley/client';
import { useState } from 'react';
import { FormError } from '../../components/form-error.tsx';
import { Sheet } from '../../components/sheet.tsx';
import { TextField } from '../../components/text-field.tsx';
import { useSubmit } from '../../hooks/use-submit.ts';

interface EditNameModalProps {
  viewer: UserFields;
  isOpen: boolean;
  onClose: () => void;
}

export function EditNameModal({ viewer, isOpen, onClose }: EditNameModalProps) {
  const [firstName, setFirstName] = useState(viewer.firstName);
  const [lastName, setLastName] = useState(viewer.lastName);
  const apollo = useApolloClient();
  const form = useSubmit(async () => {
    await apollo.mutate({ mutation: UpdateProfileDocument, variables: { input: { firstName, lastName } } });
    onClose();
  });
  const isComplete = firstName.trim() !== '' && lastName.trim() !== '';
  return (
    <Sheet
      title="Edit name"
      isOpen={isOpen}
      onClose={onClose}
      action={{ label: 'Save', isEnabled: isComplete && !form.isBusy, onClick: () => void form.submit() }}
    >
      <form className="sheet-form" onSubmit={form.onSubmit}>
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
        <FormError text={form.errorBeside('firstName', 'lastName')} />
      </form>
    </Sheet>
  );
}
