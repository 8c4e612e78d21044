import {
  astFromValue,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isIntrospectionType,
  isObjectType,
  isRequiredArgument,
  isRequiredInputField,
  isSpecifiedDirective,
  isSpecifiedScalarType,
  print,
} from 'graphql';
import type { GraphQLArgument, GraphQLInputField, GraphQLNamedType, GraphQLSchema } from 'graphql';

type Input = GraphQLArgument | GraphQLInputField;

/**
 * What a client of `published` would miss in `schema`, or be newly asked for: one line each. Output may grow; an
 * argument or an input field may be added where it can be left out. A value added to an enumeration counts as broken: a
 * client in the field may be given it, and knows only the old ones.
 */
export function breaksOf(published: GraphQLSchema, schema: GraphQLSchema): string[] {
  return ownTypes(published).flatMap((expected) => {
    const actual = schema.getType(expected.name);
    if (actual === undefined) return [`type ${expected.name} is missing`];
    if (kindOf(actual) !== kindOf(expected))
      return [`${expected.name} is of kind ${kindOf(actual)}, published as ${kindOf(expected)}`];
    return breaksOfType(expected, actual);
  });
}

function breaksOfType(expected: GraphQLNamedType, actual: GraphQLNamedType): string[] {
  const { name } = expected;
  if (hasFields(expected) && hasFields(actual))
    return Object.values(expected.getFields()).flatMap((field) => {
      const path = `${name}.${field.name}`;
      const found = actual.getFields()[field.name];
      if (found === undefined) return [`field ${path} is missing`];
      return [
        ...breaksOfText(`field ${path} has the type`, String(field.type), String(found.type)),
        ...breaksOfInputs(path, 'argument', field.args, found.args),
      ];
    });
  if (isInputObjectType(expected) && isInputObjectType(actual))
    return breaksOfInputs(name, 'input field', fieldsOf(expected), fieldsOf(actual));
  if (isEnumType(expected) && isEnumType(actual)) {
    const [before, after] = [expected, actual].map((type) => type.getValues().map((value) => value.name));
    return [
      ...before!.filter((value) => !after!.includes(value)).map((value) => `value ${name}.${value} is missing`),
      ...after!.filter((value) => !before!.includes(value)).map((value) => `value ${name}.${value} is new to clients`),
    ];
  }
  return [];
}

function breaksOfInputs(owner: string, kind: string, expected: readonly Input[], actual: readonly Input[]): string[] {
  const known = expected.flatMap((input) => {
    const path = `${kind} ${owner}(${input.name})`;
    const found = actual.find((other) => other.name === input.name);
    if (found === undefined) return [`${path} is missing`];
    return [
      ...breaksOfText(`${path} has the type`, String(input.type), String(found.type)),
      ...breaksOfText(`${path} has the default`, defaultOf(input), defaultOf(found)),
    ];
  });
  const added = actual.filter((input) => !expected.some((other) => other.name === input.name));
  return [
    ...known,
    ...added
      .filter(isRequired)
      .map((input) => `${kind} ${owner}(${input.name}) is new and required: ${String(input.type)}`),
  ];
}

function breaksOfText(what: string, expected: string, actual: string): string[] {
  return expected === actual ? [] : [`${what} ${actual}, published as ${expected}`];
}

/** Every type, field, argument, enum value, input field and directive that nobody has described, by its path. */
export function undescribedIn(schema: GraphQLSchema): string[] {
  const paths: string[] = [];
  const visit = (path: string, { description }: { description?: string | null | undefined }) => {
    if (!description?.trim()) paths.push(path);
  };
  for (const type of ownTypes(schema)) {
    visit(type.name, type);
    if (isEnumType(type)) for (const value of type.getValues()) visit(`${type.name}.${value.name}`, value);
    if (isInputObjectType(type)) for (const field of fieldsOf(type)) visit(`${type.name}.${field.name}`, field);
    if (!hasFields(type)) continue;
    for (const field of Object.values(type.getFields())) {
      visit(`${type.name}.${field.name}`, field);
      for (const argument of field.args) visit(`${type.name}.${field.name}(${argument.name})`, argument);
    }
  }
  for (const directive of schema.getDirectives()) {
    if (isSpecifiedDirective(directive)) continue;
    visit(`@${directive.name}`, directive);
    for (const argument of directive.args) visit(`@${directive.name}(${argument.name})`, argument);
  }
  return paths;
}

function ownTypes(schema: GraphQLSchema): GraphQLNamedType[] {
  return Object.values(schema.getTypeMap()).filter(
    (type) => !isIntrospectionType(type) && !isSpecifiedScalarType(type),
  );
}

const hasFields = (type: GraphQLNamedType) => isObjectType(type) || isInterfaceType(type);
const fieldsOf = (type: { getFields(): Record<string, GraphQLInputField> }) => Object.values(type.getFields());
const kindOf = (type: GraphQLNamedType) => type.constructor.name.replace(/^GraphQL|Type$/g, '');
const isRequired = (input: Input) => isRequiredArgument(input) || isRequiredInputField(input);

function defaultOf({ defaultValue, type }: Input): string {
  const value = astFromValue(defaultValue, type);
  return value ? print(value) : 'none';
}
