import graphql from '@graphql-eslint/eslint-plugin';

/** For schema.graphql alone: oxlint reads the TypeScript. */
export default [
  {
    files: ['schema.graphql'],
    languageOptions: {
      parser: graphql.parser,
      parserOptions: { graphQLConfig: { schema: 'schema.graphql' } },
    },
    plugins: { '@graphql-eslint': graphql },
    rules: {
      ...graphql.configs['flat/schema-recommended'].rules,
      ...graphql.configs['flat/schema-relay'].rules,
      '@graphql-eslint/require-deprecation-date': 'error',
      '@graphql-eslint/require-description': [
        'error',
        {
          types: true,
          rootField: true,
          DirectiveDefinition: true,
          EnumValueDefinition: true,
          FieldDefinition: true,
          InputValueDefinition: true,
        },
      ],
      // Edges, page information and values that belong to another thing have no identity of their own.
      '@graphql-eslint/strict-id-in-types': [
        'error',
        {
          acceptedIdNames: ['id'],
          acceptedIdTypes: ['ID'],
          exceptions: {
            types: ['AuthPayload', 'ChatMember', 'LinkedIdentity', 'PageInfo'],
            suffixes: ['Connection', 'Edge'],
          },
        },
      ],
      // There is no Node interface, and short lists of ids and members come whole.
      '@graphql-eslint/relay-edge-types': 'off',
      // Lists that are read from one end have no `last` and `before`.
      '@graphql-eslint/relay-arguments': ['error', { includeBoth: false }],
    },
  },
];
