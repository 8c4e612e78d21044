import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import { createClient } from './client.ts';
import type { Client } from './client.ts';
import type { Cluster } from './cluster.ts';
import { GraphQLRequestError, toParams } from './document.ts';
import type { Operation } from './document.ts';
import type { Person } from './people.ts';

export const NOT_FOUND = { code: 'NOT_FOUND' };
export const FORBIDDEN = { code: 'FORBIDDEN' };
export const CONFLICT = { code: 'CONFLICT' };
export const SIGN_IN_FIRST = { code: 'UNAUTHENTICATED', reason: 'MISSING' };
export const badInput = (field: string) => ({ code: 'BAD_USER_INPUT', field });

/** The id of nothing. */
export const absentId = () => randomUUID();

/** Somebody who has not signed in. */
export const nobody = (cluster: Cluster): Client => createClient(cluster.node(0));

/** The extensions of the one error that the server answered with. Fails when it did not refuse. */
export async function refusal(attempt: Promise<unknown>): Promise<Record<string, unknown>> {
  const outcome = await attempt.then(
    (data) => new Error(`it was not refused: ${JSON.stringify(data)}`),
    (error: Error) => error,
  );
  if (!(outcome instanceof GraphQLRequestError)) throw outcome;
  expect(outcome.errors).toHaveLength(1);
  return outcome.extensions;
}

/** The whole answer as it travels. */
export async function answerText<Variables>(
  person: Person,
  operation: Operation<unknown, Variables>,
  variables: Variables,
): Promise<string> {
  const { status, text } = await person.client().raw({
    headers: {
      accept: 'application/graphql-response+json',
      'content-type': 'application/json',
      authorization: `Bearer ${person.accessToken}`,
    },
    body: JSON.stringify(toParams(operation, variables)),
  });
  return `${status} ${text}`;
}

/** What is hidden from this person is refused in the very bytes of what is not there at all. */
export async function expectHidden<Variables>(
  person: Person,
  operation: Operation<unknown, Variables>,
  hidden: Variables,
  absent: Variables,
): Promise<void> {
  const answer = await answerText(person, operation, hidden);
  expect(answer).toContain('"code":"NOT_FOUND"');
  expect(answer).toBe(await answerText(person, operation, absent));
}
