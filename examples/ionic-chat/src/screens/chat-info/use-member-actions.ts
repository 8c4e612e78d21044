import { useApolloClient } from '@apollo/client/react';
import { useIonActionSheet, useIonAlert } from '@ionic/react';
import type { ActionSheetButton } from '@ionic/react';
import { ChangeRoleDocument, RemoveMemberDocument } from '@parley/client';
import type { ChatMemberFields, ChatRole } from '@parley/client';
import { chatbubbleOutline, close, personRemoveOutline, ribbonOutline } from 'ionicons/icons';
import { fullName } from '../../format/people.ts';
import { mayChangeRoles, mayRemove, ROLE_NAMES } from '../../format/roles.ts';
import { useAct } from '../../hooks/use-act.ts';
import { useStartChat } from '../../hooks/use-start-chat.ts';

const ROLES: readonly ChatRole[] = ['OWNER', 'ADMIN', 'MEMBER'];

/** What can be done about another member: what the viewer may not do is not offered. */
export function useMemberActions(chatId: string, viewerRole: ChatRole): (member: ChatMemberFields) => void {
  const [presentSheet] = useIonActionSheet();
  const [presentAlert] = useIonAlert();
  const apollo = useApolloClient();
  const startChat = useStartChat();
  const act = useAct();

  function changeRole(userId: string, role: ChatRole): void {
    void act(() => apollo.mutate({ mutation: ChangeRoleDocument, variables: { chatId, userId, role } }));
  }

  function confirmRemoval({ user }: ChatMemberFields): void {
    const variables = { chatId, userId: user.id };
    const removal = () => apollo.mutate({ mutation: RemoveMemberDocument, variables });
    void presentAlert({
      header: `Remove ${fullName(user)}?`,
      message: 'They will not see this group or what is said in it any more.',
      buttons: [
        { text: 'Cancel', role: 'cancel' },
        { text: 'Remove', role: 'destructive', handler: () => void act(removal) },
      ],
    });
  }

  return (member) => {
    const { user, role } = member;
    const buttons: ActionSheetButton[] = [
      { text: 'Send a message', icon: chatbubbleOutline, handler: () => void startChat(user.id) },
    ];
    if (mayChangeRoles(viewerRole)) {
      for (const next of ROLES.filter((other) => other !== role)) {
        const text = `Make ${ROLE_NAMES[next].toLowerCase()}`;
        buttons.push({ text, icon: ribbonOutline, handler: () => changeRole(user.id, next) });
      }
    }
    if (mayRemove(viewerRole, role)) {
      const handler = () => confirmRemoval(member);
      buttons.push({ text: 'Remove from group', icon: personRemoveOutline, role: 'destructive', handler });
    }
    buttons.push({ text: 'Cancel', icon: close, role: 'cancel' });
    void presentSheet({ header: fullName(user), buttons });
  };
}
