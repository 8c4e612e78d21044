import { useApolloClient } from '@apollo/client/react';
import { useIonActionSheet, useIonAlert } from '@ionic/react';
import type { ActionSheetButton } from '@ionic/react';
import { DeleteMessageDocument } from '@parley/client';
import { close, copyOutline, createOutline, trashOutline } from 'ionicons/icons';
import { useCallback, useLayoutEffect, useRef } from 'react';
import { useAct, useSay } from '../../hooks/use-act.ts';
import type { Row } from './rows.ts';

interface MessageActionsOptions {
  /** An owner or an admin. */
  mayDeleteAny: boolean;
  onEdit: (row: Row) => void;
}

/** The menu of one message. */
export function useMessageActions({ mayDeleteAny, onEdit }: MessageActionsOptions): (row: Row) => void {
  const [presentSheet] = useIonActionSheet();
  const [presentAlert] = useIonAlert();
  const apollo = useApolloClient();
  const act = useAct();
  const say = useSay();

  function confirmDelete({ message }: Row): void {
    const deletion = () => apollo.mutate({ mutation: DeleteMessageDocument, variables: { messageId: message!.id } });
    void presentAlert({
      header: 'Delete this message?',
      message: 'Everybody in this chat will see that a message was deleted, and no longer what it said.',
      buttons: [
        { text: 'Cancel', role: 'cancel' },
        { text: 'Delete', role: 'destructive', handler: () => void act(deletion) },
      ],
    });
  }

  function copy(row: Row): void {
    navigator.clipboard.writeText(row.body).then(
      () => say('Copied.'),
      () => say('The text could not be copied.'),
    );
  }

  function buttonsFor(row: Row): ActionSheetButton[] {
    const buttons: ActionSheetButton[] = [];
    if (row.isOwn && row.message && row.type === 'TEXT')
      buttons.push({ text: 'Edit', icon: createOutline, data: () => onEdit(row) });
    buttons.push({ text: 'Copy text', icon: copyOutline, data: () => copy(row) });
    if (row.message && (row.isOwn || mayDeleteAny))
      buttons.push({ text: 'Delete', icon: trashOutline, role: 'destructive', data: () => confirmDelete(row) });
    return buttons;
  }

  function open(row: Row): void {
    if (row.isDeleted) return;
    void presentSheet({
      buttons: [...buttonsFor(row), { text: 'Cancel', icon: close, role: 'cancel' }],
      // Once it is gone: it gives the focus back to where it was, and what is done next may take it.
      onDidDismiss: ({ detail }) => (detail.data as (() => void) | undefined)?.(),
    });
  }

  // One function for all rows and renders, so that rows need not render again.
  const newest = useRef(open);
  useLayoutEffect(() => {
    newest.current = open;
  });
  return useCallback((row: Row) => newest.current(row), []);
}
