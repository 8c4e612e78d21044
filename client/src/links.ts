import { ApolloLink, CombinedGraphQLErrors, HttpLink, ServerError } from '@apollo/client';
import type { ErrorLike } from '@apollo/client';
import { SetContextLink } from '@apollo/client/link/context';
import { ErrorLink } from '@apollo/client/link/error';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { OperationTypeNode } from 'graphql';
import type { Client } from 'graphql-ws';
import { from, mergeMap } from 'rxjs';
import { signedOut } from './session.ts';
import type { Credentials } from './session.ts';

export interface LinkOptions {
  url: string;
  fetch: typeof fetch;
  credentials: Credentials;
  socket: Client;
  /** What is to be done with queries and mutations last. */
  link?: ApolloLink;
}

/** Queries and mutations over HTTP, with the newest token and one renewal when it is refused; subscriptions over the socket. */
export function createLinks({ url, fetch, credentials, socket, link }: LinkOptions): ApolloLink {
  // What one person has asked for is never asked in the name of the next, who may sign in between two attempts.
  const authorize = new SetContextLink(async ({ headers, userId }) => {
    const session = await credentials.current();
    if (userId !== undefined && userId !== session?.userId) throw signedOut();
    if (!session) return {};
    const { accessToken } = session;
    return {
      token: accessToken,
      userId: session.userId,
      headers: { ...headers, authorization: `Bearer ${accessToken}` },
    };
  });

  const renewAndRetry = new ErrorLink(({ error, operation, forward }) => {
    const { token, isRetried } = operation.getContext() as { token?: string; isRetried?: boolean };
    if (token === undefined || isRetried || !isUnauthenticated(error)) return;
    operation.setContext({ isRetried: true });
    return from(credentials.renew(token)).pipe(mergeMap(() => forward(operation)));
  });

  return ApolloLink.split(
    ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
    new GraphQLWsLink(socket),
    ApolloLink.from([renewAndRetry, authorize, ...(link ? [link] : []), new HttpLink({ uri: url, fetch })]),
  );
}

/** A response of 401, or its errors, whichever media type the server answers in. */
function isUnauthenticated(error: ErrorLike): boolean {
  if (ServerError.is(error)) return error.statusCode === 401;
  return (
    CombinedGraphQLErrors.is(error) && error.errors.some(({ extensions }) => extensions?.['code'] === 'UNAUTHENTICATED')
  );
}
