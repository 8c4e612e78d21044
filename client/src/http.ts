import type { TypedDocumentNode } from '@apollo/client';
import { documentText } from './document-text.ts';
import { fromGraphQLErrors, ParleyError } from './errors.ts';

/**
 * `fetch` that gives up on a network which swallows everything, the body included: a phone in a tunnel may otherwise
 * wait for minutes. Whatever keeps the answer from coming is `OFFLINE`; so is the end of everything, by `ended`.
 */
export function createFetch(timeoutMs: number, ended: AbortSignal): typeof fetch {
  return async (input, init) => {
    const abort = new AbortController();
    const cancel = () => abort.abort();
    const signals = [ended, init?.signal];
    for (const signal of signals) signal?.addEventListener('abort', cancel);
    // One that was aborted before tells nobody any more.
    if (signals.some((signal) => signal?.aborted)) cancel();
    const timer = setTimeout(cancel, timeoutMs);
    try {
      const response = await fetch(input, { ...init, signal: abort.signal });
      const { status, statusText, headers } = response;
      return new Response(await response.text(), { status, statusText, headers });
    } catch (error) {
      // The asker has left: told in fetch's own words.
      if (init?.signal?.aborted) throw error;
      throw new ParleyError('OFFLINE', 'The server cannot be reached.', { cause: error });
    } finally {
      clearTimeout(timer);
      for (const signal of signals) signal?.removeEventListener('abort', cancel);
    }
  };
}

/** One operation outside Apollo: what a session asks for itself, which must not wait for a session. */
export type Ask = <Data, Variables>(
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables,
  accessToken?: string,
) => Promise<Data>;

export function createAsk(url: string, fetchInTime: typeof fetch): Ask {
  return async <Data, Variables>(
    document: TypedDocumentNode<Data, Variables>,
    variables: Variables,
    accessToken?: string,
  ) => {
    const response = await fetchInTime(url, {
      method: 'POST',
      headers: {
        accept: 'application/graphql-response+json, application/json',
        'content-type': 'application/json',
        ...(accessToken !== undefined && { authorization: `Bearer ${accessToken}` }),
      },
      body: JSON.stringify({ query: documentText(document), variables }),
    });
    const { data, errors } = await readResult(response);
    if (errors) throw fromGraphQLErrors(errors);
    return data as Data;
  };
}

interface Result {
  data?: unknown;
  errors?: Array<{ message: string; extensions?: Record<string, unknown> }>;
}

async function readResult(response: Response): Promise<Result> {
  try {
    const result = (await response.json()) as Result | null;
    if (result?.data || result?.errors) return result;
  } catch {
    // No JSON: not our server's words.
  }
  throw new ParleyError(
    response.status >= 500 ? 'SERVICE_UNAVAILABLE' : 'OFFLINE',
    `The server answered ${response.status}.`,
  );
}
