import { createYoga, isAsyncIterable } from 'graphql-yoga';
import type { Plugin, YogaInitialContext } from 'graphql-yoga';
import { GraphQLError } from 'graphql';
import type { ExecutionResult } from 'graphql';
import { createAddressLimits, useAddressLimits } from '../graphql/address-limits.ts';
import { useOperations } from '../graphql/operations.ts';
import type { Operations } from '../graphql/operations.ts';
import { presentResult } from '../graphql/present-error.ts';
import { useAnswerSharing } from '../graphql/answer-sharing.ts';
import type { Context } from '../graphql/context.ts';
import type { Logger } from '../logger.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { RateLimits } from '../rate-limits/rate-limits.ts';
import { accepts, EVENT_STREAM } from './edge.ts';
import { createInlet } from './inlet.ts';
import { isTooMuchJson, TOO_MUCH_JSON } from './json-limits.ts';
import { SECURITY_HEADERS } from './security-headers.ts';

export const GRAPHQL_PATH = '/graphql';

/** What a transport puts into Yoga before an operation is parsed. */
export interface ServerContext {
  requestId: string;
  /** Makes the context once the operation is known to be sound. Rejects when the token is bad. */
  createContext: () => Promise<Context>;
}

export interface GraphQLServerOptions {
  operations: Operations;
  introspection: boolean;
  countAddress: RateLimits['countAddress'];
  logger: Logger;
  metrics: Metrics;
}

export type GraphQLServer = ReturnType<typeof createGraphQLServer>;

/** The pipeline that every operation runs through, whatever the transport: parse, limits, validation, execution. */
export function createGraphQLServer(options: GraphQLServerOptions) {
  const { operations, introspection, countAddress, logger, metrics } = options;
  const { schema } = operations;
  const addressLimits = createAddressLimits(schema, countAddress);
  const presentOptions = (requestId: string) => ({ requestId, logger, metrics, hideSuggestions: !introspection });

  /** Errors of one result or of every result of a stream, presented. */
  const usePresentedErrors: Plugin<ServerContext> = {
    onResultProcess({ result, setResult, serverContext }) {
      const options = presentOptions((serverContext as unknown as ServerContext).requestId);
      if (Symbol.asyncIterator in result) {
        const source = result[Symbol.asyncIterator]();
        setResult({
          [Symbol.asyncIterator]: () => ({
            async next() {
              const step = await source.next();
              return step.done ? step : { done: false, value: presentResult(step.value, options) };
            },
            return: () => source.return?.() ?? Promise.resolve({ done: true, value: undefined }),
          }),
        } as typeof result);
      } else if (!Array.isArray(result)) setResult(presentResult(result, options));
    },
  };

  const yoga = createYoga<ServerContext, Context>({
    schema,
    graphqlEndpoint: GRAPHQL_PATH,
    context: (initial: YogaInitialContext & ServerContext) => initial.createContext(),
    plugins: [
      useSoundParameters,
      useStreamsForSubscriptions,
      useOperations(operations),
      useAddressLimits(addressLimits),
      useAnswerSharing(logger),
      usePresentedErrors,
      useNoStore,
    ],
    // A page of its own: see graphiql.ts.
    graphiql: false,
    // Operations have their own.
    parserAndValidationCache: false,
    // Presented above; what is not ours is masked there.
    maskedErrors: false,
    // Done by the listener, for every path: see edge.ts.
    cors: false,
    maxRequestBodySize: false,
    multipart: false,
    batching: false,
    landingPage: false,
    logging: false,
  });

  return Object.assign(yoga, { operations, addressLimits, presentOptions });
}

/** Whatever is wrong with the parameters is the client's fault, in the same words over GET and POST. */
const useSoundParameters: Plugin = {
  onRequestParse({ requestParser, setRequestParser }) {
    if (!requestParser) return;
    setRequestParser(async (request) => {
      try {
        const params = await requestParser(request);
        if (!isTooMuchJson(params)) return params;
      } catch (error) {
        if (error instanceof GraphQLError) throw error;
      }
      throw new GraphQLError(TOO_MUCH_JSON, { extensions: { code: 'BAD_REQUEST' } });
    });
  },
};

/**
 * A subscription lives as long as somebody reads it: for whom no stream is accepted it does not begin, and for whom
 * left before the first byte it ends. What is made for many comes into the stream from the side.
 */
const useStreamsForSubscriptions: Plugin<YogaInitialContext> = {
  onSubscribe({ args, extendContext, setResultAndStopExecution }) {
    const { request } = args.contextValue as Partial<YogaInitialContext>;
    if (!request) return;
    if (accepts(request.headers.get('accept'), [EVENT_STREAM])) {
      const inlet = createInlet();
      extendContext({ outlet: inlet } as object);
      return {
        onSubscribeResult({ result, setResult }) {
          if (!isAsyncIterable<ExecutionResult>(result)) return;
          const stream = inlet.join(result);
          setResult(stream);
          endWith(request.signal, stream);
        },
      };
    }
    const message = `A subscription over HTTP needs ${EVENT_STREAM}.`;
    setResultAndStopExecution({ errors: [new GraphQLError(message, { extensions: { code: 'NOT_ACCEPTABLE' } })] });
  },
};

/** A stream would be no-cache, which lets it be kept. */
const useNoStore: Plugin = {
  onResponse({ response }) {
    response.headers.set('cache-control', SECURITY_HEADERS['cache-control']);
  },
};

function endWith(signal: AbortSignal, stream: AsyncIterableIterator<unknown>): void {
  const end = () => void stream.return?.();
  if (signal.aborted) end();
  else signal.addEventListener('abort', end, { once: true });
}
