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

/** As by assignment, also of `__proto__`. */
const PLAIN = { configurable: true, enumerable: true, writable: true };
