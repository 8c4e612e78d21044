import {
  getNamedType,
  getNullableType,
  getOperationAST,
  isListType,
  isObjectType,
  Kind,
  OperationTypeNode,
} from 'graphql';
import type { DocumentNode, FieldNode, GraphQLField, GraphQLSchema, SelectionSetNode } from 'graphql';
import type { GraphQLNamedType, OperationDefinitionNode, ValueNode, VariableDefinitionNode } from 'graphql';
import { DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE } from './pagination.ts';

/** Fields that one answer may hold, each counted as often as the pages around it have items. */
const MAX_COST = 100_000;
/** The same of an event, which comes as often as somebody writes. */
const MAX_COST_OF_EVENT = 10_000;

const { SUBSCRIPTION } = OperationTypeNode;

/** How long a list is taken to be that has no pages, such as the members of a chat. */
const UNPAGED_LENGTH = 50;

interface Operation {
  schema: GraphQLSchema;
  document: DocumentNode;
  operationName?: string | null;
  variableValues?: Readonly<Record<string, unknown>> | null;
}

/** Whether they ask for nothing that is too much, whatever their variables are. */
const modest = new WeakMap<OperationDefinitionNode, boolean>();

/** Whether it would answer too much: a page of pages of pages. Sound documents only: it trusts validation. */
export function isTooExpensive({ schema, document, operationName, variableValues }: Operation): boolean {
  const operation = getOperationAST(document, operationName);
  if (!operation) return false;
  const max = operation.operation === SUBSCRIPTION ? MAX_COST_OF_EVENT : MAX_COST;
  const costs = (sizeOf: (variable: string) => number) => measureCost(schema, document, operation, sizeOf);
  if (!modest.has(operation)) modest.set(operation, costs(() => MAX_PAGE_SIZE) <= max);
  return !modest.get(operation) && costs((name) => readVariable(name, operation, variableValues)) > max;
}

type Variables = Operation['variableValues'];

function readVariable(name: string, operation: OperationDefinitionNode, variables: Variables): number {
  const given = variables && Object.hasOwn(variables, name) ? variables[name] : undefined;
  if (given !== undefined) return Number(given);
  const isIt = ({ variable }: VariableDefinitionNode) => variable.name.value === name;
  const preset = operation.variableDefinitions!.find(isIt)?.defaultValue;
  return preset && 'value' in preset ? Number(preset.value) : 0;
}

/** @param sizeOf the size of a page that a variable asks for. */
function measureCost(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
  sizeOf: (variable: string) => number,
): number {
  const fragments = new Map(
    document.definitions.flatMap((node) => (node.kind === Kind.FRAGMENT_DEFINITION ? [[node.name.value, node]] : [])),
  );

  function costOf({ selections }: SelectionSetNode, parent: GraphQLNamedType | null | undefined): number {
    let cost = 0;
    for (const selection of selections) {
      const condition = selection.kind === Kind.FRAGMENT_SPREAD ? fragments.get(selection.name.value)! : selection;
      if (condition.kind === Kind.FIELD) cost += costOfField(condition, parent);
      else
        cost += costOf(
          condition.selectionSet,
          condition.typeCondition ? schema.getType(condition.typeCondition.name.value) : parent,
        );
    }
    return cost;
  }

  function costOfField(node: FieldNode, parent: GraphQLNamedType | null | undefined): number {
    const field = isObjectType(parent) ? parent.getFields()[node.name.value] : undefined;
    // Introspection has a limit of its own.
    if (!field || !node.selectionSet) return 1;
    return 1 + lengthOf(node, field) * costOf(node.selectionSet, getNamedType(field.type));
  }

  function lengthOf(node: FieldNode, field: GraphQLField<unknown, unknown>): number {
    if (field.args.some(({ name }) => name === 'first')) {
      const sizes = node.arguments!.filter(({ name }) => name.value === 'first' || name.value === 'last');
      return Math.max(0, ...sizes.map(({ value }) => pageSize(value))) || DEFAULT_PAGE_SIZE;
    }
    return isListType(getNullableType(field.type)) && node.name.value !== 'edges' ? UNPAGED_LENGTH : 1;
  }

  /** A size that is not allowed is the resolver's to refuse. */
  function pageSize(value: ValueNode): number {
    const size = value.kind === Kind.VARIABLE ? sizeOf(value.name.value) : Number('value' in value && value.value);
    return Number.isFinite(size) ? Math.min(size, MAX_PAGE_SIZE) : 0;
  }

  return costOf(operation.selectionSet, schema.getRootType(operation.operation));
}
