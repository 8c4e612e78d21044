import { NoSchemaIntrospectionCustomRule, parse, specifiedRules, validate } from 'graphql';
import type { DocumentNode, ExecutionArgs, ExecutionResult, GraphQLError, GraphQLSchema } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { createExecute } from './compiled-operations.ts';
import { createDocumentCache } from './document-cache.ts';
import { isTooExpensive } from './document-cost.ts';
import { DOCUMENT_LIMITS, isTooComplex } from './document-limits.ts';
import { invalid, refused, tooComplex, unparsed } from './error-stages.ts';

/** Room for all documents of several apps. */
const DOCUMENT_CACHE_CHARACTERS = 256 * 1024;

/** What is done with an operation, whatever the transport, one after the other. */
export interface Operations {
  readonly schema: GraphQLSchema;
  /** Of the same text, mostly the same document. @throws GraphQLError with a code. */
  parse(text: string): DocumentNode;
  /** What is wrong with it; nothing: it is sound. */
  validate(document: DocumentNode): readonly GraphQLError[];
  /** Of a sound document, a query or a mutation. */
  execute(args: ExecutionArgs): ExecutionResult | Promise<ExecutionResult>;
}

export function createOperations(schema: GraphQLSchema, { introspection }: { introspection: boolean }): Operations {
  const rules = introspection ? specifiedRules : [...specifiedRules, NoSchemaIntrospectionCustomRule];
  // A document that cannot be parsed is not worth the memory.
  const parsed = createDocumentCache(DOCUMENT_CACHE_CHARACTERS);
  const validated = new WeakMap<DocumentNode, readonly GraphQLError[]>();
  const execute = createExecute();

  return {
    schema,

    parse(text) {
      const known = parsed.get(text);
      if (known) return known;
      const document = parseWithCode(text);
      if (isTooComplex(document, DOCUMENT_LIMITS)) throw tooComplex();
      parsed.set(text, document);
      return document;
    },

    validate(document) {
      const known = validated.get(document);
      if (known) return known;
      const errors = validate(schema, document, rules).map(invalid);
      validated.set(document, errors);
      return errors;
    },

    execute(args) {
      if (isTooExpensive(args)) return { errors: [tooComplex()] };
      const result = execute(args);
      return result instanceof Promise ? result.then(refused) : refused(result);
    },
  };
}

function parseWithCode(text: string): DocumentNode {
  try {
    return parse(text, { maxLexicalTokens: DOCUMENT_LIMITS.tokens });
  } catch (error) {
    throw unparsed(error as GraphQLError);
  }
}

/** The same stages for what comes by Yoga. Subscriptions are its own; what they may ask for is not. */
export function useOperations({ parse, validate, execute }: Operations): Plugin {
  return {
    onParse: ({ setParseFn }) => setParseFn((source) => parse(typeof source === 'string' ? source : source.body)),
    onValidate: ({ setValidationFn }) => setValidationFn((_schema, document) => validate(document)),
    onExecute: ({ setExecuteFn }) => setExecuteFn(execute),
    onSubscribe({ args, setResultAndStopExecution }) {
      if (isTooExpensive(args)) return setResultAndStopExecution({ errors: [tooComplex()] });
      return { onSubscribeResult: ({ result, setResult }) => setResult(refused(result)) };
    },
  };
}
