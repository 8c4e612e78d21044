import { defineConfig } from 'rolldown';

/**
 * The server in a few files: a process that reads two thousand starts several times as slowly. What has binaries of its
 * own, or is only wanted at times, stays in node_modules.
 */
export default defineConfig({
  input: 'src/main.ts',
  platform: 'node',
  external: [
    /^@electric-sql\/pglite/,
    /^@node-rs\/argon2/,
    /^@prisma\/schema-engine-wasm/,
    /^@graphql-yoga\/render-graphiql/,
    // Optional dependencies that nobody installs.
    /^pg-native$/,
  ],
  // One copy of graphql, whoever asks for it: a schema made with another is refused.
  resolve: { alias: { graphql$: 'graphql/index.mjs' } },
  output: { dir: 'dist', format: 'esm', sourcemap: true, cleanDir: true },
});
