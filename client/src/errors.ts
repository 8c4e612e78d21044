import { CombinedGraphQLErrors, ServerError, ServerParseError } from '@apollo/client/errors';

/**
 * Whatever went wrong, with one of the server's codes, or `OFFLINE`: the server was not reached, or did not answer in
 * time, so that nobody knows whether the operation was carried out.
 */
export class ParleyError extends Error {
  override readonly name = 'ParleyError';
  readonly code: string;
  /** Of BAD_USER_INPUT and CONFLICT: which input, as `input.email`. */
  readonly field?: string;
  /** Of RATE_LIMITED: seconds. */
  readonly retryAfter?: number;

  constructor(code: string, message: string, extra: { field?: unknown; retryAfter?: unknown; cause?: unknown } = {}) {
    super(message, { cause: extra.cause });
    this.code = code;
    if (typeof extra.field === 'string') this.field = extra.field;
    if (typeof extra.retryAfter === 'number') this.retryAfter = extra.retryAfter;
  }
}

interface GraphQLErrorLike {
  message: string;
  extensions?: Record<string, unknown> | undefined;
}

/** The first of several, as in a view there is room for one. */
export function fromGraphQLErrors(errors: readonly GraphQLErrorLike[], cause?: unknown): ParleyError {
  const [first] = errors;
  const code = first?.extensions?.['code'];
  return new ParleyError(typeof code === 'string' ? code : 'INTERNAL_SERVER_ERROR', first?.message ?? 'No answer.', {
    ...first?.extensions,
    cause,
  });
}

/** What Apollo, fetch or GraphQL threw, as one kind of error. */
export function toParleyError(error: unknown): ParleyError {
  if (error instanceof ParleyError) return error;
  if (CombinedGraphQLErrors.is(error)) return fromGraphQLErrors(error.errors, error);
  if (ServerError.is(error) || ServerParseError.is(error)) return fromStatus(error.statusCode, error);
  const message = error instanceof Error ? error.message : String(error);
  return new ParleyError('UNEXPECTED', message, { cause: error });
}

/** An answer that is no GraphQL: of a proxy, of a sign-in page of the café's network, or of nobody. */
function fromStatus(status: number, cause: Error): ParleyError {
  const code =
    status === 401
      ? 'UNAUTHENTICATED'
      : status === 413
        ? 'REQUEST_ENTITY_TOO_LARGE'
        : status === 429
          ? 'RATE_LIMITED'
          : status >= 500
            ? 'SERVICE_UNAVAILABLE'
            : 'OFFLINE';
  return new ParleyError(code, `The server answered ${status}.`, { cause });
}

const TRANSIENT = new Set(['OFFLINE', 'SERVICE_UNAVAILABLE', 'TIMEOUT', 'RATE_LIMITED', 'INTERNAL_SERVER_ERROR']);

/** The same may well succeed later, with nothing changed. */
export function isTransient(error: ParleyError): boolean {
  return TRANSIENT.has(error.code);
}
