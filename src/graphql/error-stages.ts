import { GraphQLError } from 'graphql';
import { AppError, TooComplexError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';

/*
 * Of the errors that graphql-js raises itself, in which stage they arose, as a code: the library gives them none.
 */

export function unparsed(error: GraphQLError): GraphQLError {
  return withCode(error, /more tha[tn] \d+ tokens/.test(error.message) ? 'QUERY_TOO_COMPLEX' : 'GRAPHQL_PARSE_FAILED');
}

/** What graphql-js says when validation itself would cost too much, and of introspection that goes in circles. */
const TOO_COMPLEX = ['Validation aborted.', 'Maximum introspection depth exceeded'];

export function invalid(error: GraphQLError): GraphQLError {
  return withCode(error, TOO_COMPLEX.includes(error.message) ? 'QUERY_TOO_COMPLEX' : 'GRAPHQL_VALIDATION_FAILED');
}

export function tooComplex(): GraphQLError {
  const { code, message } = new TooComplexError();
  return withCode(new GraphQLError(message), code);
}

/** The same for whatever is not on the list of documents, and however it was named. */
export function notListed(): GraphQLError {
  return withCode(new GraphQLError('The document is not on the list of those that this server runs.'), 'BAD_REQUEST');
}

/**
 * The argument that an operation gives wrongly, found while it is run: a variable is null that stands where its preset
 * was meant to. Null: the error says nothing of the kind.
 */
export function misfitArgument({ message }: GraphQLError): string | null {
  return /^Argument "(\w+)" (?:of (?:required|non-null) type|has invalid value) /.exec(message)?.[1] ?? null;
}

/** In Yoga's words: of several operations none was named, or there is none of that name. */
export function noSuchOperation(): AppError {
  return new AppError('OPERATION_RESOLUTION_FAILURE', 'Could not determine what operation to execute.');
}

/** Without data and without a path, an operation was refused before it began: no such operation, or bad variables. */
export function refused<Result extends object>(result: Result): Result {
  if ('data' in result || !('errors' in result)) return result;
  const errors = result.errors as readonly GraphQLError[];
  return { ...result, errors: errors.map((error) => (error.path ? error : withCode(error, 'BAD_USER_INPUT'))) };
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
