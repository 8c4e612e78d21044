import { IonAvatar, IonIcon } from '@ionic/react';
import type { ChatFields } from '@parley/client';
import { people, person } from 'ionicons/icons';
import { useState } from 'react';
import { otherPerson } from '../format/chats.ts';
import { colourOf, initials } from '../format/people.ts';
import type { Person } from '../format/people.ts';
import { useReadable } from '../hooks/use-readable.ts';
import { parley } from '../parley.ts';

interface AvatarProps {
  slot?: string;
  size?: 'small' | 'large';
}

/** Decoration: the name always stands beside it. Only `isOnline` is said to those who do not see it. */
export function PersonAvatar({ user, showsPresence, ...props }: AvatarProps & PersonAvatarProps) {
  const [hasFailed, setFailed] = useState(false);
  // Who is online is not known to who is not.
  const isOffline = useReadable(parley.connection) === 'offline';
  if (!user) {
    return (
      <AvatarFrame {...props} colour="none">
        <IonIcon icon={person} aria-hidden="true" />
      </AvatarFrame>
    );
  }
  return (
    <AvatarFrame
      {...props}
      colour={colourOf(user.id)}
      isOnline={showsPresence === true && user.isOnline === true && !isOffline}
    >
      {user.avatarUrl != null && !hasFailed ? (
        <img src={user.avatarUrl} alt="" onError={() => setFailed(true)} />
      ) : (
        <span aria-hidden="true">{initials(user.firstName, user.lastName)}</span>
      )}
    </AvatarFrame>
  );
}

interface PersonAvatarProps {
  user: Person | null | undefined;
  showsPresence?: boolean;
}

export function ChatAvatar({ chat, viewerId, ...props }: AvatarProps & { chat: ChatFields; viewerId: string }) {
  if (chat.kind === 'DIRECT') return <PersonAvatar {...props} user={otherPerson(chat, viewerId)} showsPresence />;
  return (
    <AvatarFrame {...props} colour={colourOf(chat.id)}>
      <IonIcon icon={people} aria-hidden="true" />
    </AvatarFrame>
  );
}

interface AvatarFrameProps extends AvatarProps {
  colour: number | 'none';
  isOnline?: boolean;
  children: React.ReactNode;
}

function AvatarFrame({ slot, size, colour, isOnline = false, children }: AvatarFrameProps) {
  return (
    <IonAvatar slot={slot} className={`avatar avatar-${colour} ${size === undefined ? '' : `avatar-${size}`}`}>
      {children}
      {isOnline && <span className="online-dot" role="img" aria-label="Online" />}
    </IonAvatar>
  );
}
