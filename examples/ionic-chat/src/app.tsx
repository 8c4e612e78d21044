import { ApolloProvider } from '@apollo/client/react';
import { IonApp } from '@ionic/react';
import { IonReactRouter } from '@ionic/react-router';
import { useReadable } from './hooks/use-readable.ts';
import { parley } from './parley.ts';
import { SignedIn } from './signed-in.tsx';
import { SignedOut } from './signed-out.tsx';

export function App() {
  return (
    <ApolloProvider client={parley.apollo}>
      <IonApp>
        <IonReactRouter>
          <Routes />
        </IonReactRouter>
      </IonApp>
    </ApolloProvider>
  );
}

/** Two outlets, so that no page of one person is still there when the next one signs in. */
function Routes() {
  const session = useReadable(parley.session.state);
  switch (session.status) {
    case 'restoring':
      return null;
    case 'signedOut':
      return <SignedOut hasEnded={session.reason === 'ended'} />;
    case 'signedIn':
      return <SignedIn key={session.userId} />;
  }
}
