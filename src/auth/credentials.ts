import { UnauthenticatedError } from '../errors.ts';

/**
 * The token of an `Authorization: Bearer …` header or of the same text in a socket's connection parameters.
 * Null when there is none at all. RFC 6750, section 2.1.
 *
 * @throws UnauthenticatedError when there is something, but not a bearer token.
 */
export function readBearer(authorization: unknown): string | null {
  if (authorization === undefined || authorization === null || authorization === '') return null;
  const match = typeof authorization === 'string' ? /^Bearer +([\w.~+/-]+=*) *$/i.exec(authorization) : null;
  if (!match) throw new UnauthenticatedError('INVALID_TOKEN');
  return match[1]!;
}
