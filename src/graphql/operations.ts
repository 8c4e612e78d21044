import {
  getOperationAST,
  GraphQLError,
  NoFragmentCyclesRule,
  NoSchemaIntrospectionCustomRule,
  OperationTypeNode,
  parse,
  specifiedRules,
  UniqueFragmentNamesRule,
  validate,
} from 'graphql';
import type {
  DocumentNode,
  ExecutionArgs,
  ExecutionResult,
  GraphQLSchema,
  OperationDefinitionNode,
  ValidationRule,
} from 'graphql';
import type { GraphQLParams, Plugin } from 'graphql-yoga';
import type { Metrics } from '../metrics/metrics.ts';
import { createExecute } from './compiled-operations.ts';
import type { Context } from './context.ts';
import { declaredVariables, isRecordOrNone } from './declared-variables.ts';
import { timedOut } from './deadlines.ts';
import type { Deadlines } from './deadlines.ts';
import { createDocumentCache } from './document-cache.ts';
import { isTooExpensive } from './document-cost.ts';
import { DOCUMENT_LIMITS, isTooComplex, isTooLong } from './document-limits.ts';
import { createDocumentList } from './document-list.ts';
import type { DocumentRequest } from './document-list.ts';
import type { ListedText } from './document-manifest.ts';
import { invalid, refused, tooComplex, unparsed } from './error-stages.ts';
import { MAX_ERRORS } from './field-errors.ts';

/** Room for all documents of several apps. */
const DOCUMENT_CACHE_CHARACTERS = 256 * 1024;

/** What comes first: in a circle of fragments, the other rules compare more than document-meetings.ts can count. */
const RULES_OF_FRAGMENTS: readonly ValidationRule[] = [NoFragmentCyclesRule, UniqueFragmentNamesRule];
const OTHER_RULES = specifiedRules.filter((rule) => !RULES_OF_FRAGMENTS.includes(rule));

/** What is done with an operation, whatever the transport, one after the other. */
export interface Operations {
  readonly schema: GraphQLSchema;
  /**
   * The text that a request names, by itself or by ids. Null: it names none, or an id where there is no list.
   *
   * @throws GraphQLError with a code: what it names is not on the list.
   */
  textOf(request: DocumentRequest): string | null;
  /** Of the same text, mostly the same document. @throws GraphQLError with a code. */
  parse(text: string): DocumentNode;
  /** What is wrong with it; nothing: it is sound. */
  validate(document: DocumentNode): readonly GraphQLError[];
  /** Of a sound document, a query or a mutation, by a Context: answered before its deadline, or with TIMEOUT. */
  execute(args: ExecutionArgs): ExecutionResult | Promise<ExecutionResult>;
  /** Why it may not be run; null: it may. To be asked of a subscription, once. */
  refuse(args: ExecutionArgs): ExecutionResult | null;
}

export interface OperationsOptions {
  introspection: boolean;
  deadlines: Deadlines;
  metrics: Metrics;
  /** The only documents that are run. Undefined: any is. */
  listed?: readonly ListedText[] | undefined;
}

