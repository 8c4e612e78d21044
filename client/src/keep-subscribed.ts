import type { OperationVariables, TypedDocumentNode } from '@apollo/client';
import { print } from 'graphql';
import type { GraphQLFormattedError } from 'graphql';
import type { ParleyCache } from './cache.ts';
import { fromGraphQLErrors } from './errors.ts';
import type { ParleyError } from './errors.ts';
import type { Socket } from './socket.ts';
import type { Waiting } from './waiting.ts';

export interface Subscription<Data, Variables> {
  cache: ParleyCache;
  socket: Socket;
  waiting: Waiting;
  document: TypedDocumentNode<Data, Variables>;
  /** Asked at each attempt: where to go on. */
  variables(): Variables;
  next(data: Data): void;
  /** The server does not take it, or has ended it. It is not tried again. */
  refused(error: ParleyError): void;
}

/** A subscription that outlives every connection. Answers how to stop it. */
export function keepSubscribed<Data, Variables extends OperationVariables>(
  subscription: Subscription<Data, Variables>,
): () => void {
  const { cache, socket, waiting, document, next } = subscription;
  const payload = {
    query: print(cache.transformDocument(document)),
    // graphql-ws keeps the payload and sends it again after a reconnect. A getter makes it a new one each time.
    get variables() {
      return subscription.variables();
    },
  };
  let isStopped = false;
  let attempt = 0;
  let unsubscribe = () => {};

  function refuse(errors: readonly GraphQLFormattedError[]) {
    if (isStopped) return;
    stop();
    subscription.refused(fromGraphQLErrors(errors));
  }

  function begin() {
    unsubscribe = socket.client.subscribe<Data>(payload, {
      next({ data, errors }) {
        if (errors) return refuse(errors);
        attempt = 0;
        if (data && !isStopped) next(data);
      },
      // Errors of GraphQL come as a list; whatever else graphql-ws takes as final is no reason to stay away.
      error: (error) => (Array.isArray(error) ? refuse(error as GraphQLFormattedError[]) : void again()),
      complete: () => void again(),
    });
  }

  async function again() {
    if (isStopped) return;
    await waiting.backOff(attempt++);
    if (!isStopped) begin();
  }

  function stop() {
    isStopped = true;
    unsubscribe();
  }

  begin();
  return stop;
}
