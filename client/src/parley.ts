import { ApolloClient } from '@apollo/client';
import type { ApolloLink } from '@apollo/client';
import { addMessages, createCache } from './cache.ts';
import { createConnection } from './connection.ts';
import type { ConnectionState } from './connection.ts';
import { toParleyError } from './errors.ts';
import { createFollows } from './follows.ts';
import type { ChatFollow } from './follows.ts';
import type { Follow } from './follow.ts';
import { MarkReadDocument, SendMessageDocument } from './generated/graphql.ts';
import { createAsk, createFetch } from './http.ts';
import { createLinks } from './links.ts';
import { createOlderPages } from './load-older.ts';
import { createOutbox } from './outbox.ts';
import type { Outbox } from './outbox.ts';
import { indexedDbOutboxStore, memoryOutboxStore } from './outbox-store.ts';
import type { OutboxStore } from './outbox-store.ts';
import type { Readable } from './readable.ts';
import { createReadMarks } from './read-marks.ts';
import { createSession } from './session.ts';
import type { Session } from './session.ts';
import { browserSignals } from './signals.ts';
import type { PlatformSignals } from './signals.ts';
import { createSocket } from './socket.ts';
import { DEFAULT_TUNING } from './tuning.ts';
import type { Tuning } from './tuning.ts';
import { memoryTokenStore, webTokenStore } from './token-store.ts';
import type { TokenStore } from './token-store.ts';
import { createWaiting } from './waiting.ts';

export interface ParleyOptions {
  /** `https://chat.example/graphql`. The WebSocket's address is the same one, with ws. */
  url: string;
  /** Tells two apps of one origin apart: part of every key in storage. Default 'parley'. */
  name?: string;
  /** What this device is called in the list of sessions. */
  deviceName?: string;
  /** Default: over localStorage if there is one, else in memory. */
  tokenStore?: TokenStore;
  /** Default: over IndexedDB if there is one, else in memory. */
  outboxStore?: OutboxStore;
  /** Default: the browser's, and Capacitor's where there are. */
  signals?: PlatformSignals;
  /** Where there is no global one: Node 20. */
  webSocketImpl?: unknown;
  /** Put before Apollo's HttpLink, such as its PersistedQueryLink. */
  link?: ApolloLink;
  tuning?: Partial<Tuning>;
}

export interface Parley {
  /** For `useQuery`, `useMutation` and `client.query` with the documents of this package, or an app's own. */
  readonly apollo: ApolloClient;
  readonly session: Session;
  readonly connection: Readable<ConnectionState>;
  readonly outbox: Outbox;
  /** Keeps the list of chats in the cache up to date while somebody looks at it. Views share it. */
  followChats(): Follow;
  /** Keeps one chat in the cache up to date. Two follows of one chat are one subscription. */
  followChat(chatId: string): ChatFollow;
  /** Reads the page of history before the oldest message in the cache. False: there is no more. */
  loadOlder(chatId: string): Promise<boolean>;
  /** Marks as read up to seq: gathered, only ever forward, sent when there is a connection. */
  markRead(chatId: string, seq: number): void;
  /** Restores the sign-in, and sends what the outbox holds. Calling it again does nothing. */
  start(): Promise<void>;
  /** Lets go of everything, for good. The sign-in and the outbox stay on the device. */
  stop(): Promise<void>;
}

export function createParley(options: ParleyOptions): Parley {
  const { url, name = 'parley', deviceName } = options;
  const tuning = { ...DEFAULT_TUNING, ...options.tuning };
  const {
    tokenStore = typeof localStorage === 'undefined' ? memoryTokenStore() : webTokenStore({ name }),
    outboxStore = typeof indexedDB === 'undefined' ? memoryOutboxStore() : indexedDbOutboxStore({ name }),
    signals = browserSignals(),
  } = options;

  const waiting = createWaiting(tuning);
  const ended = new AbortController();
  const fetchInTime = createFetch(tuning.requestMs, ended.signal);
  const ask = createAsk(url, fetchInTime);
  const { session, credentials, restore, watchStore } = createSession({ name, deviceName, tokenStore, ask });
  const socket = createSocket({
    url: url.replace(/^http/, 'ws'),
    webSocketImpl: options.webSocketImpl,
    credentials,
    tuning,
    waiting,
  });
  const cache = createCache();
  const apollo = new ApolloClient({
    cache,
    link: createLinks({ url, fetch: fetchInTime, credentials, socket: socket.client, link: options.link }),
  });

  const follows = createFollows({
    apollo,
    cache,
    socket,
    waiting,
    ...tuning,
    onMessages: (_chatId, messages) => outbox.onMessages(messages),
    onLeft: (chatId) => outbox.onLeft(chatId),
  });
  const outbox = createOutbox({
    name,
    store: outboxStore,
    waiting,
    userId: () => viewerId(session),
    async sendMessage(input, userId) {
      const variables = { input };
      const { data } = await apollo.mutate({ mutation: SendMessageDocument, variables, context: { userId } });
      return data!.sendMessage;
    },
    show: (chatId, message) => addMessages(cache, chatId, [message]) || !follows.isFollowed(chatId),
  });
  const readMarks = createReadMarks({
    waiting,
    gatherMs: tuning.readMarkMs,
    send: (chatId, seq) => apollo.mutate({ mutation: MarkReadDocument, variables: { chatId, seq } }),
  });
  const connection = createConnection({
    signals,
    session: session.state,
    socket: socket.connection,
    isUpToDate: follows.isUpToDate,
  });
  const loadOlder = createOlderPages(apollo, cache);

  let viewer: string | undefined;
  let clearing: ReturnType<typeof setTimeout> | undefined;
  let loading = Promise.resolve();

  function clearCache() {
    clearTimeout(clearing);
    clearing = undefined;
    void apollo.clearStore();
  }

  /** One person's things never show up with another. */
  function changeViewer() {
    const next = viewerId(session);
    if (next === viewer) return;
    if (viewer !== undefined) {
      follows.suspend();
      socket.drop();
      outbox.suspend();
      readMarks.clear();
      // In a moment, so that what is under way is told of the end of the session, and not of a cache that went away.
      clearing = setTimeout(clearCache, 0);
    }
    viewer = next;
    if (next === undefined) return;
    if (clearing !== undefined) clearCache();
    follows.resume();
    // A store that cannot be read now is read again when it changes; what it holds is not lost.
    loading = outbox.resume().catch(() => {});
  }

  let stops: Array<() => void> = [];
  return {
    apollo,
    session,
    connection: connection.state,
    outbox: outbox.outbox,
    followChats: follows.followChats,
    followChat: follows.followChat,
    loadOlder(chatId) {
      follows.setAtNewest(chatId, false);
      return loadOlder(chatId).catch((error: unknown) => {
        throw toParleyError(error);
      });
    },
    markRead: readMarks.mark,
    async start() {
      if (stops.length === 0)
        stops = [
          session.state.subscribe(changeViewer),
          connection.watch(),
          watchStore(),
          signals.onWake(socket.kick),
          signals.onOnlineChange(socket.kick),
        ];
      await restore();
      changeViewer();
      await loading;
    },
    async stop() {
      for (const stop of stops) stop();
      stops = [];
      follows.suspend();
      outbox.suspend();
      readMarks.clear();
      clearTimeout(clearing);
      ended.abort();
      socket.dispose();
      apollo.stop();
    },
  };
}

function viewerId(session: Session): string | undefined {
  const state = session.state.get();
  return state.status === 'signedIn' ? state.userId : undefined;
}
