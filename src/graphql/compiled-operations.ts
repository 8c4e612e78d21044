import { BREAK, execute, getOperationAST, GraphQLError, Kind, OperationTypeNode, parse, visit } from 'graphql';
import type { ASTNode, DocumentNode, ExecutionArgs, ExecutionResult, OperationDefinitionNode, Source } from 'graphql';
import type { compileQuery, CompiledQuery } from 'graphql-jit';
import { DOCUMENT_LIMITS, isTooComplex } from './document-limits.ts';
import { boundResult } from './field-errors.ts';

export type Execute = (args: ExecutionArgs) => ExecutionResult | Promise<ExecutionResult>;

export interface CompiledOperationsOptions {
  /** An operation that has been run so often is an app's, and comes again. */
  afterRuns?: number;
  /** From one compilation to the next. */
  everyMs?: number;
}

/** Compiling takes time, in which everybody waits: 3 ms for a page of messages. */
const LIMITS = { ...DOCUMENT_LIMITS, fields: 100, directives: 0 };

interface Usage {
  runs: number;
  /** Null: it is never to be. Undefined: it has not been. */
  compiled: CompiledQuery | null | undefined;
}

/**
 * Executes as graphql-js does; queries that come again and again, by functions that graphql-jit compiles them to, which
 * takes a third of the processor time for a page of messages. Mutations are left to graphql-js.
 */
export function createExecute({ afterRuns = 20, everyMs = 100 }: CompiledOperationsOptions = {}): Execute {
  const usages = new WeakMap<OperationDefinitionNode, Usage>();
  let compiler: typeof compileQuery | undefined;
  let isLoading = false;
  let nextAt = 0;

  function usageOf(document: DocumentNode, operation: OperationDefinitionNode): Usage {
    const known = usages.get(operation);
    if (known) return known;
    const usage: Usage = { runs: 0, compiled: isCompilable(document) ? undefined : null };
    usages.set(operation, usage);
    return usage;
  }

  /** A part of the server that has not been needed before. */
  async function load(): Promise<void> {
    isLoading = true;
    compiler = (await import('graphql-jit')).compileQuery;
  }

  function compile({ schema, document }: ExecutionArgs, { name }: OperationDefinitionNode): Usage['compiled'] {
    if (!compiler) return void (isLoading || load());
    const now = performance.now();
    if (now < nextAt) return undefined;
    nextAt = now + everyMs;
    // It writes into what it is given.
    const compiled = compiler(schema, parse(document.loc!.source), name?.value);
    return 'query' in compiled ? compiled : null;
  }

  return (args) => {
    const operation = getOperationAST(args.document, args.operationName);
    if (!operation) return execute(args);
    const usage = usageOf(args.document, operation);
    if (usage.compiled === undefined && ++usage.runs > afterRuns) usage.compiled = compile(args, operation);
    if (!usage.compiled) return execute(args);
    const result = usage.compiled.query(args.rootValue, args.contextValue, args.variableValues);
    return result instanceof Promise ? result.then((done) => settle(done, args)) : settle(result, args);
  };
}

/**
 * What a document may be made of to be compiled: fields, fragments, and arguments that are variables, numbers or words of
 * the schema. graphql-jit 0.8.9 understands more, but not all of it as graphql-js does: conditions and fragments that
 * meet, variables within lists and objects, presets, names that every JavaScript object has. And no text that a client
 * wrote becomes code.
 */
const COMPILABLE: ReadonlySet<ASTNode['kind']> = new Set([
  Kind.DOCUMENT,
  Kind.OPERATION_DEFINITION,
  Kind.FRAGMENT_DEFINITION,
  Kind.SELECTION_SET,
  Kind.FIELD,
  Kind.FRAGMENT_SPREAD,
  Kind.VARIABLE_DEFINITION,
  Kind.VARIABLE,
  Kind.NAMED_TYPE,
  Kind.NON_NULL_TYPE,
  Kind.ARGUMENT,
  Kind.INT,
  Kind.BOOLEAN,
  Kind.ENUM,
  Kind.NAME,
]);

function isCompilable(document: DocumentNode): boolean {
  const [first, ...others] = document.definitions.filter(({ kind }) => kind === Kind.OPERATION_DEFINITION);
  if ((first as OperationDefinitionNode).operation !== OperationTypeNode.QUERY || others.length > 0) return false;
  if (isTooComplex(document, LIMITS)) return false;
  let isPlain = true;
  visit(document, {
    enter(node) {
      isPlain &&= COMPILABLE.has(node.kind);
      if (node.kind === Kind.NAME) isPlain &&= !(node.value in Object.prototype);
      if (node.kind === Kind.VARIABLE_DEFINITION) isPlain &&= node.defaultValue === undefined;
      return isPlain ? undefined : BREAK;
    },
  });
  return isPlain;
}

/** The result in the words and the form of graphql-js. */
function settle(result: ExecutionResult, args: ExecutionArgs): ExecutionResult | Promise<ExecutionResult> {
  if (!result.errors) return result;
  // Its variables are not what they should be: nothing has been run, and graphql-js says why.
  if (!('data' in result)) return execute(args);
  const { data, errors } = boundResult(result);
  const { source } = args.document.loc!;
  const starts = lineStarts(source);
  return { errors: errors!.map((error) => relocate(error, source, starts)), data: data! };
}

/** A compiled function tells the line and the column; graphql-js, the position in the text. */
function relocate(
  { message, locations, path, originalError, extensions }: GraphQLError,
  source: Source,
  starts: readonly number[],
): GraphQLError {
  const positions = locations?.map(({ line, column }) => starts[line - 1]! + column - 1);
  return new GraphQLError(message, { source, positions, path, originalError, extensions });
}

/** Where each line begins, as the GraphQL specification ends them. */
function lineStarts({ body }: Source): number[] {
  return [0, ...Array.from(body.matchAll(/\r\n|[\n\r]/g), ({ index, 0: end }) => index + end.length)];
}
