import { createYoga, isAsyncIterable } from 'graphql-yoga';
import type { Plugin, YogaInitialContext } from 'graphql-yoga';
import { GraphQLError, NoSchemaIntrospectionCustomRule } from 'graphql';
import type { GraphQLSchema } from 'graphql';
import { useCostLimit } from '../graphql/document-cost.ts';
import { createDocumentCache } from '../graphql/document-cache.ts';
import { useDocumentLimits } from '../graphql/document-limits.ts';
import { useErrorStages } from '../graphql/error-stages.ts';
import { presentResult } from '../graphql/present-error.ts';
import type { Context } from '../graphql/context.ts';
import type { Logger } from '../logger.ts';
import { accepts, CSRF_HEADERS, EVENT_STREAM, isTooDeep } from './edge.ts';

export const GRAPHQL_PATH = '/graphql';

/** Room for all documents of several apps. */
const DOCUMENT_CACHE_CHARACTERS = 256 * 1024;

/** What a transport puts into Yoga before an operation is parsed. */
export interface ServerContext {
  requestId: string;
  /** Makes the context once the operation is known to be sound. Rejects when the token is bad. */
  createContext: () => Promise<Context>;
}

export interface GraphQLServerOptions {
  schema: GraphQLSchema;
  graphiql: boolean;
  introspection: boolean;
  logger: Logger;
}

export type GraphQLServer = ReturnType<typeof createGraphQLServer>;

/** The pipeline that every operation runs through, whatever the transport: parse, limits, validation, execution. */
export function createGraphQLServer({ schema, graphiql, introspection, logger }: GraphQLServerOptions) {
  const presentOptions = (requestId: string) => ({ requestId, logger, hideSuggestions: !introspection });

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
      useErrorStages(),
      useDocumentLimits(),
      useCostLimit(),
      ...(introspection ? [] : [useNoIntrospection]),
      usePresentedErrors,
    ],
    graphiql: graphiql && {
      title: 'Parley',
      subscriptionsProtocol: 'SSE',
      additionalHeaders: { [CSRF_HEADERS[0]!]: '1' },
      defaultQuery: WELCOME,
    },
    renderGraphiQL: async (options) => (await import('@graphql-yoga/render-graphiql')).renderGraphiQL(options),
    parserAndValidationCache: {
      documentCache: createDocumentCache(DOCUMENT_CACHE_CHARACTERS),
      // A document that cannot be parsed is not worth the memory.
      errorCache: { get: () => undefined, set() {} },
    },
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

  return Object.assign(yoga, { presentOptions });
}

/** Whatever is wrong with the parameters is the client's fault, in the same words over GET and POST. */
const useSoundParameters: Plugin = {
  onRequestParse({ requestParser, setRequestParser }) {
    if (!requestParser) return;
    setRequestParser(async (request) => {
      try {
        const params = await requestParser(request);
        if (!isTooDeep(params)) return params;
      } catch (error) {
        if (error instanceof GraphQLError) throw error;
      }
      throw new GraphQLError('Not JSON, or nested too deep.', { extensions: { code: 'BAD_REQUEST' } });
    });
  },
};

/**
 * A subscription lives as long as somebody reads it: for whom no stream is accepted it does not begin, and for whom
 * left before the first byte it ends.
 */
const useStreamsForSubscriptions: Plugin<YogaInitialContext> = {
  onSubscribe({ args, setResultAndStopExecution }) {
    const { request } = args.contextValue as Partial<YogaInitialContext>;
    if (!request) return;
    if (accepts(request.headers.get('accept'), [EVENT_STREAM])) return { onSubscribeResult: endWith(request.signal) };
    const message = `A subscription over HTTP needs ${EVENT_STREAM}.`;
    setResultAndStopExecution({ errors: [new GraphQLError(message, { extensions: { code: 'NOT_ACCEPTABLE' } })] });
  },
};

function endWith(signal: AbortSignal) {
  return ({ result }: { result: unknown }) => {
    if (!isAsyncIterable(result)) return;
    const end = () => void (result as AsyncGenerator).return(undefined);
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  };
}

const useNoIntrospection: Plugin = {
  onValidate: ({ addValidationRule }) => addValidationRule(NoSchemaIntrospectionCustomRule),
};

const WELCOME = `# Welcome to Parley. Run this to sign up; the README goes on from here.
#
# For what needs a signed-in viewer, put the access token into the Headers pane below:
#   { "authorization": "Bearer <accessToken>" }

mutation SignUp {
  register(input: { email: "me@example.org", password: "violet harbour", firstName: "Mia", lastName: "Moss" }) {
    accessToken
    user {
      id
    }
  }
}
`;
