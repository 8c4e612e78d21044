import { hash } from 'node:crypto';
import type { Viewer } from '../../auth/viewer.ts';
import type { Cancellation } from '../../cancellation.ts';
import { BadUserInputError, ConflictError, NotFoundError } from '../../errors.ts';
import type { MessageType } from '../../generated/prisma/client.ts';
import { LIMITS, readExtraData, readId, readText } from '../../input-rules.ts';
import { keptJsonBytes } from '../../json-length.ts';
import type { Metrics } from '../../metrics/metrics.ts';
import type { Page, PageRequest } from '../../persistence/paging.ts';
import type { RateLimits } from '../../rate-limits/rate-limits.ts';
import type { ChangeAnnouncer } from '../../realtime/change-announcer.ts';
import type { ChatFeeds } from '../../realtime/chat-feeds.ts';
import type { LiveCursor } from '../../realtime/live-cursor.ts';
import type { Share } from '../../realtime/lane.ts';
import type { ChatRow } from '../chats/chat-store.ts';
import type { ChatService } from '../chats/chat-service.ts';
import { assertCanDelete, assertCanEdit } from './message-policy.ts';
import type { MessageRow, MessageStore, MessageView } from './message-store.ts';

export interface SendInput {
  chatId: string;
  body: string;
  type?: MessageType | null;
  extraData?: unknown;
  clientId?: string | null;
}

export interface EditInput {
  messageId: string;
  body: string;
  /** Undefined: stays as it is. Null: taken away. */
  extraData?: unknown;
}

export interface MessageServiceOptions {
  store: MessageStore;
  chats: ChatService;
  announcer: ChangeAnnouncer<MessageRow>;
  chatFeeds: ChatFeeds<MessageRow>;
  rateLimits: Pick<RateLimits, 'countWriting'>;
  metrics: Metrics;
}

/** Messages that lose their author in one statement. Who reads a chat meanwhile may have to wait for it with their mark. */
const UNLINKED_TOGETHER = 5_000;

export type MessageService = ReturnType<typeof createMessageService>;

