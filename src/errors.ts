/** Every code that a client can meet in `extensions.code`. Nothing else ever reaches one. */
export const ERROR_CODES = [
  'BAD_REQUEST',
  'UNSUPPORTED_MEDIA_TYPE',
  'NOT_ACCEPTABLE',
  'REQUEST_ENTITY_TOO_LARGE',
  'CSRF_PREVENTED',
  'ORIGIN_NOT_ALLOWED',
  'GRAPHQL_PARSE_FAILED',
  'GRAPHQL_VALIDATION_FAILED',
  'OPERATION_RESOLUTION_FAILURE',
  'QUERY_TOO_COMPLEX',
  'UNAUTHENTICATED',
  'INVALID_CREDENTIALS',
  'INVALID_REFRESH_TOKEN',
  'REFRESH_TOKEN_REUSED',
  'NOT_FOUND',
  'FORBIDDEN',
  'BAD_USER_INPUT',
  'CONFLICT',
  'RATE_LIMITED',
  'TIMEOUT',
  'SERVICE_UNAVAILABLE',
  'INTERNAL_SERVER_ERROR',
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

/** An error that its reader may see: the message and the extensions are written for the client. */
export class AppError extends Error {
  readonly code: ErrorCode;
  /** What the client finds beside the code, such as `field`. */
  readonly extensions: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, extensions: Record<string, unknown> = {}) {
    super(message);
    this.name = new.target.name;
    this.code = code;
    this.extensions = extensions;
  }
}

/** `field` is the path of the argument as the client wrote it, such as `input.body`. */
export class BadUserInputError extends AppError {
  constructor(field: string, message: string) {
    super('BAD_USER_INPUT', message, { field });
  }
}

export class TooComplexError extends AppError {
  constructor() {
    super('QUERY_TOO_COMPLEX', 'The document asks for too much.');
  }
}

/** What is absent and what is hidden from this viewer: the same words for both. */
export class NotFoundError extends AppError {
  constructor() {
    super('NOT_FOUND', 'Not found.');
  }
}

export class ForbiddenError extends AppError {
  constructor(message: string) {
    super('FORBIDDEN', message);
  }
}

export class ConflictError extends AppError {
  constructor(message: string) {
    super('CONFLICT', message);
  }
}

/** No viewer, or a token that no longer counts. `reason` tells a client which. */
export class UnauthenticatedError extends AppError {
  constructor(reason: 'MISSING' | 'INVALID_TOKEN' | 'TOKEN_EXPIRED' | 'SESSION_REVOKED' = 'MISSING') {
    super('UNAUTHENTICATED', reason === 'MISSING' ? 'Sign in first.' : 'Sign in again.', { reason });
  }
}

/** Too many attempts. The very same succeeds again after so many seconds. */
export class RateLimitedError extends AppError {
  constructor(retryAfter: number, message = 'Too many attempts. Try again later.') {
    super('RATE_LIMITED', message, { retryAfter });
  }
}

/** The answer was not there in time, or is not waited for any more. Whether a write took place is not known. */
export class TimeoutError extends AppError {
  constructor() {
    super('TIMEOUT', 'It took too long. Try again.', { retryable: true });
  }
}

/** A dependency is away. Trying again later is safe. */
export class ServiceUnavailableError extends AppError {
  constructor() {
    super('SERVICE_UNAVAILABLE', 'Temporarily unavailable. Try again.', { retryable: true });
  }
}
