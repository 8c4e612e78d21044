import type { ApolloClient } from '@apollo/client';
import { findFirst } from './cache.ts';
import type { ParleyCache } from './cache.ts';
import { ChatHistoryDocument } from './generated/graphql.ts';

/** Pages of history towards its beginning, one at a time however often a view asks. */
export function createOlderPages(apollo: ApolloClient, cache: ParleyCache) {
  const loading = new Map<string, Promise<boolean>>();

  async function load(chatId: string): Promise<boolean> {
    const first = findFirst(cache, chatId);
    if (first?.seq === 1) return false;
    await apollo.query({
      query: ChatHistoryDocument,
      variables: { chatId, before: first?.cursor ?? null },
      fetchPolicy: 'network-only',
    });
    return findFirst(cache, chatId)?.seq !== 1;
  }

  return (chatId: string): Promise<boolean> => {
    const own = loading.get(chatId) ?? load(chatId).finally(() => loading.delete(chatId));
    loading.set(chatId, own);
    return own;
  };
}
