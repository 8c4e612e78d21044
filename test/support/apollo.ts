import { ApolloClient, ApolloLink, CombinedGraphQLErrors, HttpLink, InMemoryCache, ServerError } from '@apollo/client';
import type { ErrorLike } from '@apollo/client';
import { SetContextLink } from '@apollo/client/link/context';
import { ErrorLink } from '@apollo/client/link/error';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { relayStylePagination } from '@apollo/client/utilities';
import { OperationTypeNode } from 'graphql';
import { createClient } from 'graphql-ws';
import { from, mergeMap, tap } from 'rxjs';
import WebSocket from 'ws';

/*
 * A mobile app's side of Parley, with the stock libraries: Apollo Client 4 over HTTP, graphql-ws for what is live.
 * An app takes this file as it is, without what is said of `ws` (a phone has a WebSocket of its own), and keeps the
 * refresh token where the platform keeps secrets.
 */

// Apollo's link compares with the browser's own, which Node has from 22 on.
globalThis.WebSocket ??= WebSocket as never;

export interface Tokens {
  accessToken: string;
  refreshToken: string;
}

/** One signed-in device. */
export class DeviceSession {
  tokens: Tokens | null = null;
  /** How often a new pair was asked for. */
  renewals = 0;
  readonly #url: string;
  #renewing: Promise<void> | null = null;

  constructor(url: string) {
    this.#url = url;
  }

  /**
   * A new pair in place of the one whose access token was refused. However many ask at once, the server is asked once;
   * who comes with a token that was replaced meanwhile has nothing to wait for.
   */
  async renew(refused: string | undefined): Promise<void> {
    if (this.tokens?.accessToken !== refused) return;
    this.#renewing ??= this.#refresh().finally(() => (this.#renewing = null));
    await this.#renewing;
  }

  /** By hand: through the links it would wait for itself. A lost reply may be asked for again, with the same token. */
  async #refresh(): Promise<void> {
    this.renewals += 1;
    const response = await fetch(this.#url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        query: 'mutation ($token: String!) { refresh(refreshToken: $token) { accessToken refreshToken } }',
        variables: { token: this.tokens?.refreshToken },
      }),
    });
    const { data, errors } = (await response.json()) as { data?: { refresh: Tokens }; errors?: unknown };
    // INVALID_REFRESH_TOKEN and REFRESH_TOKEN_REUSED are final: an app shows its sign-in page.
    if (!data) throw new Error(`signed out: ${JSON.stringify(errors)}`);
    this.tokens = data.refresh;
  }
}

export interface AppOptions {
  /** `http://…/graphql` */
  url: string;
  /** `ws://…/graphql` */
  wsUrl: string;
  /** For whoever wants to watch: the close code of every socket. */
  onClosed?: (code: number) => void;
}

export function createApolloApp({ url, wsUrl, onClosed }: AppOptions) {
  const session = new DeviceSession(url);
  /** What the socket was last opened with. */
  let socketToken: string | undefined;
  /** The server has closed a socket because that token ran out. */
  let isExpired = false;

  const socket = createClient({
    url: wsUrl,
    webSocketImpl: WebSocket,
    // Asked at each connection, so that each has the newest token.
    async connectionParams() {
      if (isExpired) await session.renew(socketToken);
      isExpired = false;
      socketToken = session.tokens?.accessToken;
      return { authorization: `Bearer ${socketToken}` };
    },
    // A phone never gives up. 4401, the end of the session, is final whatever stands here.
    retryAttempts: Infinity,
    shouldRetry: () => true,
    retryWait: (retries) => sleep(Math.min(30_000, 250 * 2 ** retries) * (0.5 + Math.random() / 2)),
    // Notices a dead socket, as after a tunnel, although it still looks open.
    keepAlive: 10_000,
    on: {
      closed(event) {
        const { code } = event as { code: number };
        if (code === 4403) isExpired = true;
        onClosed?.(code);
      },
    },
  });

  /** Sends the newest token, and remembers which. */
  const authorize = new SetContextLink(({ headers }) => {
    const token = session.tokens?.accessToken;
    return token ? { token, headers: { ...headers, authorization: `Bearer ${token}` } } : {};
  });

  /** An expired token: one renewal, and the operation once more. */
  const renewAndRetry = new ErrorLink(({ error, operation, forward }) => {
    const { token, isRetried } = operation.getContext() as { token?: string; isRetried?: boolean };
    if (!token || isRetried || !isUnauthenticated(error)) return;
    operation.setContext({ isRetried: true });
    return from(session.renew(token)).pipe(mergeMap(() => forward(operation)));
  });

  /**
   * After a reconnect graphql-ws sends the same variables again. Moving `afterSeq` along with what has come makes it
   * go on there: nothing is missed, and nothing comes twice.
   */
  const resume = new ApolloLink((operation, forward) => {
    // Apollo's are shared; these are ours to change.
    const variables: Record<string, unknown> = { ...operation.variables };
    operation.variables = variables;
    return forward(operation).pipe(
      tap(({ data }) => {
        const added = data?.['messageAdded'] as { seq?: number } | undefined;
        if (added?.seq !== undefined) variables['afterSeq'] = added.seq;
      }),
    );
  });

  const client = new ApolloClient({
    link: ApolloLink.split(
      ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
      ApolloLink.from([resume, new GraphQLWsLink(socket)]),
      ApolloLink.from([renewAndRetry, authorize, new HttpLink({ uri: url })]),
    ),
    cache: new InMemoryCache({
      // Pages of history become one list.
      typePolicies: { Chat: { fields: { messages: relayStylePagination() } } },
    }),
  });

  return {
    client,
    session,
    async stop() {
      client.stop();
      await socket.dispose();
    },
  };
}

/** Puts a live message behind the history that the cache holds, unless it is there. */
export function addToHistory(
  client: ApolloClient,
  chatId: string,
  message: { __typename?: 'Message'; id: string; seq: number },
): void {
  const { cache } = client;
  cache.modify<{ messages: { edges: Array<{ node: { seq: number } }> } }>({
    id: cache.identify({ __typename: 'Chat', id: chatId })!,
    fields: {
      messages(existing, { readField, toReference }) {
        const node = toReference({ __typename: 'Message', ...message }, true);
        const history = existing as unknown as { edges: Array<{ node: never }> };
        if (history.edges.some((edge) => readField('seq', edge.node) === message.seq)) return existing;
        return { ...history, edges: [...history.edges, { __typename: 'MessageEdge', cursor: '', node }] } as never;
      },
    },
  });
}

/** A response of 401, or its errors, whichever media type the server answers in. */
function isUnauthenticated(error: ErrorLike): boolean {
  if (ServerError.is(error)) return error.statusCode === 401;
  return (
    CombinedGraphQLErrors.is(error) && error.errors.some(({ extensions }) => extensions?.['code'] === 'UNAUTHENTICATED')
  );
}

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
