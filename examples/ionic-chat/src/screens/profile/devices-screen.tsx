import { useApolloClient, useQuery } from '@apollo/client/react';
import {
  IonContent,
  IonItem,
  IonLabel,
  IonList,
  IonPage,
  IonRefresher,
  IonRefresherContent,
  useIonViewWillEnter,
} from '@ionic/react';
import { RevokeSessionsDocument, SessionsDocument } from '@parley/client';
import { ErrorState } from '../../components/error-state.tsx';
import { ListSkeleton } from '../../components/list-skeleton.tsx';
import { PageHeader } from '../../components/page-header.tsx';
import { useAct } from '../../hooks/use-act.ts';
import { useNow } from '../../hooks/use-now.ts';
import { routes } from '../../routes.ts';
import { DeviceItem } from './device-item.tsx';

export function DevicesScreen() {
  const { data, error, refetch } = useQuery(SessionsDocument, { fetchPolicy: 'cache-and-network' });
  const apollo = useApolloClient();
  const act = useAct();
  const now = useNow();
  // The page stays in its tab; other devices come and go meanwhile.
  useIonViewWillEnter(() => void refetch().catch(() => {}));

  /** Without an id: all but this one. */
  const revoke = (id?: string) =>
    void act(async () => {
      await apollo.mutate({ mutation: RevokeSessionsDocument, variables: { id } });
      await refetch();
    });

  return (
    <IonPage>
      <PageHeader title="Devices" backTo={routes.profile} />
      <IonContent className="grouped">
        <IonRefresher
          slot="fixed"
          onIonRefresh={(event) => void act(() => refetch()).then(() => event.detail.complete())}
        >
          <IonRefresherContent />
        </IonRefresher>
        {data ? (
          <>
            <IonList inset aria-label="Devices">
              {data.sessions.map((session) => (
                <DeviceItem key={session.id} session={session} now={now} onRevoke={() => revoke(session.id)} />
              ))}
            </IonList>
            {data.sessions.length > 1 && (
              <IonList inset aria-label="All devices">
                <IonItem button detail={false} onClick={() => revoke()}>
                  <IonLabel color="danger">Sign out all other devices</IonLabel>
                </IonItem>
              </IonList>
            )}
          </>
        ) : error === undefined ? (
          <ListSkeleton rows={3} label="Loading your devices" />
        ) : (
          <ErrorState
            title="Your devices could not be loaded"
            error={error}
            onRetry={() => void refetch().catch(() => {})}
          />
        )}
      </IonContent>
    </IonPage>
  );
}
