import { useQuery } from '@apollo/client/react';
import { ChatHistoryDocument, toTimeline } from '@parley/client';
import type { ChatFields, MessageFields } from '@parley/client';
import { useEffect, useMemo, useState } from 'react';
import { ownMembership } from '../../format/chats.ts';
import { useChat } from '../../hooks/use-chat.ts';
import { useReadable } from '../../hooks/use-readable.ts';
import { useRefetchWhenLive } from '../../hooks/use-refetch-when-live.ts';
import { useViewerId } from '../../hooks/use-viewer.ts';
import { parley } from '../../parley.ts';
import { toRows } from './rows.ts';
import type { Unread } from './rows.ts';

/** What was said, with what waits to be sent, as rows. Undefined: not known yet. */
export function useHistory(chatId: string, unread: Unread | null) {
  const viewerId = useViewerId();
  const { data, error, refetch } = useQuery(ChatHistoryDocument, { variables: { chatId } });
  const entries = useReadable(parley.outbox.entries);
  const messages = data?.chat?.messages;
  const hasOlder = messages?.pageInfo.hasPreviousPage ?? false;
  useRefetchWhenLive(error !== undefined && messages === undefined, refetch);
  const rows = useMemo(() => {
    if (!messages) return undefined;
    const own = entries.filter((entry) => entry.chatId === chatId);
    const nodes = messages.edges.map((edge): MessageFields => edge.node);
    const all = toRows(toTimeline(nodes, own), viewerId, unread);
    // How a row looks depends on the one before it. The first of those loaded waits for its own, or it would change its
    // height when that comes, and move what is in the window.
    return hasOlder ? all.slice(1) : all;
  }, [messages, entries, chatId, viewerId, unread, hasOlder]);
  return { rows, hasOlder, error, refetch };
}

/** Keeps the chat live while it is there. Answers why it cannot be followed any more: the code, or null. */
export function useFollow(chatId: string): string | null {
  const [endedBy, setEndedBy] = useState<string | null>(null);
  useEffect(() => {
    const follow = parley.followChat(chatId);
    const look = () => {
      const state = follow.state.get();
      setEndedBy(state.status === 'ended' ? state.code : null);
    };
    const stopLooking = follow.state.subscribe(look);
    look();
    return () => {
      stopLooking();
      follow.stop();
    };
  }, [chatId]);
  return endedBy;
}

/** What was unread when the chat was opened. Null: nothing, or not known yet. */
export function useUnread(chatId: string): Unread | null {
  const viewerId = useViewerId();
  const { chat } = useChat(chatId);
  const [unread, setUnread] = useState<Unread | null>();
  if (chat && unread === undefined) setUnread(unreadOf(chat, viewerId));
  return unread ?? null;
}

function unreadOf(chat: ChatFields, viewerId: string): Unread | null {
  const { unreadCount: count, lastMessage } = chat;
  if (count === 0 || !lastMessage) return null;
  return { count, after: ownMembership(chat, viewerId)?.lastReadSeq ?? 0, upTo: lastMessage.seq };
}
