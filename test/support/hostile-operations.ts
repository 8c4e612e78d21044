import fc from 'fast-check';
import { isEnumType, isInputObjectType, isListType, isNonNullType } from 'graphql';
import { isRequiredArgument, isRequiredInputField } from 'graphql';
import type { GraphQLArgument, GraphQLInputField, GraphQLInputType } from 'graphql';
import type { Operation } from './asker.ts';
import { anyText, cursor, email, HOSTILE_IDS, int, json, misfit, token } from './hostile-values.ts';
import { askFor, selectAll, selectLeast } from './schema-walk.ts';
import type { RootField } from './schema-walk.ts';

export interface HostileOperation extends Operation {
  /** Of the root field that it asks. */
  name: string;
  /** Passed as variables, or written out in the query. */
  args: Record<string, unknown>;
}

/** What exists, by the name of the argument that it is for; how far an operation comes depends on it. */
export type Known = (root: RootField, argument: string) => readonly string[];

export function hostileOperation(roots: readonly RootField[], known: Known): fc.Arbitrary<HostileOperation> {
  return fc
    .constantFrom(...roots)
    .chain((root) =>
      fc
        .tuple(inputs(root, root.field.args, known), fc.boolean(), fc.boolean())
        .map(([args, isWrittenOut, isDeep]) => toOperation(root, args, isWrittenOut, isDeep)),
    );
}

type Input = GraphQLArgument | GraphQLInputField;

const isRequired = (input: Input) => isRequiredArgument(input) || isRequiredInputField(input);

function inputs(root: RootField, list: readonly Input[], known: Known): fc.Arbitrary<Record<string, unknown>> {
  const required = list.filter(isRequired).map(({ name }) => name);
  const values = Object.fromEntries(
    list.map((input) => [
      input.name,
      fc.oneof(
        { weight: 19, arbitrary: valueOf(root, input.name, input.type, known) },
        { weight: 1, arbitrary: misfit },
      ),
    ]),
  );
  return fc.record(values, { requiredKeys: required });
}

function valueOf(root: RootField, name: string, type: GraphQLInputType, known: Known): fc.Arbitrary<unknown> {
  if (isNonNullType(type)) return valueOf(root, name, type.ofType, known);
  if (isListType(type)) return fc.array(valueOf(root, name, type.ofType, known), { maxLength: 4 });
  if (isInputObjectType(type)) return inputs(root, Object.values(type.getFields()), known);
  if (isEnumType(type)) return fc.constantFrom(...type.getValues().map((value) => value.name));
  switch (type.name) {
    case 'ID':
      return fc.oneof(
        { weight: 6, arbitrary: fc.constantFrom(...known(root, name)) },
        { weight: 2, arbitrary: fc.constantFrom(...HOSTILE_IDS) },
        { weight: 1, arbitrary: fc.oneof(anyText, int, fc.maxSafeInteger()) },
      );
    case 'Int':
      return int;
    case 'JSON':
      return json;
    default:
      return textOf(name);
  }
}

function textOf(name: string): fc.Arbitrary<string> {
  if (name === 'after' || name === 'before') return cursor;
  if (name === 'email') return email;
  return /token/i.test(name) ? token : anyText;
}

function toOperation(
  root: RootField,
  args: Record<string, unknown>,
  isWrittenOut: boolean,
  isDeep: boolean,
): HostileOperation {
  const selection = isDeep ? selectAll(root.field) : selectLeast(root.field);
  return {
    name: root.name,
    args,
    operation: root.operation,
    query: askFor(root, args, selection, isWrittenOut ? toLiteral : undefined),
    variables: isWrittenOut ? {} : args,
  };
}

/** As JSON has it, but for names of enumerations and of fields. Not every JSON can be written so. */
function toLiteral(value: unknown, type?: GraphQLInputType): string {
  const inner = type && isNonNullType(type) ? type.ofType : type;
  if (Array.isArray(value))
    return `[${value.map((item) => toLiteral(item, isListType(inner) ? inner.ofType : undefined)).join(' ')}]`;
  if (typeof value === 'object' && value !== null) {
    const fields = isInputObjectType(inner) ? inner.getFields() : {};
    return `{${Object.entries(value)
      .map(([name, item]) => `${name}: ${toLiteral(item, fields[name]?.type)}`)
      .join(' ')}}`;
  }
  return typeof value === 'string' && isEnumType(inner) ? value : JSON.stringify(value);
}
