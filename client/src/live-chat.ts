import type { ApolloClient } from '@apollo/client';
import { addMessages, dropHistory, findLastSeq, tidy, trimHistory, updateMessage } from './cache.ts';
import type { ParleyCache } from './cache.ts';
import { ParleyError } from './errors.ts';
import type { Followed, FollowOptions } from './follow.ts';
import {
  ChatHeadDocument,
  ChatHistoryDocument,
  MessageAddedDocument,
  MessageUpdatedDocument,
} from './generated/graphql.ts';
import type { MessageFieldsFragment } from './generated/graphql.ts';
import { keepSubscribed } from './keep-subscribed.ts';

export interface LiveChatOptions extends FollowOptions {
  apollo: ApolloClient;
  cache: ParleyCache;
  farBehind: number;
  keptMessages: number;
  /** Up to which revision what the cache holds of each chat is up to date. */
  revisions: Map<string, number>;
  /** The reader looks at the newest messages: what is far above may go. */
  isAtNewest(): boolean;
  /** They have come, and are in the cache. */
  onMessages(messages: readonly MessageFieldsFragment[]): void;
}

/** When much comes at once, the screen is told in gulps. */
const GULP_MS = 30;

/** One chat, kept up to date in the cache: new messages, and what becomes of old ones. */
export function createLiveChat(chatId: string, options: LiveChatOptions): Followed {
  const { apollo, cache, revisions } = options;
  /** The last message of the unbroken line that came. */
  let seq = 0;
  let caughtUp: { seq: number; done: () => void } | undefined;
  let received: MessageFieldsFragment[] = [];
  let takenAt = 0;
  /** How many came since the cache was tidied. */
  let untidied = 0;
  let gulp: ReturnType<typeof setTimeout> | undefined;
  let stops: Array<() => void> = [];
  let fail: (error: ParleyError) => void = () => {};

  async function readHistory(signal: AbortSignal): Promise<void> {
    const { data } = await apollo.query({
      query: ChatHistoryDocument,
      variables: { chatId },
      fetchPolicy: 'no-cache',
    });
    signal.throwIfAborted();
    const chat = data?.chat;
    if (!chat) throw notFound();
    const known = revisions.get(chatId);
    const isKept = known !== undefined && known <= chat.revision && chat.revision - known <= options.farBehind;
    if (!isKept) revisions.set(chatId, chat.revision);
    cache.batch({
      update() {
        if (!isKept) dropHistory(cache, chatId);
        cache.writeQuery({ query: ChatHistoryDocument, variables: { chatId }, data });
      },
    });
    seq = findLastSeq(cache, chatId) ?? 0;
  }

  function subscribe() {
    const common = { ...options, refused: (error: ParleyError) => fail(error) };
    stops = [
      keepSubscribed({
        ...common,
        document: MessageAddedDocument,
        variables: () => ({ chatId, afterSeq: seq }),
        next: ({ messageAdded }) => receive(messageAdded),
      }),
      keepSubscribed({
        ...common,
        document: MessageUpdatedDocument,
        variables: () => ({ chatId, afterRevision: revisions.get(chatId) ?? null }),
        next({ messageUpdated }) {
          revisions.set(chatId, Math.max(revisions.get(chatId) ?? 0, messageUpdated.revision ?? 0));
          updateMessage(cache, chatId, messageUpdated);
        },
      }),
    ];
  }

  function receive(message: MessageFieldsFragment) {
    // After a reconnect some may come again.
    if (message.seq <= seq) return;
    seq = message.seq;
    received.push(message);
    if (gulp !== undefined) return;
    const waitMs = takenAt + GULP_MS - Date.now();
    if (waitMs > 0) gulp = setTimeout(take, waitMs);
    else take();
  }

  function take() {
    clearTimeout(gulp);
    gulp = undefined;
    takenAt = Date.now();
    const messages = received;
    received = [];
    if (messages.length > 0) {
      if (!addMessages(cache, chatId, messages)) return fail(new ParleyError('UNEXPECTED', 'A message is missing.'));
      options.onMessages(messages);
      const isTrimmed = options.isAtNewest() && trimHistory(cache, chatId, options.keptMessages);
      untidied = isTrimmed ? 0 : untidied + messages.length;
      if (untidied >= options.keptMessages) {
        untidied = 0;
        tidy(cache);
      }
    }
    if (caughtUp && seq >= caughtUp.seq) caughtUp.done();
  }

  function end() {
    for (const stop of stops) stop();
    stops = [];
    take();
  }

  return {
    async begin(signal, onFail) {
      fail = onFail;
      await readHistory(signal);
      subscribe();
    },
    async catchUp(signal) {
      const { data } = await apollo.query({ query: ChatHeadDocument, variables: { chatId }, fetchPolicy: 'no-cache' });
      signal.throwIfAborted();
      // The subscription says why.
      if (!data?.chat) return;
      const head = data.chat.lastMessage?.seq ?? 0;
      if (head - seq > options.farBehind) {
        end();
        await readHistory(signal);
        return subscribe();
      }
      if (seq < head) await new Promise<void>((done) => (caughtUp = { seq: head, done }));
      caughtUp = undefined;
    },
    end,
  };
}

function notFound(): ParleyError {
  return new ParleyError('NOT_FOUND', 'There is no such chat.');
}
