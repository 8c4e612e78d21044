import { print } from 'graphql';
import type { DocumentNode } from 'graphql';

/** An operation as the code generator types it, in either of its forms. Any text will do, untyped. */
export type Operation<Data, Variables> = (DocumentNode | InstanceType<typeof String>) & {
  __apiType?: (variables: Variables) => Data;
};

/** Variables may be left out where each of them may. */
// oxlint-disable-next-line typescript/no-empty-object-type
export type VariablesOf<Variables> = {} extends Variables ? [variables?: Variables] : [variables: Variables];

export interface ResponseError {
  message: string;
  path?: readonly (string | number)[];
  extensions?: Record<string, unknown>;
}

export interface ExecutionResult {
  data?: unknown;
  errors?: readonly ResponseError[];
}

/** A response with errors. `code` is that of the first. */
export class GraphQLRequestError extends Error {
  readonly errors: readonly ResponseError[];
  /** Of the HTTP response; undefined over a socket. */
  readonly status: number | undefined;
  /** What was answered beside the errors. */
  readonly data: unknown;

  constructor(errors: readonly ResponseError[], { status, data }: { status?: number; data?: unknown } = {}) {
    super(errors.map(({ message, extensions }) => `${String(extensions?.code)}: ${message}`).join('; '));
    this.errors = errors;
    this.status = status;
    this.data = data;
  }

  get code(): string | undefined {
    return this.extensions.code as string | undefined;
  }

  /** Of the first error. */
  get extensions(): Record<string, unknown> {
    return this.errors[0]?.extensions ?? {};
  }
}

/** What travels: the text of the operation and its variables. */
export function toParams(operation: DocumentNode | InstanceType<typeof String>, variables?: unknown) {
  const query = typeof operation === 'string' || operation instanceof String ? String(operation) : print(operation);
  return { query, variables: variables as Record<string, unknown> | undefined };
}
