import { createRemoteJWKSet, customFetch, errors } from 'jose';
import type { JWTVerifyGetKey } from 'jose';
import { ServiceUnavailableError } from '../errors.ts';

/** What somebody who signs in waits for at most. */
const ANSWER_WITHIN_MS = 3_000;
/** How long a set of keys is believed. One that the provider takes out signs nobody in after this … */
const BELIEF_MS = 10 * 60_000;
/** … or, while a newer set cannot be had, after this. */
const BELIEF_WHILE_AWAY_MS = 60 * 60_000;
/**
 * How often the set is asked for again because a token names a key that is not in it, or because it could not be had:
 * whoever comes with tokens without end does not make the server fire at the provider.
 */
const COOLDOWN_MS = 5_000;
/** Some hundred keys, with their certificates. */
const MAX_SET_BYTES = 256 * 1024;

/**
 * Finds the key that a token names among those that the provider publishes (RFC 7517). This one address is asked and no
 * other: neither one that a token names, nor one that an answer redirects to. All who need it at once share an answer.
 *
 * @param onFailure told of what went wrong. Without keys to believe, the key's finder then throws ServiceUnavailableError.
 */
export function createProviderKeys(url: URL, onFailure: (error: unknown) => void): JWTVerifyGetKey {
  // When it is asked is decided here: by itself it would not remember a failure, nor believe an old set.
  const keys = createRemoteJWKSet(url, {
    timeoutDuration: ANSWER_WITHIN_MS,
    cacheMaxAge: Infinity,
    cooldownDuration: Infinity,
    [customFetch]: fetchBounded,
  });
  let fetchedAt = -Infinity;
  let failedAt = -Infinity;
  let underWay: Promise<boolean> | undefined;

  const isWithin = (since: number, ms: number) => performance.now() - since < ms;

  /** False when the set cannot be had, now or a moment ago. */
  async function fetchKeys(): Promise<boolean> {
    if (isWithin(failedAt, COOLDOWN_MS)) return false;
    underWay ??= reload().finally(() => (underWay = undefined));
    return underWay;
  }

  async function reload(): Promise<boolean> {
    try {
      await keys.reload();
      fetchedAt = performance.now();
      return true;
    } catch (error) {
      failedAt = performance.now();
      onFailure(error);
      return false;
    }
  }

  return async (header, token) => {
    const isBelieved =
      isWithin(fetchedAt, BELIEF_MS) || (await fetchKeys()) || isWithin(fetchedAt, BELIEF_WHILE_AWAY_MS);
    if (!isBelieved) throw new ServiceUnavailableError();
    try {
      return await keys(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey) || isWithin(fetchedAt, COOLDOWN_MS)) throw error;
      if (!(await fetchKeys())) throw new ServiceUnavailableError();
      return keys(header, token);
    }
  };
}

/** The signal in `options` ends the reading, too. */
async function fetchBounded(url: string, options: RequestInit): Promise<Response> {
  const response = await fetch(url, options);
  const { body, status } = response;
  if (status !== 200 || body === null) {
    await body?.cancel();
    return response;
  }
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  // Leaving the loop lets go of the connection.
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength;
    if (bytes > MAX_SET_BYTES) throw new Error(`a set of keys of more than ${MAX_SET_BYTES} bytes`);
    chunks.push(chunk);
  }
  return new Response(Buffer.concat(chunks));
}