/** @throws DocumentListError when one of the listed documents cannot be run. */
export function createOperations(
  schema: GraphQLSchema,
  { introspection, deadlines, metrics, listed }: OperationsOptions,
): Operations {
  const rules = introspection ? OTHER_RULES : [...OTHER_RULES, NoSchemaIntrospectionCustomRule];
  // A document that cannot be parsed is not worth the memory.
  const parsed = createDocumentCache(DOCUMENT_CACHE_CHARACTERS);
  const validated = new WeakMap<DocumentNode, readonly GraphQLError[]>();
  const execute = createExecute();

  function validateOnce(document: DocumentNode): readonly GraphQLError[] {
    const known = validated.get(document);
    if (known) return known;
    const errors = findErrors(document).map(invalid);
    validated.set(document, errors);
    return errors;
  }

  function findErrors(document: DocumentNode): readonly GraphQLError[] {
    try {
      // The next one would be shown to nobody, and to look for what was meant takes time.
      const options = { maxErrors: MAX_ERRORS };
      const errors = validate(schema, document, RULES_OF_FRAGMENTS, options);
      return errors.length > 0 ? errors : validate(schema, document, rules, options);
    } catch (error) {
      // A subscription whose field depends on a variable: graphql-js looks for its value while there is none.
      if (error instanceof GraphQLError) return [error];
      throw error;
    }
  }

  function parseOnce(text: string): DocumentNode {
    const known = parsed.get(text);
    if (known) return known;
    const document = parseWithinLimits(text);
    parsed.set(text, document);
    return document;
  }

  function prepare(text: string): DocumentNode {
    const document = parseWithinLimits(text);
    const [error] = validateOnce(document);
    if (error) throw error;
    return document;
  }

  const list = listed && createDocumentList(listed, prepare);

  function refuse(args: ExecutionArgs): ExecutionResult | null {
    if (isTooExpensive(args)) return { errors: [tooComplex()] };
    const operation = getOperationAST(args.document, args.operationName);
    if (operation) metrics.operationStarted(operation.operation);
    return null;
  }

  return {
    schema,
    textOf: list?.textOf ?? textOf,
    parse: list?.get ?? parseOnce,
    validate: validateOnce,

    execute(args) {
      const refusal = refuse(args);
      if (refusal) return refusal;
      const context = args.contextValue as Context;
      if (context.deadline.isCancelled) return timedOut();
      // Once its context is closed, the operation has it no more.
      const { loaders } = context;
      // Of what was written something is told; of what was only read, all or nothing.
      loaders.isAllOrNothing = isQuery(args);
      const settle = (result: ExecutionResult) =>
        loaders.isAllOrNothing && loaders.isTooMuch ? { errors: [tooComplex()] } : refused(result);
      const result = execute(args);
      return result instanceof Promise ? deadlines.keep(context, result.then(settle)) : settle(result);
    },

    refuse,
  };
}

function isQuery({ document, operationName }: ExecutionArgs): boolean {
  return getOperationAST(document, operationName)?.operation === OperationTypeNode.QUERY;
}

/** Without a list, an id means nothing. */
function textOf({ query, documentId }: DocumentRequest): string | null {
  return typeof query === 'string' && (documentId === undefined || documentId === null) ? query : null;
}

function parseWithinLimits(text: string): DocumentNode {
  if (isTooLong(text)) throw tooComplex();
  const document = parseWithCode(text);
  if (isTooComplex(document, DOCUMENT_LIMITS)) throw tooComplex();
  return document;
}

function parseWithCode(text: string): DocumentNode {
  try {
    return parse(text, { maxLexicalTokens: DOCUMENT_LIMITS.tokens });
  } catch (error) {
    throw unparsed(error as GraphQLError);
  }
}

/** What a stream would keep as long as it lasts. Why a text cannot be parsed is said where it is. */
function withoutTheRest(given: GraphQLParams, parse: Operations['parse'], text: string): GraphQLParams {
  // What is none of these is refused by Yoga.
  if (![given.variables, given.extensions].every(isRecordOrNone)) return given;
  const params = { ...given, extensions: undefined };
  let operation: OperationDefinitionNode | null | undefined;
  try {
    operation = getOperationAST(parse(text), params.operationName);
  } catch {
    return params;
  }
  return { ...params, variables: operation ? declaredVariables(operation, params.variables) : undefined };
}

/** The same stages for what comes by Yoga. Subscriptions are its own; what they may ask for is not. */
export function useOperations({ textOf, parse, validate, execute, refuse }: Operations): Plugin {
  return {
    onRequestParse({ request, url, requestParser, setRequestParser }) {
      if (!requestParser) return;
      setRequestParser(async (given) => {
        // Of several in a list it finds none: they are Yoga's to refuse.
        const params = (await requestParser(given)) as GraphQLParams & DocumentRequest;
        const documentId = request.method === 'GET' ? url.searchParams.get('documentId') || null : params.documentId;
        const query = textOf({ ...params, documentId });
        return query === null ? params : { ...withoutTheRest(params, parse, query), query, documentId: undefined };
      });
    },
    onParse: ({ setParseFn }) => setParseFn((source) => parse(typeof source === 'string' ? source : source.body)),
    onValidate: ({ setValidationFn }) => setValidationFn((_schema, document) => validate(document)),
    onExecute: ({ setExecuteFn }) => setExecuteFn(execute),
    onSubscribe({ args, setResultAndStopExecution }) {
      const refusal = refuse(args);
      if (refusal) return setResultAndStopExecution(refusal);
      return { onSubscribeResult: ({ result, setResult }) => setResult(refused(result)) };
    },
  };
}
