import type { MessageFieldsFragment } from './generated/graphql.ts';
import type { OutboxEntry } from './outbox-store.ts';

/** A row of a chat's screen. Its key is the same before and after the message was sent. */
export type TimelineItem =
  | { key: string; kind: 'message'; message: MessageFieldsFragment }
  | { key: string; kind: 'pending'; entry: OutboxEntry };

/** History, and behind it what waits to be sent: of one chat, an entry whose message is there already left out. */
export function toTimeline(
  messages: readonly MessageFieldsFragment[],
  entries: readonly OutboxEntry[],
): TimelineItem[] {
  const items = messages.map((message): TimelineItem => {
    const key = message.clientId === null ? message.id : `${message.author?.id}:${message.clientId}`;
    return { key, kind: 'message', message };
  });
  const keys = new Set(items.map(({ key }) => key));
  for (const entry of entries) {
    const key = `${entry.userId}:${entry.clientId}`;
    if (!keys.has(key)) items.push({ key, kind: 'pending', entry });
  }
  return items;
}
