import type { OutgoingHttpHeader, ServerResponse } from 'node:http';
import { getOperationAST, OperationTypeNode } from 'graphql';
import type { ExecutionResult } from 'graphql';
import { processRegularResult } from 'graphql-yoga';
import { declaredVariables, isRecordOrNone } from '../graphql/declared-variables.ts';
import { noSuchOperation } from '../graphql/error-stages.ts';
import { presentErrors, presentResult } from '../graphql/present-error.ts';
import { rememberLast } from '../remember-last.ts';
import { Refusal } from './edge.ts';
import { isTooMuchJson, TOO_MUCH_JSON } from './json-limits.ts';
import type { GraphQLServer, ServerContext } from './yoga.ts';

type MediaType = 'application/graphql-response+json' | 'application/json';

export interface PlainPost {
  mediaType: MediaType;
  params: {
    query?: string | null;
    documentId?: string | null;
    operationName?: string | null;
    variables?: Record<string, unknown> | null;
    extensions?: Record<string, unknown> | null;
  };
}

const PARAMETERS = new Set(['query', 'documentId', 'operationName', 'variables', 'extensions']);

/**
 * What nearly every client sends: one operation, well formed, and an answer in JSON. Null: it is something else, or
 * wrong, and Yoga's to deal with. What is too much is refused before it is read a second time.
 */
export function readPlainPost(accept: string | undefined, body: Buffer): PlainPost | Refusal | null {
  const mediaType = negotiate(accept);
  if (!mediaType) return null;
  let params: unknown;
  try {
    params = JSON.parse(body.toString());
  } catch {
    return null;
  }
  if (isTooMuchJson(params)) return new Refusal(400, 'BAD_REQUEST', TOO_MUCH_JSON);
  return isPlain(params) ? { mediaType, params } : null;
}

/** Whether it is one operation, and nothing that is not known. */
export function isPlain(params: unknown): params is PlainPost['params'] {
  if (typeof params !== 'object' || params === null || Array.isArray(params)) return false;
  if (!Object.keys(params).every((name) => PARAMETERS.has(name))) return false;
  const { query, documentId, operationName, variables, extensions } = params as Record<string, unknown>;
  return (
    [query, documentId, operationName].every(isStringOrNone) && isRecordOrNone(variables) && isRecordOrNone(extensions)
  );
}

function isStringOrNone(value: unknown): boolean {
  return value === undefined || value === null || typeof value === 'string';
}

/** As Yoga does: the first range that fits, whatever its weight. Undefined: none does. */
const negotiate = rememberLast((accept: string | undefined): MediaType | undefined => {
  for (const range of (accept ?? '*/*').replaceAll(/\s/g, '').toLowerCase().split(',')) {
    const [type, ...parameters] = range.split(';');
    const charset = parameters.find((parameter) => parameter.includes('charset='));
    if (charset !== undefined && charset !== 'charset=utf-8') continue;
    if (type === 'application/graphql-response+json') return type;
    if (type === 'application/json' || type === 'application/*' || type === '*/*') return 'application/json';
  }
  return undefined;
});

/**
 * Runs the operation through the same stages as every other, without a Request and a Response of the Fetch standard
 * around it. False: it is a subscription, or names no document, and nothing was done.
 */
export async function answerPlainPost(
  graphql: GraphQLServer,
  { mediaType, params }: PlainPost,
  context: ServerContext,
  response: ServerResponse,
): Promise<boolean> {
  const options = graphql.presentOptions(context.requestId);
  let result: ExecutionResult;
  try {
    const { operationName } = params;
    const { schema, textOf, parse, validate, execute } = graphql.operations;
    const text = textOf(params);
    if (text === null) return false;
    const document = parse(text);
    const operation = getOperationAST(document, operationName);
    if (!operation) throw noSuchOperation();
    if (operation.operation === OperationTypeNode.SUBSCRIPTION) return false;
    const variableValues = declaredVariables(operation, params.variables);
    params.variables = null;
    const errors = validate(document);
    if (errors.length > 0) result = { errors: presentErrors(errors, options) };
    else {
      const limited = graphql.addressLimits.find(document, operationName);
      const contextValue = await context.createContext();
      if (limited) await graphql.addressLimits.count(limited, contextValue.client.address);
      result = presentResult(await execute({ schema, document, contextValue, variableValues, operationName }), options);
    }
  } catch (error) {
    result = { errors: presentErrors([error], options) };
  }
  const { body, status, headers } = processRegularResult(
    result,
    { Response: Answer } as never,
    mediaType,
  ) as never as Answer;
  await endOfRound();
  const list: OutgoingHttpHeader[] = ['content-length', Buffer.byteLength(body)];
  for (const name in headers) list.push(name, headers[name]!);
  response.writeHead(status, list).end(body);
  return true;
}

/** That is under way. */
let round: Promise<void> | undefined;

/**
 * When everything has been read that this round of the event loop found. Answers leave together then: who reads them on
 * this machine, such as a proxy, is woken once. To be woken for each cost the server as much as such an answer.
 */
function endOfRound(): Promise<void> {
  return (round ??= new Promise((resolve) => {
    setImmediate(() => {
      round = undefined;
      resolve();
    });
  }));
}

/** All that Yoga's answer needs of a Response. */
class Answer {
  readonly body: string;
  readonly status: number;
  readonly headers: Record<string, string>;

  constructor(body: string, { status, headers }: { status: number; headers: Record<string, string> }) {
    this.body = body;
    this.status = status;
    this.headers = headers;
  }
}
