import { useApolloClient } from '@apollo/client/react';
import { UpdateChatDocument } from '@parley/client';
import type { ChatFields } from '@parley/client';
import { useState } from 'react';
import { FormError } from '../../components/form-error.tsx';
import { Sheet } from '../../components/sheet.tsx';
import { TextField } from '../../components/text-field.tsx';
import { useSubmit } from '../../hooks/use-submit.ts';

interface RenameModalProps {
  chat: ChatFields;
  isOpen: boolean;
  onClose: () => void;
}

export function RenameModal({ chat, isOpen, onClose }: RenameModalProps) {
  const [title, setTitle] = useState(chat.title ?? '');
  const apollo = useApolloClient();
  const form = useSubmit(async () => {
    const input = { chatId: chat.id, title: title.trim() };
    await apollo.mutate({ mutation: UpdateChatDocument, variables: { input } });
    onClose();
  });
  return (
    <Sheet
      title="Rename group"
      isOpen={isOpen}
      onClose={onClose}
      action={{ label: 'Save', isEnabled: title.trim() !== '' && !form.isBusy, onClick: () => void form.submit() }}
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
    </Sheet>
  );
}
