import type { CodegenConfig } from '@graphql-codegen/cli';

const typed = {
  preset: 'client' as const,
  presetConfig: { fragmentMasking: false },
  config: {
    scalars: { DateTime: 'string', JSON: 'unknown' },
    strictScalars: true,
    enumsAsTypes: true,
    useTypeImports: true,
    importExtension: '.ts',
  },
};

/** Typed documents, made from the committed schema: of the API tests, and of the client package. */
const config: CodegenConfig = {
  schema: 'schema.graphql',
  generates: {
    'test/support/generated/': { ...typed, documents: ['test/**/*.ts', '!test/support/generated/**'] },
    'client/src/generated/': { ...typed, documents: 'client/src/documents/*.graphql' },
  },
};

export default config;
