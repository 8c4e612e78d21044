import type { ChatFields, ChatMemberFields, MessageFields, UserFields } from '@parley/client';
import { fullName } from './people.ts';
import { lastSeen } from './times.ts';

/** The other one of a direct chat; null when their account is gone, and for a group. */
export function otherPerson(chat: ChatFields, viewerId: string): UserFields | null {
  if (chat.kind !== 'DIRECT') return null;
  return chat.members.find(({ user }) => user.id !== viewerId)?.user ?? null;
}

export function titleOf(chat: ChatFields, viewerId: string): string {
  return chat.title ?? fullName(otherPerson(chat, viewerId));
}

export function ownMembership(chat: ChatFields, viewerId: string): ChatMemberFields | undefined {
  return chat.members.find(({ user }) => user.id === viewerId);
}

/** One line under the title: who is there. */
export function presenceOf(chat: ChatFields, viewerId: string, now: number): string {
  if (chat.kind === 'DIRECT') {
    const person = otherPerson(chat, viewerId);
    if (person === null) return '';
    return person.isOnline ? 'Online' : lastSeen(person.lastSeenAt, now);
  }
  const others = chat.members.filter(({ user }) => user.isOnline && user.id !== viewerId).length;
  const count = chat.members.length === 1 ? '1 member' : `${chat.members.length} members`;
  return others === 0 ? count : `${count}, ${others} online`;
}

/** One line of what was said last. Null: nothing yet. */
export function previewOf(chat: ChatFields, viewerId: string): { who: string; what: string } | null {
  const message = chat.lastMessage;
  if (!message) return null;
  const isOwn = message.author?.id === viewerId;
  const author = chat.kind === 'GROUP' ? (message.author?.firstName ?? fullName(null)) : '';
  return { who: isOwn ? 'You' : author, what: summaryOf(message) };
}

function summaryOf({ type, body, deletedAt }: MessageFields): string {
  if (deletedAt != null) return 'Deleted a message';
  if (type === 'LOCATION') return `Location: ${body}`;
  if (type === 'PHOTO') return `Photo: ${body}`;
  return body;
}
