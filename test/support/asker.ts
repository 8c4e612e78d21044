import { OperationTypeNode } from 'graphql';
import { GraphQLRequestError } from './document.ts';
import type { Cluster } from './cluster.ts';
import type { Person } from './people.ts';
import { nobody } from './refusals.ts';
import { askFor } from './schema-walk.ts';
import type { RootField } from './schema-walk.ts';
import type { Socket } from './sockets.ts';
import { ConnectionClosedError } from './stream.ts';
import type { Stream } from './stream.ts';

/** Over HTTP a subscription is answered by server-sent events, too. */
export type Way = 'http' | 'sse' | 'websocket';

export interface Answer {
  /** As it travels, as far as the way lets one see. */
  text: string;
  data?: any;
  errors?: ReadonlyArray<{ message?: string; extensions?: Record<string, unknown> }> | undefined;
}

export interface Operation {
  operation: OperationTypeNode;
  query: string;
  variables: Record<string, unknown>;
}

/** Nobody is null; who gets no socket counts as unauthenticated. */
export interface Asker {
  /** What is answered first. */
  run(way: Way, who: Person | null, operation: Operation): Promise<Answer>;
  /** What a root field answers first. */
  ask(way: Way, who: Person | null, root: RootField, args: Record<string, unknown>, selection: string): Promise<Answer>;
  close(): Promise<void>;
}

export function createAsker(cluster: Cluster): Asker {
  /** One for each person, for as long as it lives. */
  const sockets = new Map<Person, Promise<Socket>>();

  function socketOf(who: Person): Promise<Socket> {
    const open = sockets.get(who) ?? who.client().openSocket();
    sockets.set(who, open);
    return open;
  }

  async function post(who: Person | null, params: object): Promise<Answer> {
    const response = await fetch(cluster.node(0).url, {
      method: 'POST',
      headers: {
        accept: 'application/graphql-response+json',
        'content-type': 'application/json',
        ...(who && { authorization: `Bearer ${who.accessToken}` }),
      },
      body: JSON.stringify(params),
    });
    const text = await response.text();
    return { ...(JSON.parse(text) as object), text: `${response.status} ${text}` };
  }

  async function run(way: Way, who: Person | null, { operation, query, variables }: Operation): Promise<Answer> {
    if (way === 'websocket')
      return firstOf(async () =>
        (await (who ? socketOf(who) : nobody(cluster).openSocket())).subscribe(query, variables),
      );
    if (way === 'sse' || operation === OperationTypeNode.SUBSCRIPTION)
      return firstOf(() => (who?.client() ?? nobody(cluster)).subscribe(query, variables, { transport: 'sse' }));
    return post(who, { query, variables });
  }

  return {
    run,
    ask: (way, who, root, args, selection) =>
      run(way, who, { operation: root.operation, query: askFor(root, args, selection), variables: args }),
    async close() {
      for (const socket of sockets.values()) await (await socket).close();
    },
  };
}

/** The first result, and the end of it. */
async function firstOf(open: () => Promise<Stream<unknown>>): Promise<Answer> {
  try {
    const stream = await open();
    const data = await stream.next();
    await stream.close();
    return { text: JSON.stringify({ data }), data };
  } catch (error) {
    if (error instanceof ConnectionClosedError && error.code === 4403)
      return { text: '4403', errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] };
    if (!(error instanceof GraphQLRequestError)) throw error;
    const { errors, data } = error;
    return { text: JSON.stringify({ errors, data }), errors, data };
  }
}
