import { IonBadge, IonIcon, IonLabel, IonRouterOutlet, IonTabBar, IonTabButton, IonTabs } from '@ionic/react';
import { chatbubbles, people, personCircle } from 'ionicons/icons';
import { Navigate, Route } from 'react-router-dom';
import { useChats } from './hooks/use-chats.ts';
import { routes } from './routes.ts';
import { ChatsScreen } from './screens/chats/chats-screen.tsx';
import { PeopleScreen } from './screens/people/people-screen.tsx';
import { DevicesScreen } from './screens/profile/devices-screen.tsx';
import { ProfileScreen } from './screens/profile/profile-screen.tsx';

export function Tabs() {
  const { chats } = useChats();
  const unread = chats?.reduce((sum, chat) => sum + chat.unreadCount, 0) ?? 0;
  return (
    <IonTabs>
      <IonRouterOutlet>
        <Route path="chats" element={<ChatsScreen />} />
        <Route path="people" element={<PeopleScreen />} />
        <Route path="profile" element={<ProfileScreen />} />
        <Route path="profile/devices" element={<DevicesScreen />} />
        <Route index element={<Navigate to={routes.chats} replace />} />
      </IonRouterOutlet>
      <IonTabBar slot="bottom">
        <IonTabButton tab="chats" href={routes.chats}>
          <IonIcon icon={chatbubbles} aria-hidden="true" />
          <IonLabel>Chats</IonLabel>
          {unread > 0 && (
            <IonBadge color="danger" aria-label={`${unread} unread`}>
              {unread > 99 ? '99+' : unread}
            </IonBadge>
          )}
        </IonTabButton>
        <IonTabButton tab="people" href={routes.people}>
          <IonIcon icon={people} aria-hidden="true" />
          <IonLabel>People</IonLabel>
        </IonTabButton>
        <IonTabButton tab="profile" href={routes.profile}>
          <IonIcon icon={personCircle} aria-hidden="true" />
          <IonLabel>Profile</IonLabel>
        </IonTabButton>
      </IonTabBar>
    </IonTabs>
  );
}
