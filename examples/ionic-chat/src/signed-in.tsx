import { IonRouterOutlet } from '@ionic/react';
import { useEffect } from 'react';
import { Navigate, Route } from 'react-router-dom';
import { parley } from './parley.ts';
import { routes } from './routes.ts';
import { ChatInfoScreen } from './screens/chat-info/chat-info-screen.tsx';
import { ChatScreen } from './screens/chat/chat-screen.tsx';
import { Tabs } from './tabs.tsx';

export function SignedIn() {
  useEffect(() => {
    const follow = parley.followChats();
    return () => follow.stop();
  }, []);
  return (
    <IonRouterOutlet>
      <Route path="/tabs/*" element={<Tabs />} />
      <Route path={routes.chat(':chatId')} element={<ChatScreen />} />
      <Route path={routes.chatInfo(':chatId')} element={<ChatInfoScreen />} />
      <Route path="*" element={<Navigate to={routes.chats} replace />} />
    </IonRouterOutlet>
  );
}
