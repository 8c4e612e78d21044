import { IonContent, IonFooter, IonPage, useIonRouter } from '@ionic/react';
import { chatbubblesOutline } from 'ionicons/icons';
import { useEffect, useState } from 'react';
import { useParams } from 'react-router-dom';
import { EmptyState } from '../../components/empty-state.tsx';
import { ErrorState } from '../../components/error-state.tsx';
import { useAct, useSay } from '../../hooks/use-act.ts';
import { useChat } from '../../hooks/use-chat.ts';
import { useOnTop } from '../../hooks/use-page-active.ts';
import { routes } from '../../routes.ts';
import { ChatHeader } from './chat-header.tsx';
import { ChatSkeleton } from './chat-skeleton.tsx';
import { Composer } from './composer.tsx';
import { MessageList } from './message-list.tsx';
import type { Row } from './rows.ts';
import { useFollow, useHistory, useUnread } from './use-history.ts';

export function ChatScreen() {
  const { chatId = '' } = useParams<{ chatId: string }>();
  const isOnTop = useOnTop();
  return (
    <IonPage>
      <OpenChat key={chatId} chatId={chatId} isOnTop={isOnTop} />
    </IonPage>
  );
}

function OpenChat({ chatId, isOnTop }: { chatId: string; isOnTop: boolean }) {
  const { chat, error: chatError, refetch: refetchChat } = useChat(chatId);
  const { rows, hasOlder, error, refetch } = useHistory(chatId, useUnread(chatId));
  const [editing, setEditing] = useState<Row | null>(null);
  const router = useIonRouter();
  const act = useAct();
  const say = useSay();

  const endedBy = useFollow(chatId);
  const [wasHere, setWasHere] = useState(false);
  if (chat && !wasHere) setWasHere(true);
  const isTakenAway = endedBy !== null && wasHere && isOnTop;
  useEffect(() => {
    if (!isTakenAway) return;
    say(endedBy === 'NOT_FOUND' ? 'You are no longer in this chat.' : 'This chat cannot be followed any more.');
    router.push(routes.chats, 'back', 'pop');
    // Once, when it is taken away.
    // oxlint-disable-next-line react/exhaustive-deps
  }, [isTakenAway]);

  const failure = chatError ?? error;
  const isGone = chat === null;
  return (
    <>
      <ChatHeader chat={chat ?? undefined} isOnTop={isOnTop} />
      <IonContent scrollY={false}>
        {isGone ? (
          <EmptyState
            icon={chatbubblesOutline}
            title="This chat is not here"
            text="It was deleted, or you are not a member of it."
            action={{ label: 'Back to your chats', onClick: () => router.push(routes.chats, 'back', 'replace') }}
          />
        ) : chat && rows ? (
          <MessageList chat={chat} rows={rows} hasOlder={hasOlder} isOnTop={isOnTop} onEdit={setEditing} />
        ) : failure === undefined ? (
          <ChatSkeleton />
        ) : (
          <ErrorState
            title="This chat could not be loaded"
            error={failure}
            onRetry={() => void act(() => Promise.all([refetchChat(), refetch()]))}
          />
        )}
      </IonContent>
      {!isGone && (
        <IonFooter>
          <Composer chatId={chatId} editing={editing} onEdited={() => setEditing(null)} />
        </IonFooter>
      )}
    </>
  );
}
