import { describe, expect, it } from 'vitest';
import {
  addMessages,
  createCache,
  forgetChat,
  listChat,
  trimHistory,
  writeChat,
  writeMessage,
} from '../../src/cache.ts';
import type { ParleyCache } from '../../src/cache.ts';
import {
  ChatDocument,
  ChatHistoryDocument,
  ChatsDocument,
  CreateChatDocument,
  LeaveChatDocument,
  MessageFieldsFragmentDoc,
} from '../../src/generated/graphql.ts';
import type { ChatFieldsFragment, MessageFieldsFragment } from '../../src/generated/graphql.ts';

function message(seq: number, changes: Partial<MessageFieldsFragment> = {}): MessageFieldsFragment {
  const id = `m${seq}`;
  return {
    __typename: 'Message',
    id,
    seq,
    cursor: `c${seq}`,
    type: 'TEXT',
    body: `message ${seq}`,
    extraData: null,
    clientId: null,
    isRead: false,
    revision: null,
    createdAt: '2026-01-01T00:00:00.000Z',
    editedAt: null,
    deletedAt: null,
    author: { __typename: 'User', id: 'ann', firstName: 'Ann', lastName: 'Lee', avatarUrl: null },
    ...changes,
  } as MessageFieldsFragment;
}

/** The later the minute, the more recent. */
function chat(id: string, minute: number): ChatFieldsFragment {
  return {
    __typename: 'Chat',
    id,
    kind: 'GROUP',
    title: id,
    createdAt: '2026-01-01T00:00:00.000Z',
    updatedAt: `2026-01-01T00:${String(minute).padStart(2, '0')}:00.000Z`,
    unreadCount: 0,
    revision: 1,
    changeCursor: `x${minute}`,
    members: [],
    lastMessage: null,
  } as ChatFieldsFragment;
}

function writeHistory(cache: ParleyCache, from: number, to: number) {
  const edges = Array.from({ length: to - from + 1 }, (_, nth) => {
    return { __typename: 'MessageEdge', cursor: `c${from + nth}`, node: message(from + nth) };
  });
  const pageInfo = {
    __typename: 'PageInfo',
    hasPreviousPage: from > 1,
    hasNextPage: false,
    startCursor: `c${from}`,
    endCursor: `c${to}`,
  };
  const messages = { __typename: 'MessageConnection', edges, pageInfo };
  cache.writeQuery({
    query: ChatHistoryDocument,
    variables: { chatId: 'chat' },
    data: { chat: { __typename: 'Chat', id: 'chat', revision: 0, messages } } as never,
  });
}

const shown = (cache: ParleyCache) =>
  cache.readQuery({ query: ChatHistoryDocument, variables: { chatId: 'chat' } })?.chat?.messages;

function writeChats(
  cache: ParleyCache,
  chats: ChatFieldsFragment[],
  { after = null as string | null, hasNextPage = false } = {},
) {
  const edges = chats.map((node) => ({ __typename: 'ChatEdge', cursor: node.id, node }));
  const pageInfo = {
    __typename: 'PageInfo',
    hasPreviousPage: after !== null,
    hasNextPage,
    startCursor: chats[0]?.id ?? null,
    endCursor: chats.at(-1)?.id ?? null,
  };
  cache.writeQuery({
    query: ChatsDocument,
    variables: { first: chats.length, after },
    data: { chats: { __typename: 'ChatConnection', changeCursor: 'x0', edges, pageInfo } } as never,
  });
}

const listed = (cache: ParleyCache) =>
  cache.readQuery({ query: ChatsDocument })?.chats.edges.map(({ node }) => node.id) ?? [];

