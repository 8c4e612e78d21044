import { gql, InMemoryCache } from '@apollo/client';
import type { FieldFunctionOptions, FieldPolicy, Reference, StoreObject } from '@apollo/client';
import type { Cache } from '@apollo/client/cache';
import { relayStylePagination } from '@apollo/client/utilities';
import { chatListPolicy, joinChat } from './chat-list.ts';
import type { StoredChats } from './chat-list.ts';
import { joinLive, joinPage, keepNewest, lastSeq } from './history.ts';
import type { SeqOf, StoredEdge, StoredHistory } from './history.ts';
import { ChatFieldsFragmentDoc, MessageFieldsFragmentDoc } from './generated/graphql.ts';
import type { ChatFieldsFragment, MessageFieldsFragment } from './generated/graphql.ts';

type ReadField = FieldFunctionOptions['readField'];

const seqIn = (readField: ReadField) => (node: Reference) => readField<number>('seq', node) ?? 0;

const historyPolicy: FieldPolicy<StoredHistory, StoredHistory> = {
  keyArgs: false,
  merge: (list, page, { readField }) => joinPage(list, page, seqIn(readField)),
};

/** What changes of a message after it was sent. */
const MessageState = gql`
  fragment MessageState on Message {
    id
    body
    extraData
    isRead
    revision
    editedAt
    deletedAt
  }
`;

/** Apollo's cache with Parley's rules for lists, and one more: an answer that was read earlier undoes nothing newer. */
export class ParleyCache extends InMemoryCache {
  constructor() {
    super({
      typePolicies: {
        Chat: { fields: { messages: historyPolicy, members: { merge: false } } },
        Query: {
          fields: {
            chats: chatListPolicy,
            // Known from the list; also where it was asked for when the viewer was no member yet.
            chat(known: Reference | null | undefined, { args, toReference, canRead }) {
              const chat = toReference({ __typename: 'Chat', id: args?.['id'] as string });
              return canRead(chat) ? chat : known;
            },
            users: relayStylePagination(['search']),
            sessions: { merge: false },
          },
        },
        Mutation: {
          fields: {
            deleteChat: { merge: forgetAfter },
            leaveChat: { merge: forgetAfter },
          },
        },
      },
    });
  }

