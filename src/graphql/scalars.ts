import { GraphQLScalarType } from 'graphql';
import { GraphQLDateTimeISO, GraphQLJSON } from 'graphql-scalars';

/** Written by `Date.toISOString`: UTC, milliseconds. */
export const DateTime = new GraphQLScalarType<Date, string>({
  ...GraphQLDateTimeISO.toConfig(),
  name: 'DateTime',
  description: 'RFC 3339 date and time, in UTC, such as `2026-11-21T09:30:00.000Z`.',
  extensions: { codegenScalarType: 'string' },
  serialize: (value) => (value instanceof Date ? value : new Date(String(value))).toISOString(),
});

export const JSONValue = new GraphQLScalarType<unknown, unknown>({
  ...GraphQLJSON.toConfig(),
  name: 'JSON',
  description: 'Any JSON value. A client may attach what it likes, up to 8 KiB and 8 levels.',
  specifiedByURL: 'https://www.rfc-editor.org/rfc/rfc8259',
});
