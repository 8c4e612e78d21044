import { useApolloClient } from '@apollo/client/react';
import { AddMembersDocument } from '@parley/client';
import type { ChatFields, UserFields } from '@parley/client';
import { useState } from 'react';
import { FormError } from '../../components/form-error.tsx';
import { PersonPicker } from '../../components/person-picker.tsx';
import { Sheet } from '../../components/sheet.tsx';
import { useSubmit } from '../../hooks/use-submit.ts';

interface AddPeopleModalProps {
  chat: ChatFields;
  isOpen: boolean;
  onClose: () => void;
}

export function AddPeopleModal({ chat, isOpen, onClose }: AddPeopleModalProps) {
  const [chosen, setChosen] = useState<UserFields[]>([]);
  const [search, setSearch] = useState('');
  const apollo = useApolloClient();
  const members = new Set(chat.members.map(({ user }) => user.id));
  const form = useSubmit(async () => {
    const variables = { chatId: chat.id, userIds: chosen.map(({ id }) => id) };
    await apollo.mutate({ mutation: AddMembersDocument, variables });
    close();
  });

  function close(): void {
    setChosen([]);
    setSearch('');
    form.clear();
    onClose();
  }

  return (
    <Sheet
      title="Add people"
      isOpen={isOpen}
      onClose={close}
      action={{ label: 'Add', isEnabled: chosen.length > 0 && !form.isBusy, onClick: () => void form.submit() }}
    >
      <FormError text={form.errorBeside()} />
      <PersonPicker chosen={chosen} onChange={setChosen} without={members} search={search} onSearch={setSearch} />
    </Sheet>
  );
}
