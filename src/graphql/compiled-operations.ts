import { BREAK, execute, getOperationAST, GraphQLError, Kind, visit } from 'graphql';
import type { DocumentNode, ExecutionArgs, ExecutionResult, OperationDefinitionNode, Source } from 'graphql';
import type { compileQuery, CompiledQuery } from 'graphql-jit';

export type Execute = (args: ExecutionArgs) => ExecutionResult | Promise<ExecutionResult>;

export interface CompiledOperationsOptions {
  /** An operation that has been run so often is an app's, and comes again. */
  afterRuns?: number;
  /** From one compilation to the next: one takes 3 ms for a page of messages, in which everybody waits. */
  everyMs?: number;
}

/** What is longer would hold everybody up for longer than it can save anybody. */
const MAX_CHARACTERS = 2_000;

interface Usage {
  runs: number;
  /** Null: it is never to be. Undefined: it has not been. */
  compiled: CompiledQuery | null | undefined;
}

/**
 * Executes as graphql-js does; operations that come again and again, by functions that graphql-jit compiles them to,
 * which takes a third of the processor time for a page of messages.
 *
 * Of what a client wrote, only names and numbers become code: a document with a string in it, which an app would give
 * as a variable, is never compiled.
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
    const compiled = compiler(schema, document, name?.value);
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

function isCompilable(document: DocumentNode): boolean {
  if ((document.loc?.source.body.length ?? Infinity) > MAX_CHARACTERS) return false;
  let hasString = false;
  visit(document, {
    [Kind.STRING]() {
      hasString = true;
      return BREAK;
    },
  });
  return !hasString;
}

/** The result in the words and the form of graphql-js. */
function settle(result: ExecutionResult, args: ExecutionArgs): ExecutionResult | Promise<ExecutionResult> {
  if (!result.errors) return result;
  // Its variables are not what they should be: nothing has been run, and graphql-js says why.
  if (!('data' in result)) return execute(args);
  const errors = result.errors.map((error) => relocate(error, args.document.loc!.source));
  return { errors, data: result.data };
}

/** A compiled function tells the line and the column; graphql-js, the position in the text. */
function relocate({ message, locations, path, originalError, extensions }: GraphQLError, source: Source): GraphQLError {
  const positions = locations?.map(({ line, column }) => startOfLine(source, line) + column - 1);
  return new GraphQLError(message, { source, positions, path, originalError, extensions });
}

/** Lines as the GraphQL specification ends them, counted from 1. */
function startOfLine({ body }: Source, line: number): number {
  if (line === 1) return 0;
  const end = [...body.matchAll(/\r\n|[\n\r]/g)][line - 2]!;
  return end.index + end[0].length;
}
