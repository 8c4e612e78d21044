import { createRemoteJWKSet, customFetch, errors } from 'jose';
import type { JWTVerifyGetKey } from 'jose';
import { ServiceUnavailableError } from '../errors.ts';

/** What somebody who signs in waits for at most. */
const ANSWER_WITHIN_MS = 3_000;
/** How long a set of keys is believed. One that the provider takes out signs nobody in after this. */
const BELIEF_MS = 10 * 60_000;
/** How often the set is asked for again because a token names a key that is not in it. */
const COOLDOWN_MS = 5_000;
/** Some hundred keys, with their certificates. */
const MAX_SET_BYTES = 256 * 1024;

/** What is wrong with the token, and not with the provider. */
const OF_THE_TOKEN = [errors.JWKSNoMatchingKey, errors.JWKSMultipleMatchingKeys, errors.JOSENotSupported];

/**
 * Finds the key that a token names among those that the provider publishes (RFC 7517). This one address is asked and no
 * other: neither one that a token names, nor one that an answer redirects to. All who need it at once share an answer.
 *
 * @param onFailure told of what went wrong. The key's finder then throws ServiceUnavailableError.
 */
export function createProviderKeys(url: URL, onFailure: (error: unknown) => void): JWTVerifyGetKey {
  const find = createRemoteJWKSet(url, {
    timeoutDuration: ANSWER_WITHIN_MS,
    cacheMaxAge: BELIEF_MS,
    cooldownDuration: COOLDOWN_MS,
    [customFetch]: fetchBounded,
  });
  return async (header, token) => {
    try {
      return await find(header, token);
    } catch (error) {
      if (OF_THE_TOKEN.some((kind) => error instanceof kind)) throw error;
      onFailure(error);
      throw new ServiceUnavailableError();
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
