import { getOperationAST } from 'graphql';
import { declaredVariables } from '../graphql/declared-variables.ts';
import type { Operations } from '../graphql/operations.ts';
import { isTooMuchJson } from './json-limits.ts';
import { isPlain } from './plain-post.ts';

/**
 * Of the body of a request for an event stream what counts: the stream keeps its request for as long as it lasts. What is
 * no operation stays as it is, and is refused at once.
 */
export function keptBody(body: Buffer, { textOf, parse }: Operations): Buffer {
  try {
    const params: unknown = JSON.parse(body.toString());
    if (isTooMuchJson(params) || !isPlain(params)) return body;
    const query = textOf(params);
    const { operationName } = params;
    const operation = query === null ? null : getOperationAST(parse(query), operationName);
    if (!operation) return body;
    const variables = declaredVariables(operation, params.variables);
    return Buffer.from(JSON.stringify({ query, operationName, variables }));
  } catch {
    return body;
  }
}
