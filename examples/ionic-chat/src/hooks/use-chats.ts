import { useQuery } from '@apollo/client/react';
import { ChatsDocument } from '@parley/client';
import type { ChatFields } from '@parley/client';
import { useMemo } from 'react';
import { useRefetchWhenLive } from './use-refetch-when-live.ts';

/** The chats so far loaded, latest activity first; live while somebody is signed in. Undefined: not known yet. */
export function useChats() {
  const { data, error, refetch, fetchMore } = useQuery(ChatsDocument);
  const chats = useMemo(() => data?.chats.edges.map((edge): ChatFields => edge.node), [data]);
  const { hasNextPage = false, endCursor } = data?.chats.pageInfo ?? {};
  useRefetchWhenLive(error !== undefined && data === undefined, refetch);
  return {
    chats,
    error,
    refetch,
    hasMore: hasNextPage,
    loadMore: () => fetchMore({ variables: { after: endCursor } }),
  };
}