export function createMessageService(options: MessageServiceOptions) {
  const { store, chats, announcer, chatFeeds, rateLimits, metrics } = options;

  /** @throws NotFoundError when the viewer may not see such a message. */
  async function get(viewer: Viewer, field: string, id: string) {
    const found = await store.findForMember(readId(field, id), viewer.userId);
    if (!found) throw new NotFoundError();
    return found;
  }

  return {
    /**
     * Keeps the message, then tells whoever listens. Sent again under the same client id, it answers the message that
     * stands and tells nobody.
     *
     * @throws ConflictError when the client id stands for another message.
     * @throws RateLimitedError
     */
    async send(viewer: Viewer, input: SendInput): Promise<MessageRow> {
      const type = input.type ?? 'TEXT';
      const body = readText('input.body', input.body, LIMITS.body);
      const extraData = readExtraData('input.extraData', input.extraData);
      const clientId = input.clientId == null ? null : readText('input.clientId', input.clientId, LIMITS.clientId);
      await rateLimits.countWriting(viewer.userId, sizeOf(body, extraData));
      const sentHash = clientId === null ? null : fingerprint(type, body, extraData);
      const sent = await store.insert({
        chatId: readId('input.chatId', input.chatId),
        authorId: viewer.userId,
        type,
        body,
        extraData,
        clientId,
        sentHash,
      });
      if (!sent) throw new NotFoundError();
      if (sent.isNew) {
        metrics.messageSent();
        announcer.messageWritten({ ...sent, kind: 'added' });
      } else if (sentHash !== sent.sentHash) throw new ConflictError('Another message was sent under this clientId.');
      return sent.message;
    },

    /** @throws RateLimitedError */
    async edit(viewer: Viewer, input: EditInput): Promise<MessageRow> {
      const body = readText('input.body', input.body, LIMITS.body);
      const extraData = input.extraData === undefined ? undefined : readExtraData('input.extraData', input.extraData);
      await rateLimits.countWriting(viewer.userId, sizeOf(body, extraData));
      const { message } = await get(viewer, 'input.messageId', input.messageId);
      assertCanEdit(viewer, message);
      const written = await store.update(message, viewer.userId, { body, extraData });
      // It changed between the two statements: asked again, the rules say which way.
      if (!written) {
        assertCanEdit(viewer, (await get(viewer, 'input.messageId', message.id)).message);
        throw new ConflictError('The message has just changed. Try again.');
      }
      announcer.messageWritten({ ...written, kind: 'updated' });
      return written.message;
    },

    /** Deleting what is deleted already changes nothing. */
    async delete(viewer: Viewer, id: string): Promise<MessageRow> {
      const { message, role } = await get(viewer, 'messageId', id);
      assertCanDelete(viewer, role, message);
      const written = message.deletedAt === null ? await store.erase(message, viewer.userId) : null;
      if (!written) return (await get(viewer, 'messageId', id)).message;
      announcer.messageWritten({ ...written, kind: 'updated' });
      return written.message;
    },

    /** Moves the viewer's mark forward, as far as there are messages; never back. */
    async markRead(viewer: Viewer, chatId: string, seq: number): Promise<ChatRow> {
      const id = readId('chatId', chatId);
      if (seq < 0) throw new BadUserInputError('seq', 'A seq is not negative.');
      const mark = await store.markRead(id, viewer.userId, seq);
      if (!mark) throw new NotFoundError();
      if (mark.moved) {
        if (mark.moved.ticked > 0) announcer.chatChanged(mark.moved.chatHead);
        announcer.usersChanged([mark.moved.userHead]);
      }
      return chats.get(viewer, id);
    },

    /**
     * Takes the author from all that they wrote, some at a time: an account goes, and with its row alone that would be one
     * statement, which is cut off when it was much. To be called once they are in no chat, and write no more. What is
     * done stays done when it fails: another call goes on from there.
     */
    async unlinkAuthor(userId: string): Promise<void> {
      while ((await store.unlinkSome(userId, UNLINKED_TOGETHER)) > 0);
    },

    /** Null when there is no such message or the viewer may not see it. */
    async find(viewer: Viewer, id: string, cancellation?: Cancellation): Promise<MessageRow | null> {
      return (await store.findForMember(readId('id', id), viewer.userId, cancellation))?.message ?? null;
    },

    /** Of a chat that the viewer is known to see. */
    list: (chatId: string, page: PageRequest<number>, cancellation?: Cancellation): Promise<Page<MessageView>> =>
      store.listPage(chatId, page, cancellation),

    findLast: (chatIds: readonly string[], cancellation?: Cancellation): Promise<MessageView[]> =>
      store.findLast(chatIds, cancellation),

    /** Every message behind `afterSeq`, else from now on, in order, until the viewer's right to hear ends. */
    async followAdded(
      viewer: Viewer,
      chatId: string,
      afterSeq: number | null,
      share?: Share<MessageRow>,
    ): Promise<LiveCursor<MessageRow>> {
      const { chat } = await chats.getView(viewer, chatId);
      if (afterSeq !== null && (afterSeq < 0 || afterSeq > chat.lastSeq))
        throw new BadUserInputError('afterSeq', 'The chat has no such seq.');
      return chatFeeds.follow({
        userId: viewer.userId,
        kind: 'added',
        after: afterSeq ?? chat.lastSeq,
        head: toHead(chat),
        share,
      });
    },

    /** Every message that is edited, deleted or read by all after `afterRevision`, else from now on. */
    async followUpdated(
      viewer: Viewer,
      chatId: string,
      afterRevision: number | null,
      share?: Share<MessageRow>,
    ): Promise<LiveCursor<MessageRow>> {
      const { chat } = await chats.getView(viewer, chatId);
      if (afterRevision !== null && (afterRevision < 0 || afterRevision > chat.revision))
        throw new BadUserInputError('afterRevision', 'The chat has no such revision.');
      return chatFeeds.follow({
        userId: viewer.userId,
        kind: 'updated',
        after: afterRevision ?? chat.revision,
        head: toHead(chat),
        share,
      });
    },
  };
}

function toHead(chat: ChatRow) {
  return {
    chatId: chat.id,
    lastSeq: chat.lastSeq,
    revision: chat.revision,
    membersRevision: chat.membersRevision,
  };
}

/** In bytes, as they are kept. */
function sizeOf(body: string, extraData: unknown): number {
  return Buffer.byteLength(body) + keptJsonBytes(extraData);
}

function fingerprint(type: MessageType, body: string, extraData: unknown): string {
  return hash('sha256', JSON.stringify([type, body, extraData]), 'hex');
}
