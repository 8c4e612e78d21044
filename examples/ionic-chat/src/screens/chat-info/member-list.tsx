import { IonItem, IonLabel, IonList, IonListHeader, IonNote } from '@ionic/react';
import type { ChatFields, ChatMemberFields } from '@parley/client';
import { PersonAvatar } from '../../components/avatar.tsx';
import { ownMembership } from '../../format/chats.ts';
import { fullName } from '../../format/people.ts';
import { ROLE_NAMES } from '../../format/roles.ts';
import { lastSeen } from '../../format/times.ts';
import { useNow } from '../../hooks/use-now.ts';
import { useViewerId } from '../../hooks/use-viewer.ts';
import { useMemberActions } from './use-member-actions.ts';

export function MemberList({ chat }: { chat: ChatFields }) {
  const viewerId = useViewerId();
  const now = useNow();
  const role = ownMembership(chat, viewerId)?.role ?? 'MEMBER';
  const openActions = useMemberActions(chat.id, role);
  return (
    <IonList inset aria-label="Members">
      <IonListHeader>Members</IonListHeader>
      {chat.members.map((member) => (
        <MemberItem
          key={member.user.id}
          member={member}
          isViewer={member.user.id === viewerId}
          now={now}
          onClick={() => openActions(member)}
        />
      ))}
    </IonList>
  );
}

interface MemberItemProps {
  member: ChatMemberFields;
  isViewer: boolean;
  now: number;
  onClick: () => void;
}

function MemberItem({ member: { user, role }, isViewer, now, onClick }: MemberItemProps) {
  const name = fullName(user);
  return (
    <IonItem button={!isViewer} detail={false} onClick={isViewer ? undefined : onClick}>
      <PersonAvatar slot="start" user={user} showsPresence={!isViewer} />
      <IonLabel>
        <h2>
          <bdi>{isViewer ? `${name} (you)` : name}</bdi>
        </h2>
        <p>{isViewer || user.isOnline ? 'Online' : lastSeen(user.lastSeenAt, now)}</p>
      </IonLabel>
      {role !== 'MEMBER' && <IonNote slot="end">{ROLE_NAMES[role]}</IonNote>}
    </IonItem>
  );
}
