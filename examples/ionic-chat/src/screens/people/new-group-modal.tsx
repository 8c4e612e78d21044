import { useApolloClient } from '@apollo/client/react';
import { useIonRouter } from '@ionic/react';
import { CreateChatDocument } from '@parley/client';
import type { UserFields } from '@parley/client';
import { useState } from 'react';
import { FormError } from '../../components/form-error.tsx';
import { PersonPicker } from '../../components/person-picker.tsx';
import { Sheet } from '../../components/sheet.tsx';
import { TextField } from '../../components/text-field.tsx';
import { useSubmit } from '../../hooks/use-submit.ts';
import { routes } from '../../routes.ts';

export function NewGroupModal({ isOpen, onClose }: { isOpen: boolean; onClose: () => void }) {
  const [title, setTitle] = useState('');
  const [chosen, setChosen] = useState<UserFields[]>([]);
  const [search, setSearch] = useState('');
  const apollo = useApolloClient();
  const router = useIonRouter();

  const form = useSubmit(async () => {
    const input = { kind: 'GROUP' as const, title: title.trim(), memberIds: chosen.map(({ id }) => id) };
    const { data } = await apollo.mutate({ mutation: CreateChatDocument, variables: { input } });
    close();
    router.push(routes.chat(data!.createChat.id), 'forward', 'push');
  });

  function close(): void {
    setTitle('');
    setChosen([]);
    setSearch('');
    form.clear();
    onClose();
  }

  return (
    <Sheet
      title="New group"
      isOpen={isOpen}
      onClose={close}
      action={{ label: 'Create', isEnabled: title.trim() !== '' && !form.isBusy, onClick: () => void form.submit() }}
    >
      <form className="sheet-form" onSubmit={form.onSubmit}>
        <TextField
          label="Group name"
          autocomplete="off"
          maxlength={120}
          value={title}
          onChange={setTitle}
          error={form.errorOf('title')}
        />
        <FormError text={form.errorBeside('title')} />
      </form>
      <PersonPicker chosen={chosen} onChange={setChosen} search={search} onSearch={setSearch} />
    </Sheet>
  );
}
