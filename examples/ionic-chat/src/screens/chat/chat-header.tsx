import { IonBackButton, IonButton, IonButtons, IonHeader, IonIcon, IonSkeletonText, IonToolbar } from '@ionic/react';
import { ChatDocument } from '@parley/client';
import type { ChatFields } from '@parley/client';
import { informationCircleOutline } from 'ionicons/icons';
import { ChatAvatar } from '../../components/avatar.tsx';
import { ConnectionStrip } from '../../components/connection-strip.tsx';
import { presenceOf, titleOf } from '../../format/chats.ts';
import { useNow } from '../../hooks/use-now.ts';
import { usePresence } from '../../hooks/use-presence.ts';
import { useReadable } from '../../hooks/use-readable.ts';
import { useViewerId } from '../../hooks/use-viewer.ts';
import { parley } from '../../parley.ts';
import { routes } from '../../routes.ts';

/** `chat` is undefined while it is on its way. */
export function ChatHeader({ chat, isOnTop }: { chat: ChatFields | undefined; isOnTop: boolean }) {
  return (
    <IonHeader>
      <IonToolbar>
        <IonButtons slot="start">
          <IonBackButton defaultHref={routes.chats} text="" aria-label="Back" />
        </IonButtons>
        {chat === undefined ? <TitleSkeleton /> : <Title chat={chat} isOnTop={isOnTop} />}
        {chat !== undefined && (
          <IonButtons slot="end">
            <IonButton
              routerLink={routes.chatInfo(chat.id)}
              aria-label={chat.kind === 'GROUP' ? 'Group info' : 'Contact info'}
            >
              <IonIcon slot="icon-only" icon={informationCircleOutline} aria-hidden="true" />
            </IonButton>
          </IonButtons>
        )}
      </IonToolbar>
      <ConnectionStrip />
    </IonHeader>
  );
}

function Title({ chat, isOnTop }: { chat: ChatFields; isOnTop: boolean }) {
  const viewerId = useViewerId();
  const now = useNow();
  const isOffline = useReadable(parley.connection) === 'offline';
  usePresence(ChatDocument, { chatId: chat.id }, isOnTop);
  return (
    <div className="chat-title">
      <ChatAvatar size="small" chat={chat} viewerId={viewerId} />
      <div>
        <h1>
          <bdi>{titleOf(chat, viewerId)}</bdi>
        </h1>
        <p>{isOffline ? '' : presenceOf(chat, viewerId, now)}</p>
      </div>
    </div>
  );
}

function TitleSkeleton() {
  return (
    <div className="chat-title" aria-hidden="true">
      <IonSkeletonText animated style={{ width: 140, height: 18 }} />
    </div>
  );
}
