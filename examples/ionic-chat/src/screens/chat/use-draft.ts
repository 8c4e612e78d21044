import { useApolloClient } from '@apollo/client/react';
import { EditMessageDocument } from '@parley/client';
import { useState } from 'react';
import { useAct } from '../../hooks/use-act.ts';
import { parley } from '../../parley.ts';
import type { Row } from './rows.ts';

/** What was begun in each chat and not sent, until the app is left. */
const drafts = new Map<string, string>();

/** The text of the composer: of a new message, or of one that is being changed. */
export function useDraft(chatId: string, editing: Row | null, onEdited: () => void) {
  const [newText, setNewText] = useState(drafts.get(chatId) ?? '');
  const [edit, setEdit] = useState({ key: '', text: '' });
  const [isBusy, setBusy] = useState(false);
  const apollo = useApolloClient();
  const act = useAct();
  const editText = edit.key === editing?.key ? edit.text : (editing?.body ?? '');
  const text = editing ? editText : newText;
  const body = text.trim();

  function write(next: string): void {
    if (editing) return setEdit({ key: editing.key, text: next });
    setNewText(next);
    drafts.set(chatId, next);
  }

  async function submit(): Promise<void> {
    if (body === '' || isBusy) return;
    if (editing) await saveEdit(editing);
    else await sendNew();
  }

  async function sendNew(): Promise<void> {
    // At once, so that what is typed next is not taken away; back again if the device cannot keep the message.
    write('');
    const isKept = await act(() => parley.outbox.send({ chatId, body }));
    if (!isKept) write(text);
  }

  async function saveEdit({ message, body: oldBody }: Row): Promise<void> {
    if (body === oldBody) return close();
    setBusy(true);
    const input = { messageId: message!.id, body };
    const isDone = await act(() => apollo.mutate({ mutation: EditMessageDocument, variables: { input } }), {
      CONFLICT: 'This message was deleted meanwhile.',
    });
    setBusy(false);
    if (isDone) close();
  }

  /** What was typed over the old text is not there when the same message is changed again. */
  function close(): void {
    setEdit({ key: '', text: '' });
    onEdited();
  }

  return { text, write, submit, close, canSubmit: body !== '' && !isBusy };
}
