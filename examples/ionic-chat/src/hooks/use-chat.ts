import { useQuery } from '@apollo/client/react';
import { ChatDocument } from '@parley/client';
import { useRefetchWhenLive } from './use-refetch-when-live.ts';

/** A chat's title, members and what they have read. Null: there is no such chat for this viewer; undefined: not known yet. */
export function useChat(chatId: string) {
  const { data, error, refetch } = useQuery(ChatDocument, { variables: { chatId } });
  useRefetchWhenLive(error !== undefined && data === undefined, refetch);
  return { chat: data?.chat, error, refetch };
}
