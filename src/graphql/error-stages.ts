import type { Plugin } from 'graphql-yoga';
import { GraphQLError } from 'graphql';
import type { ErrorCode } from '../errors.ts';

/**
 * Says of the errors that graphql-js raises itself in which stage they arose, as a code: the libraries give some of
 * them none. Runs on every transport, since every transport runs the enveloped stages.
 */
export function useErrorStages(): Plugin {
  return {
    onParse: () => (parsed) => {
      if (parsed.result instanceof GraphQLError)
        parsed.replaceParseResult(
          withCode(
            parsed.result,
            /more tha[tn] \d+ tokens/.test(parsed.result.message) ? 'QUERY_TOO_COMPLEX' : 'GRAPHQL_PARSE_FAILED',
          ),
        );
    },
    onValidate:
      () =>
      ({ valid, result, setResult }) => {
        if (!valid) setResult((result as GraphQLError[]).map((error) => withCode(error, validationCode(error))));
      },
    onExecute: () => ({
      onExecuteDone: ({ result, setResult }) => tagRefusal(result, setResult),
    }),
    onSubscribe: () => ({
      onSubscribeResult: ({ result, setResult }) => tagRefusal(result, setResult),
    }),
  };
}

/** Without data and without a path, an operation was refused before it began: no such operation, or bad variables. */
function tagRefusal(result: unknown, setResult: (result: never) => void): void {
  if (typeof result !== 'object' || result === null || 'data' in result || !('errors' in result)) return;
  const errors = (result as { errors?: readonly GraphQLError[] }).errors ?? [];
  setResult({
    ...result,
    errors: errors.map((error) => (error.path ? error : withCode(error, 'BAD_USER_INPUT'))),
  } as never);
}

/** What graphql-js says when validation itself would cost too much, and of introspection that goes in circles. */
const TOO_COMPLEX = ['Validation aborted.', 'Maximum introspection depth exceeded'];

function validationCode({ message }: GraphQLError): ErrorCode {
  return TOO_COMPLEX.includes(message) ? 'QUERY_TOO_COMPLEX' : 'GRAPHQL_VALIDATION_FAILED';
}

/** The error with the code, unless it has one. What lies beneath is the library's way of saying the same. */
function withCode(error: GraphQLError, code: ErrorCode): GraphQLError {
  if (error.extensions['code'] !== undefined) return error;
  return new GraphQLError(error.message, {
    nodes: error.nodes,
    source: error.source,
    positions: error.positions,
    path: error.path,
    extensions: { ...error.extensions, code },
  });
}
