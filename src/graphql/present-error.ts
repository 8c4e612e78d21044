import { GraphQLError } from 'graphql';
import type { ExecutionResult } from 'graphql';
import { AppError, ERROR_CODES, ServiceUnavailableError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import type { Logger } from '../logger.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { isUnavailable } from '../persistence/prisma-errors.ts';
import { misfitArgument } from './error-stages.ts';
import { boundResult, MAX_ERRORS } from './field-errors.ts';

/** The status of a response without data (GraphQL over HTTP); a code that is not here leaves it at 200. */
const STATUS: Partial<Record<ErrorCode, number>> = {
  BAD_REQUEST: 400,
  NOT_ACCEPTABLE: 406,
  CSRF_PREVENTED: 403,
  ORIGIN_NOT_ALLOWED: 403,
  GRAPHQL_PARSE_FAILED: 400,
  GRAPHQL_VALIDATION_FAILED: 400,
  OPERATION_RESOLUTION_FAILURE: 400,
  QUERY_TOO_COMPLEX: 400,
  UNAUTHENTICATED: 401,
  BAD_USER_INPUT: 400,
  RATE_LIMITED: 429,
  TIMEOUT: 504,
  SERVICE_UNAVAILABLE: 503,
  INTERNAL_SERVER_ERROR: 500,
};

/** Over `application/json`, a document that cannot be run is answered with 200, as GraphQL over HTTP asks. */
const LEGACY_OK: ReadonlySet<ErrorCode> = new Set([
  'GRAPHQL_PARSE_FAILED',
  'GRAPHQL_VALIDATION_FAILED',
  'QUERY_TOO_COMPLEX',
]);

export interface PresentOptions {
  requestId: string;
  logger: Logger;
  metrics: Metrics;
  /** Leave out "Did you mean", which spells out a schema that may not be introspected. */
  hideSuggestions: boolean;
}

/** The one door through which errors leave: every `errors` list of every transport is made here. */
export function presentResult<Result extends ExecutionResult>(result: Result, options: PresentOptions): Result {
  if (!result.errors?.length) return result;
  const bounded = boundResult(result);
  return { ...bounded, errors: presentErrors(bounded.errors!, options) };
}

export function presentErrors(errors: readonly unknown[], options: PresentOptions): GraphQLError[] {
  return errors.filter(isWorthTelling).map((error) => {
    // Some come by twice on their way out: nothing may be lost, or logged again.
    if (error instanceof GraphQLError && presented.has(error)) return error;
    const ready = present(error, options);
    presented.add(ready);
    return ready;
  });
}

function isWorthTelling(error: unknown, index: number): boolean {
  return index < MAX_ERRORS || (error instanceof GraphQLError && error.path !== undefined);
}

const presented = new WeakSet<GraphQLError>();

function present(error: unknown, options: PresentOptions): GraphQLError {
  const located = error instanceof GraphQLError ? error : undefined;
  const cause = findCause(error);
  const { code, message, extensions } = describe(cause, options);
  options.metrics.errorPresented(code);
  const status = STATUS[code];
  // A field's error never changes the status: the rest of the answer may be good.
  const http =
    located?.path || status === undefined
      ? undefined
      : {
          status: readHttp(located).status ?? status,
          spec: LEGACY_OK.has(code),
          headers: headersFor(code, extensions) ?? readHttp(located).headers,
        };
  return new GraphQLError(message, {
    nodes: located?.nodes,
    source: located?.source,
    positions: located?.positions,
    path: located?.path,
    extensions: { ...extensions, code, ...(http && { http }) },
  });
}

function headersFor(
  code: ErrorCode,
  extensions: Readonly<Record<string, unknown>> = {},
): Record<string, string> | undefined {
  if (code === 'UNAUTHENTICATED') return { 'www-authenticate': 'Bearer error="invalid_token"' };
  if (code === 'RATE_LIMITED') return { 'retry-after': String(extensions['retryAfter']) };
  return undefined;
}

/** What was really thrown, beneath the locations that the executor put around it. */
function findCause(error: unknown): unknown {
  let cause = error;
  while (cause instanceof GraphQLError && cause.originalError) cause = cause.originalError;
  return cause;
}

function describe(
  cause: unknown,
  { requestId, logger, hideSuggestions }: PresentOptions,
): { code: ErrorCode; message: string; extensions?: Readonly<Record<string, unknown>> } {
  if (cause instanceof AppError) return cause;
  if (isUnavailable(cause)) {
    logger.warn({ requestId, err: cause }, 'the database did not answer');
    return new ServiceUnavailableError();
  }
  if (cause instanceof GraphQLError) {
    const { code } = cause.extensions;
    const message = hideSuggestions ? cause.message.replace(/ Did you mean .*\?$/s, '') : cause.message;
    if (isErrorCode(code) && code !== 'INTERNAL_SERVER_ERROR') return { code, message };
    const field = misfitArgument(cause);
    if (field !== null) return { code: 'BAD_USER_INPUT', message, extensions: { field } };
  }
  logger.error({ requestId, err: cause }, 'unexpected error');
  return { code: 'INTERNAL_SERVER_ERROR', message: 'Unexpected error.', extensions: { requestId } };
}

function isErrorCode(code: unknown): code is ErrorCode {
  return (ERROR_CODES as readonly unknown[]).includes(code);
}

function readHttp(error: GraphQLError | undefined): { status?: number; headers?: Record<string, string> } {
  return error?.extensions.http ?? {};
}