describe('history in the cache', () => {
  it('takes live messages where they belong, and says where one has to wait', () => {
    const cache = createCache();
    expect(addMessages(cache, 'chat', [message(4)])).toBe(true);
    expect(shown(cache)).toBeUndefined();
    writeHistory(cache, 1, 3);
    expect(addMessages(cache, 'chat', [message(5)])).toBe(false);
    expect(addMessages(cache, 'chat', [message(5), message(4), message(3)])).toBe(true);
    expect(shown(cache)?.edges.map(({ node }) => node.seq)).toEqual([1, 2, 3, 4, 5]);
    expect(shown(cache)?.pageInfo.endCursor).toBe('c5');
  });

  it('remembers no more than it shows, however long a chat is listened to', () => {
    const cache = createCache();
    writeHistory(cache, 1, 2);
    // Apollo's own account of what it keeps, which its types tell nobody of.
    const { getMemoryInternals } = cache as unknown as {
      getMemoryInternals: () => { inMemoryCache: { executeSubSelectedArray: number } };
    };
    let highest = 0;
    for (let seq = 3; seq <= 200; seq += 1) {
      addMessages(cache, 'chat', [message(seq)]);
      expect(shown(cache)?.edges.at(-1)?.node.seq).toBe(seq);
      trimHistory(cache, 'chat', 20);
      highest = Math.max(highest, getMemoryInternals.apply(cache).inMemoryCache.executeSubSelectedArray);
    }
    expect(shown(cache)!.edges.length).toBeLessThan(40);
    expect(Object.keys(cache.extract()).filter((id) => id.startsWith('Message:')).length).toBeLessThan(40);
    expect(highest).toBeLessThan(40);
  });

  it('never goes back to an earlier state of a message, whichever answer comes last', () => {
    const cache = createCache();
    writeHistory(cache, 1, 2);
    writeMessage(cache, message(1, { body: 'edited', revision: 7, editedAt: '2026-01-01T00:01:00.000Z' }));
    writeMessage(cache, message(2, { body: '', revision: 8, deletedAt: '2026-01-01T00:01:00.000Z' }));
    writeHistory(cache, 1, 2);
    writeMessage(cache, message(1, { body: 'of old', revision: 3 }));
    expect(shown(cache)?.edges.map(({ node }) => [node.body, node.revision])).toEqual([
      ['edited', 7],
      ['', 8],
    ]);
    writeMessage(cache, message(1, { body: 'edited again', revision: 9 }));
    const id = cache.identify({ __typename: 'Message', id: 'm1' });
    const fragment = { fragment: MessageFieldsFragmentDoc, fragmentName: 'MessageFields' };
    expect(cache.readFragment({ id, ...fragment })?.body).toBe('edited again');
  });
});

describe('one chat in the cache', () => {
  it('is known from the list, and again once its viewer is a member', () => {
    const cache = createCache();
    const read = () => cache.readQuery({ query: ChatDocument, variables: { chatId: 'a' } });
    expect(read()).toBeNull();
    cache.writeQuery({ query: ChatDocument, variables: { chatId: 'a' }, data: { chat: null } });
    expect(read()).toEqual({ chat: null });
    writeChats(cache, [chat('a', 9)]);
    expect(read()?.chat?.title).toBe('a');
  });
});

describe('the list of chats in the cache', () => {
  it('is in the order of activity, through pages and moves', () => {
    const cache = createCache();
    writeChats(cache, [chat('a', 9), chat('b', 8)], { hasNextPage: true });
    writeChats(cache, [chat('c', 7), chat('d', 6)], { after: 'b' });
    expect(listed(cache)).toEqual(['a', 'b', 'c', 'd']);
    writeChat(cache, chat('d', 10));
    expect(listed(cache)).toEqual(['d', 'a', 'b', 'c']);
    listChat(cache, writeChat(cache, chat('new', 11)));
    listChat(cache, writeChat(cache, chat('a', 12)));
    expect(listed(cache)).toEqual(['a', 'new', 'd', 'b', 'c']);
  });

  it('lets an old chat that was heard of wait for its page', () => {
    const cache = createCache();
    writeChats(cache, [chat('a', 9), chat('b', 8)], { hasNextPage: true });
    listChat(cache, writeChat(cache, chat('z', 1)));
    expect(listed(cache)).toEqual(['a', 'b']);
    writeChats(cache, [chat('c', 7), chat('z', 1)], { after: 'b' });
    expect(listed(cache)).toEqual(['a', 'b', 'c', 'z']);
  });

  it('lets go of what a new first page no longer has, and keeps what lies behind it', () => {
    const cache = createCache();
    writeChats(cache, [chat('a', 9), chat('b', 8)], { hasNextPage: true });
    writeChats(cache, [chat('c', 7), chat('d', 6)], { after: 'b' });
    writeChats(cache, [chat('e', 10), chat('b', 8)], { hasNextPage: true });
    expect(listed(cache)).toEqual(['e', 'b', 'c', 'd']);
    expect(cache.readQuery({ query: ChatsDocument })?.chats.pageInfo).toMatchObject({
      endCursor: 'd',
      hasNextPage: false,
    });
    writeChats(cache, [chat('e', 10)]);
    expect(listed(cache)).toEqual(['e']);
  });

  it('takes in what the viewer opens, and lets go of what they leave', () => {
    const cache = createCache();
    writeChats(cache, [chat('a', 9)]);
    cache.write({
      dataId: 'ROOT_MUTATION',
      query: CreateChatDocument,
      variables: { input: { memberIds: [] } },
      result: { createChat: chat('b', 10) },
    });
    expect(listed(cache)).toEqual(['b', 'a']);
    cache.write({
      dataId: 'ROOT_MUTATION',
      query: LeaveChatDocument,
      variables: { chatId: 'a' },
      result: { leaveChat: true },
    });
    expect(listed(cache)).toEqual(['b']);
    forgetChat(cache, 'b');
    expect(listed(cache)).toEqual([]);
  });
});
