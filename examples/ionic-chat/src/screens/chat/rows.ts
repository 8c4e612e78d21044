import type { MessageFields, OutboxEntry, TimelineItem } from '@parley/client';
import type { Person } from '../../format/people.ts';
import { isSameDay } from '../../format/times.ts';

/** One message as the chat shows it, whether the server has it or it still waits here: the change between is a tick. */
export interface Row {
  key: string;
  /** Null while it waits. */
  seq: number | null;
  message: MessageFields | null;
  entry: OutboxEntry | null;
  isOwn: boolean;
  /** Null: the viewer, whose message waits, or an account that is gone. */
  author: Person | null;
  type: MessageFields['type'];
  body: string;
  extraData: unknown;
  at: string;
  isEdited: boolean;
  isDeleted: boolean;
  state: 'waiting' | 'sent' | 'read' | 'failed';
  startsDay: boolean;
  /** First of several of one author, with no long pause between. */
  startsRun: boolean;
  /** First that the viewer had not read when the chat was opened. */
  startsUnread: boolean;
}

const PAUSE_MS = 10 * 60_000;

/** What the viewer had not read when the chat was opened: so many messages of others, of this stretch of seq. */
export interface Unread {
  count: number;
  after: number;
  upTo: number;
}

/** `unread` null: nothing was. */
export function toRows(items: readonly TimelineItem[], viewerId: string, unread: Unread | null): Row[] {
  const rows: Row[] = [];
  const firstUnread = unread === null ? null : firstUnreadKey(items, viewerId, unread);
  for (const item of items) {
    const row = item.kind === 'message' ? ofMessage(item.key, item.message, viewerId) : ofEntry(item.key, item.entry);
    const before = rows.at(-1);
    row.startsDay = before === undefined || !isSameDay(before.at, row.at);
    row.startsUnread = row.key === firstUnread;
    row.startsRun = row.startsDay || row.startsUnread || !isSameRun(before!, row);
    rows.push(row);
  }
  return rows;
}

function ofMessage(key: string, message: MessageFields, viewerId: string): Row {
  const { seq, type, body, extraData, author, createdAt, editedAt, deletedAt, isRead } = message;
  const facts = { key, seq, type, body, extraData, message, entry: null, at: createdAt, author: author ?? null };
  return {
    ...facts,
    ...NO_STARTS,
    isOwn: author?.id === viewerId,
    isEdited: editedAt != null && deletedAt == null,
    isDeleted: deletedAt != null,
    state: isRead ? 'read' : 'sent',
  };
}

function ofEntry(key: string, entry: OutboxEntry): Row {
  const { type, body, extraData, queuedAt, status } = entry;
  const facts = { key, type, body, extraData, entry, seq: null, message: null, at: queuedAt, author: null };
  const state = status === 'failed' ? 'failed' : 'waiting';
  return { ...facts, ...NO_STARTS, state, isOwn: true, isEdited: false, isDeleted: false };
}

const NO_STARTS = { startsDay: false, startsRun: false, startsUnread: false };

/** Null while not all of them are loaded: the first one is among those that are not. */
function firstUnreadKey(items: readonly TimelineItem[], viewerId: string, unread: Unread): string | null {
  const loaded = items.filter(
    (item) => item.kind === 'message' && item.message.author?.id !== viewerId && isWithin(item.message.seq, unread),
  );
  return loaded.length < unread.count ? null : (loaded[0]?.key ?? null);
}

function isWithin(seq: number, { after, upTo }: Unread): boolean {
  return seq > after && seq <= upTo;
}

function isSameRun(a: Row, b: Row): boolean {
  if (a.isOwn !== b.isOwn || (!a.isOwn && a.author?.id !== b.author?.id)) return false;
  return Date.parse(b.at) - Date.parse(a.at) < PAUSE_MS;
}
