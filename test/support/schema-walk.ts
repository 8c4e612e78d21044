import { getNamedType, isInputObjectType, isLeafType, isListType, isObjectType, OperationTypeNode } from 'graphql';
import { getNullableType, isIntrospectionType, isRequiredArgument } from 'graphql';
import type { GraphQLArgument, GraphQLField, GraphQLInputField, GraphQLInputType } from 'graphql';
import type { GraphQLObjectType, GraphQLSchema } from 'graphql';

export type AnyField = GraphQLField<unknown, unknown>;

/** A field that an operation begins with. */
export interface RootField {
  /** `Mutation.sendMessage` */
  name: string;
  operation: OperationTypeNode;
  field: AnyField;
}

/** Where a root field takes an id: `input.chatId`. */
export interface IdPath {
  path: string;
  isList: boolean;
}

export function rootFields(schema: GraphQLSchema): RootField[] {
  return Object.values(OperationTypeNode).flatMap((operation) => {
    const root = schema.getRootType(operation);
    return fieldsOf(root).map((field) => ({ name: `${root!.name}.${field.name}`, operation, field }));
  });
}

export function idPaths({ field }: RootField): IdPath[] {
  const find = (prefix: string, { name, type }: GraphQLArgument | GraphQLInputField): IdPath[] => {
    const path = `${prefix}${name}`;
    const named = getNamedType(type);
    if (isInputObjectType(named)) return Object.values(named.getFields()).flatMap((inner) => find(`${path}.`, inner));
    return named.name === 'ID' ? [{ path, isList: isListType(getNullableType(type)) }] : [];
  };
  return field.args.flatMap((argument) => find('', argument));
}

/** Object types that are no roots. */
export function objectTypes(schema: GraphQLSchema): GraphQLObjectType[] {
  const roots = Object.values(OperationTypeNode).map((operation) => schema.getRootType(operation));
  return Object.values(schema.getTypeMap()).filter(
    (type): type is GraphQLObjectType => isObjectType(type) && !isIntrospectionType(type) && !roots.includes(type),
  );
}

export function fieldsOf(type: GraphQLObjectType | null | undefined): AnyField[] {
  return type ? Object.values(type.getFields()) : [];
}

/** The operation that asks a root field with these arguments: each as a variable, or as `write` writes it out. */
export function askFor(
  { operation, field }: RootField,
  args: Record<string, unknown>,
  selection: string,
  write?: (value: unknown, type: GraphQLInputType) => string,
): string {
  const given = field.args.filter(({ name }) => name in args);
  const declared = write ? [] : given.map(({ name, type }) => `$${name}: ${String(type)}`);
  const passed = given.map(({ name, type }) => `${name}: ${write ? write(args[name], type) : `$${name}`}`);
  return `${operation} ${inBrackets(declared)} { ${field.name}${inBrackets(passed)} ${selection} }`;
}

const inBrackets = (list: string[]) => (list.length === 0 ? '' : `(${list.join(', ')})`);

/**
 * Everything that can be selected of what the field answers, down every path on which no type comes twice and nothing
 * has to be given.
 */
export function selectAll({ type }: AnyField, above: readonly string[] = []): string {
  const named = getNamedType(type);
  if (!isObjectType(named)) return '';
  const path = [...above, named.name];
  const fields = fieldsOf(named)
    .filter((field) => !field.args.some(isRequiredArgument) && !path.includes(getNamedType(field.type).name))
    .map((field) => `${field.name} ${selectAll(field, path)}`);
  return `{ ${fields.join(' ')} }`;
}

/** The least that can be selected. */
export const selectLeast = ({ type }: AnyField): string => (isLeafType(getNamedType(type)) ? '' : '{ __typename }');

type Visit = (type: GraphQLObjectType, field: AnyField, value: unknown, path: readonly object[]) => void;

/**
 * Calls back for every field of every object of an answer that was selected without aliases. The path is the objects
 * around the value, the innermost first.
 */
export function visitAnswer(field: AnyField, answer: unknown, visit: Visit, path: readonly object[] = []): void {
  const type = getNamedType(field.type);
  if (!isObjectType(type) || typeof answer !== 'object' || answer === null) return;
  if (Array.isArray(answer)) return answer.forEach((item) => visitAnswer(field, item, visit, path));
  const here = [answer, ...path];
  for (const inner of fieldsOf(type)) {
    if (!(inner.name in answer)) continue;
    const value = (answer as Record<string, unknown>)[inner.name];
    visit(type, inner, value, here);
    visitAnswer(inner, value, visit, here);
  }
}

/** Columns between bars, as in Markdown; the first line names them, and empty ones are for the eye. */
export function readTable<Column extends string>(text: string): Array<Record<Column, string>> {
  const [head, ...rows] = text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => line.split('|').map((cell) => cell.trim()));
  return rows.map(
    (cells) => Object.fromEntries(head!.map((column, at) => [column, cells[at]])) as Record<Column, string>,
  );
}
