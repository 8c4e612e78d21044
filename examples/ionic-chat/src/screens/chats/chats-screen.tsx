import {
  IonButton,
  IonContent,
  IonFab,
  IonFabButton,
  IonIcon,
  IonInfiniteScroll,
  IonInfiniteScrollContent,
  IonList,
  IonPage,
  IonRefresher,
  IonRefresherContent,
  useIonRouter,
} from '@ionic/react';
import { ChatsDocument } from '@parley/client';
import { chatbubblesOutline, createOutline } from 'ionicons/icons';
import { EmptyState } from '../../components/empty-state.tsx';
import { ErrorState } from '../../components/error-state.tsx';
import { ListSkeleton } from '../../components/list-skeleton.tsx';
import { LargeTitle, PageHeader } from '../../components/page-header.tsx';
import { useAct } from '../../hooks/use-act.ts';
import { useChats } from '../../hooks/use-chats.ts';
import { useOnTop } from '../../hooks/use-page-active.ts';
import { usePresence } from '../../hooks/use-presence.ts';
import { isIosLook } from '../../platform.ts';
import { routes } from '../../routes.ts';
import { ChatRows } from './chat-rows.tsx';

export function ChatsScreen() {
  const { chats, error, refetch, hasMore, loadMore } = useChats();
  const router = useIonRouter();
  const act = useAct();
  const isIos = isIosLook();
  usePresence(ChatsDocument, {}, useOnTop());
  const startChat = () => router.push(routes.people, 'none', 'push');
  return (
    <IonPage>
      <PageHeader
        title="Chats"
        end={
          isIos && (
            <IonButton aria-label="New chat" onClick={startChat}>
              <IonIcon slot="icon-only" icon={createOutline} aria-hidden="true" />
            </IonButton>
          )
        }
      />
      <IonContent fullscreen>
        <LargeTitle title="Chats" />
        <IonRefresher
          slot="fixed"
          onIonRefresh={(event) => void act(() => refetch()).then(() => event.detail.complete())}
        >
          <IonRefresherContent />
        </IonRefresher>
        {chats === undefined ? (
          error === undefined ? (
            <ListSkeleton label="Loading your chats" />
          ) : (
            <ErrorState
              title="Your chats could not be loaded"
              error={error}
              onRetry={() => void act(() => refetch())}
            />
          )
        ) : chats.length === 0 ? (
          <EmptyState
            icon={chatbubblesOutline}
            title="No conversations yet"
            text="Find somebody by name and say hello."
            action={{ label: 'Find people', onClick: startChat }}
          />
        ) : (
          <IonList aria-label="Chats" className="chat-list">
            <ChatRows chats={chats} />
          </IonList>
        )}
        <IonInfiniteScroll
          disabled={!hasMore}
          onIonInfinite={(event) => void act(loadMore).then(() => event.target.complete())}
        >
          <IonInfiniteScrollContent />
        </IonInfiniteScroll>
        {!isIos && (
          <IonFab slot="fixed" vertical="bottom" horizontal="end">
            <IonFabButton aria-label="New chat" onClick={startChat}>
              <IonIcon icon={createOutline} aria-hidden="true" />
            </IonFabButton>
          </IonFab>
        )}
      </IonContent>
    </IonPage>
  );
}
