import type { SqlDriverAdapter } from '@prisma/driver-adapter-utils';

/** One database session to migrate through. */
export type MigrationAdapter = SqlDriverAdapter;

/**
 * An adapter that runs a script as one and waits for it. The originals do not: adapter-pg cuts scripts at every
 * semicolon, also within a comment or a function; pglite-prisma-adapter does not wait, so that a migration that
 * fails counts as applied.
 */
export function withWholeScripts(
  adapter: SqlDriverAdapter,
  execute: (script: string) => Promise<unknown>,
): MigrationAdapter {
  return extend(adapter, {
    executeScript: async (script) => {
      await execute(script);
    },
  });
}

/** The adapter with some methods replaced. */
export function extend(adapter: SqlDriverAdapter, methods: Partial<SqlDriverAdapter>): SqlDriverAdapter {
  return Object.assign(Object.create(adapter) as SqlDriverAdapter, methods);
}
