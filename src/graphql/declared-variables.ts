import type { OperationDefinitionNode } from 'graphql';

type Variables = Record<string, unknown>;

/** Those of the variables that the operation declares. The others say nothing, and would be kept as long as it lasts. */
export function declaredVariables(
  { variableDefinitions = [] }: OperationDefinitionNode,
  variables: Variables | null | undefined,
): Variables | undefined {
  if (!variables) return undefined;
  const declared: Variables = {};
  for (const { variable } of variableDefinitions) {
    const name = variable.name.value;
    if (Object.hasOwn(variables, name)) Object.defineProperty(declared, name, { ...PLAIN, value: variables[name] });
  }
  return declared;
}

/** What variables must be, and extensions: GraphQL over HTTP, "Request parameters". */
export function isRecordOrNone(value: unknown): boolean {
  return value === undefined || value === null || (typeof value === 'object' && !Array.isArray(value));
}

/** As by assignment, also of `__proto__`. */
const PLAIN = { configurable: true, enumerable: true, writable: true };
