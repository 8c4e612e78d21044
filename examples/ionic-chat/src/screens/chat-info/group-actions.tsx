import { useApolloClient } from '@apollo/client/react';
import { IonIcon, IonItem, IonLabel, IonList, useIonAlert, useIonRouter } from '@ionic/react';
import { DeleteChatDocument, LeaveChatDocument } from '@parley/client';
import type { ChatFields } from '@parley/client';
import { createOutline, exitOutline, personAddOutline, trashOutline } from 'ionicons/icons';
import { useState } from 'react';
import { ownMembership } from '../../format/chats.ts';
import { mayManage } from '../../format/roles.ts';
import { useAct } from '../../hooks/use-act.ts';
import { useViewerId } from '../../hooks/use-viewer.ts';
import { routes } from '../../routes.ts';
import { AddPeopleModal } from './add-people-modal.tsx';
import { RenameModal } from './rename-modal.tsx';

export function GroupActions({ chat }: { chat: ChatFields }) {
  const [open, setOpen] = useState<'none' | 'rename' | 'add'>('none');
  const role = ownMembership(chat, useViewerId())?.role ?? 'MEMBER';
  const { leave, remove } = useWaysOut(chat);
  return (
    <>
      <IonList inset aria-label="Group">
        {mayManage(role) && (
          <>
            <ActionItem icon={createOutline} label="Rename group" onClick={() => setOpen('rename')} />
            <ActionItem icon={personAddOutline} label="Add people" onClick={() => setOpen('add')} />
          </>
        )}
        <ActionItem icon={exitOutline} label="Leave group" color="danger" onClick={leave} />
        {role === 'OWNER' && <ActionItem icon={trashOutline} label="Delete group" color="danger" onClick={remove} />}
      </IonList>
      <RenameModal chat={chat} isOpen={open === 'rename'} onClose={() => setOpen('none')} />
      <AddPeopleModal chat={chat} isOpen={open === 'add'} onClose={() => setOpen('none')} />
    </>
  );
}

function ActionItem(props: { icon: string; label: string; color?: string; onClick: () => void }) {
  const color = props.color ?? 'primary';
  return (
    <IonItem button detail={false} onClick={props.onClick}>
      <IonIcon slot="start" icon={props.icon} color={color} aria-hidden="true" />
      <IonLabel color={color}>{props.label}</IonLabel>
    </IonItem>
  );
}

/** Both ask first and end at the list of chats. */
function useWaysOut({ id: chatId }: ChatFields) {
  const [presentAlert] = useIonAlert();
  const apollo = useApolloClient();
  const router = useIonRouter();
  const act = useAct();

  function ask(header: string, message: string, text: string, goOut: () => Promise<unknown>): void {
    const handler = async () => {
      if (await act(goOut)) router.push(routes.chats, 'back', 'pop');
    };
    void presentAlert({
      header,
      message,
      buttons: [
        { text: 'Cancel', role: 'cancel' },
        { text, role: 'destructive', handler: () => void handler() },
      ],
    });
  }

  return {
    leave: () =>
      ask('Leave this group?', 'You will not see it or what is said in it any more.', 'Leave', () =>
        apollo.mutate({ mutation: LeaveChatDocument, variables: { chatId } }),
      ),
    remove: () =>
      ask('Delete this group?', 'It goes for everybody, with all that was said in it.', 'Delete', () =>
        apollo.mutate({ mutation: DeleteChatDocument, variables: { chatId } }),
      ),
  };
}
