import { useApolloClient } from '@apollo/client/react';
import { useIonRouter } from '@ionic/react';
import { CreateChatDocument } from '@parley/client';
import { routes } from '../routes.ts';
import { useAct } from './use-act.ts';

/** Opens the direct chat with somebody; the server answers the one that stands already, if there is one. */
export function useStartChat(): (userId: string) => Promise<void> {
  const apollo = useApolloClient();
  const router = useIonRouter();
  const act = useAct();
  return async (userId) => {
    await act(async () => {
      const variables = { input: { kind: 'DIRECT' as const, memberIds: [userId] } };
      const { data } = await apollo.mutate({ mutation: CreateChatDocument, variables });
      router.push(routes.chat(data!.createChat.id), 'forward', 'push');
    });
  };
}