  override write<Data, Variables extends Record<string, unknown>>(options: Cache.WriteOptions<Data, Variables>) {
    const written = super.write({ ...options, result: this.#keepNewer(options.result) as Data });
    const opened = options.dataId === 'ROOT_MUTATION' && (options.result as { createChat?: StoreObject }).createChat;
    if (opened) listChat(this, { __ref: this.identify(opened)! });
    return written;
  }

  /** With each message as it was at its highest revision: answers may overtake one another. */
  #keepNewer(value: unknown): unknown {
    if (Array.isArray(value)) {
      const kept = value.map((item) => this.#keepNewer(item));
      return kept.some((item, index) => item !== value[index]) ? kept : value;
    }
    if (typeof value !== 'object' || value === null) return value;
    const object = value as Record<string, unknown>;
    if (object['__typename'] === 'Message') return this.#newest(object);
    // What a message has attached is the app's own, and is not looked into.
    const entries = Object.entries(object).map(([name, child]) => [name, this.#keepNewer(child)] as const);
    return entries.some(([name, child]) => child !== object[name]) ? Object.fromEntries(entries) : value;
  }

  #newest(incoming: Record<string, unknown>): unknown {
    if (incoming['revision'] === undefined) return incoming;
    const id = this.identify({ __typename: 'Message', id: incoming['id'] as string });
    const known = this.readFragment<Record<string, unknown>>({ id, fragment: MessageState });
    const revisionOf = (message: Record<string, unknown>) => (message['revision'] as number | null) ?? 0;
    return known && revisionOf(known) > revisionOf(incoming) ? { ...incoming, ...known } : incoming;
  }
}

export function createCache(): ParleyCache {
  return new ParleyCache();
}

/**
 * Puts messages into their chat's list, if somebody has opened it. Answers whether the list now holds all of them, or
 * there is none.
 */
export function addMessages(cache: ParleyCache, chatId: string, messages: readonly MessageFieldsFragment[]): boolean {
  let isComplete = true;
  cache.batch({
    update() {
      const edges = messages.map((message): StoredEdge => {
        const node = writeMessage(cache, message);
        return { __typename: 'MessageEdge', cursor: message.cursor, node };
      });
      changeHistory(cache, chatId, (list, readField) => {
        const seqOf = seqIn(readField);
        const next = joinLive(list, edges, seqOf);
        isComplete = edges.every(({ node }) => seqOf(node) <= lastSeq(next.edges, seqOf));
        return next;
      });
    },
  });
  return isComplete;
}

/** How far the list goes down: 0 when it is empty, undefined where nobody has opened the chat. */
export function findLastSeq(cache: ParleyCache, chatId: string): number | undefined {
  return readHistory(cache, chatId, (list, seqOf) => lastSeq(list.edges, seqOf));
}

/** Where the list begins: undefined when it is empty, or nobody has opened the chat. */
export function findFirst(cache: ParleyCache, chatId: string): { seq: number; cursor: string } | undefined {
  return readHistory(cache, chatId, ({ edges: [first] }, seqOf) =>
    first ? { seq: seqOf(first.node), cursor: first.cursor } : undefined,
  );
}

export function writeMessage(cache: ParleyCache, message: MessageFieldsFragment): Reference {
  const fragment = { fragment: MessageFieldsFragmentDoc, fragmentName: 'MessageFields' };
  return letGo(cache, cache.writeFragment({ ...fragment, data: message })!);
}

/** What became of a message, if it is loaded, or soon will be. */
export function updateMessage(cache: ParleyCache, chatId: string, message: MessageFieldsFragment): void {
  const first = findFirst(cache, chatId);
  const isLoaded = first !== undefined && message.seq >= first.seq;
  if (isLoaded) writeMessage(cache, message);
}

export function writeChat(cache: ParleyCache, chat: ChatFieldsFragment): Reference {
  const fragment = { fragment: ChatFieldsFragmentDoc, fragmentName: 'ChatFields' };
  return letGo(cache, cache.writeFragment({ ...fragment, data: chat })!);
}

/** Apollo keeps what was written by hand for ever. This goes with the list that it is in. */
function letGo(cache: ParleyCache, written: Reference): Reference {
  cache.release(written.__ref);
  return written;
}

/** Lets go of all but the newest of a chat's list, once it is twice as long. Answers whether it was. */
export function trimHistory(cache: ParleyCache, chatId: string, count: number): boolean {
  const isTrimmed = changeHistory(cache, chatId, (list, readField) =>
    list.edges.length < 2 * count ? list : keepNewest(list, count, seqIn(readField)),
  );
  if (isTrimmed) tidy(cache);
  return isTrimmed;
}

/**
 * Frees what nothing leads to any more, and what Apollo remembers of reading: of each list that there was, a message more
 * each time, it keeps the result and what that was made of. That is far more than the messages themselves.
 */
export function tidy(cache: ParleyCache): void {
  cache.gc({ resetResultCache: true });
}

/** What the cache holds of the chat's history is read anew. */
export function dropHistory(cache: ParleyCache, chatId: string): void {
  cache.evict({ id: chatRef(cache, chatId), fieldName: 'messages' });
}

/** The viewer sees the chat no more: nor do the lists. */
export function forgetChat(cache: ParleyCache, chatId: string): void {
  cache.evict({ id: chatRef(cache, chatId) });
  tidy(cache);
}

/** Puts a chat that is in the cache into the list of chats, if there is one. */
export function listChat(cache: Pick<InMemoryCache, 'modify'>, node: Reference): void {
  cache.modify<{ chats: StoredChats }>({
    fields: {
      chats: (list, { readField }) =>
        joinChat(list as StoredChats, { __typename: 'ChatEdge', cursor: '', node }, readField),
    },
  });
}

function forgetAfter(_old: unknown, isDone: boolean, { args, cache }: FieldFunctionOptions): boolean {
  if (isDone) cache.evict({ id: cache.identify({ __typename: 'Chat', id: args?.['chatId'] as string }) });
  return isDone;
}

function changeHistory(
  cache: ParleyCache,
  chatId: string,
  change: (list: StoredHistory, readField: ReadField) => StoredHistory,
): boolean {
  return cache.modify<{ messages: StoredHistory }>({
    id: chatRef(cache, chatId),
    fields: { messages: (list, { readField }) => change(list as StoredHistory, readField) },
  });
}

function readHistory<T>(
  cache: ParleyCache,
  chatId: string,
  read: (list: StoredHistory, seqOf: SeqOf) => T,
): T | undefined {
  let found: T | undefined;
  changeHistory(cache, chatId, (list, readField) => {
    found = read(list, seqIn(readField));
    return list;
  });
  return found;
}

function chatRef(cache: ParleyCache, chatId: string): string {
  return cache.identify({ __typename: 'Chat', id: chatId })!;
}
