import type { ApolloClient } from '@apollo/client';
import { listChat, writeChat } from './cache.ts';
import type { ParleyCache } from './cache.ts';
import type { Followed, FollowOptions } from './follow.ts';
import { ChatsDocument, ChatUpdatedDocument } from './generated/graphql.ts';
import { keepSubscribed } from './keep-subscribed.ts';

export interface LiveChatsOptions extends FollowOptions {
  apollo: ApolloClient;
  cache: ParleyCache;
}

/** The list of chats, kept up to date in the cache: order, unread counts, last messages, members. */
export function createLiveChats(options: LiveChatsOptions): Followed {
  const { apollo, cache } = options;
  let cursor: string | undefined;
  let stop = () => {};

  async function readFirstPage() {
    const { data } = await apollo.query({ query: ChatsDocument, variables: {}, fetchPolicy: 'network-only' });
    return data!.chats.changeCursor;
  }

  return {
    async begin(signal, fail) {
      // Begun anew after whatever: a cursor that the server does not take would fail for ever.
      cursor = await readFirstPage();
      signal.throwIfAborted();
      stop = keepSubscribed({
        ...options,
        document: ChatUpdatedDocument,
        variables: () => ({ after: cursor ?? null }),
        next({ chatUpdated }) {
          cursor = chatUpdated.changeCursor;
          cache.batch({ update: () => listChat(cache, writeChat(cache, chatUpdated)) });
        },
        refused: fail,
      });
    },
    /** The first page also shows which chats are gone, of which nothing else tells. */
    catchUp: async () => void (await readFirstPage()),
    end: () => stop(),
  };
}
