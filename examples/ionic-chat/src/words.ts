import type { ParleyError } from '@parley/client';

/** What a screen says better about one of the codes. */
export type OtherWords = Partial<Record<string, string>>;

/** Codes whose message the server writes for people. */
const SAID_BY_SERVER = new Set(['BAD_USER_INPUT', 'CONFLICT', 'FORBIDDEN']);

const WORDS: Record<string, string> = {
  OFFLINE: 'You are offline. Try again when you are connected.',
  INVALID_CREDENTIALS: 'This e-mail and password do not match.',
  UNAUTHENTICATED: 'You have been signed out. Sign in again.',
  NOT_FOUND: 'This is not here any more.',
  FORBIDDEN: 'You may not do this.',
  TIMEOUT: 'The server took too long. Try again.',
  SERVICE_UNAVAILABLE: 'The server is busy. Try again in a moment.',
  REQUEST_ENTITY_TOO_LARGE: 'This is too large to send.',
};

export function wordsFor(error: ParleyError, otherWords: OtherWords = {}): string {
  const other = otherWords[error.code];
  if (other !== undefined) return other;
  if (error.code === 'RATE_LIMITED') return wordsForWait(error.retryAfter);
  if (SAID_BY_SERVER.has(error.code) && error.message !== '') return error.message;
  return WORDS[error.code] ?? 'Something went wrong. Try again.';
}

/** Undefined unless the error is about this field. `input.email` and `email` are the same field to a form. */
export function wordsForField(error: ParleyError | null, field: string): string | undefined {
  return error?.field?.replace(/^input\./, '') === field ? wordsFor(error) : undefined;
}

function wordsForWait(seconds: number | undefined): string {
  if (seconds === undefined) return 'That was too often. Wait a little and try again.';
  if (seconds < 90) return `That was too often. Try again in ${Math.ceil(seconds)} seconds.`;
  return `That was too often. Try again in ${Math.ceil(seconds / 60)} minutes.`;
}
