import { IonContent, IonPage, useIonRouter } from '@ionic/react';
import { chatbubblesOutline } from 'ionicons/icons';
import { useParams } from 'react-router-dom';
import { ChatAvatar } from '../../components/avatar.tsx';
import { EmptyState } from '../../components/empty-state.tsx';
import { ErrorState } from '../../components/error-state.tsx';
import { ListSkeleton } from '../../components/list-skeleton.tsx';
import { PageHeader } from '../../components/page-header.tsx';
import { presenceOf, titleOf } from '../../format/chats.ts';
import { useNow } from '../../hooks/use-now.ts';
import { useViewerId } from '../../hooks/use-viewer.ts';
import { routes } from '../../routes.ts';
import { useChat } from '../../hooks/use-chat.ts';
import { GroupActions } from './group-actions.tsx';
import { MemberList } from './member-list.tsx';

export function ChatInfoScreen() {
  const { chatId = '' } = useParams<{ chatId: string }>();
  const { chat, error, refetch } = useChat(chatId);
  const viewerId = useViewerId();
  const now = useNow();
  const router = useIonRouter();
  const isGroup = chat?.kind === 'GROUP';
  return (
    <IonPage>
      <PageHeader title={chat?.kind === 'DIRECT' ? 'Contact info' : 'Group info'} backTo={routes.chat(chatId)} />
      <IonContent className="grouped">
        {chat ? (
          <>
            <div className="profile-head">
              <ChatAvatar size="large" chat={chat} viewerId={viewerId} />
              <h2>
                <bdi>{titleOf(chat, viewerId)}</bdi>
              </h2>
              <p>{presenceOf(chat, viewerId, now)}</p>
            </div>
            {isGroup && <GroupActions chat={chat} />}
            {isGroup && <MemberList chat={chat} />}
          </>
        ) : error !== undefined ? (
          <ErrorState title="This could not be loaded" error={error} onRetry={() => void refetch().catch(() => {})} />
        ) : chat === undefined ? (
          <ListSkeleton label="Loading" rows={5} />
        ) : (
          <EmptyState
            icon={chatbubblesOutline}
            title="This chat is not here"
            text="It was deleted, or you are not a member of it."
            action={{ label: 'Back to your chats', onClick: () => router.push(routes.chats, 'back', 'replace') }}
          />
        )}
      </IonContent>
    </IonPage>
  );
}
