import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { bindMigrationAwareSqlAdapterFactory } from '@prisma/driver-adapter-utils';
import type { SqlDriverAdapter } from '@prisma/driver-adapter-utils';
import type { MigrationList, SchemaEngine } from '@prisma/schema-engine-wasm/schema_engine_bg';

export interface Migration {
  /** Of its directory, `<yyyymmddhhmmss>_<what>`: the order in which they apply. */
  readonly name: string;
  readonly sql: string;
}

/** The same from `src/` and from whichever file of `dist/` this is bundled into. */
export const MIGRATIONS_DIR = findAbove(import.meta.dirname, 'prisma/migrations');

const LOCK_FILE = 'migration_lock.toml';
const EVERYTHING = { externalTables: [], externalEnums: [] };

function findAbove(directory: string, path: string): string {
  const found = join(directory, path);
  return existsSync(found) || directory === dirname(directory) ? found : findAbove(dirname(directory), path);
}

export async function readMigrations(directory = MIGRATIONS_DIR): Promise<Migration[]> {
  const entries = await readdir(directory, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  return Promise.all(
    names
      .toSorted()
      .map(async (name) => ({ name, sql: await readFile(join(directory, name, 'migration.sql'), 'utf8') })),
  );
}

/** Applies what is missing of `migrations`, keeping Prisma's own books in `_prisma_migrations`. */
export async function applyWithEngine(adapter: SqlDriverAdapter, migrations: Migration[]): Promise<void> {
  await withEngine({ main: adapter }, (engine) =>
    engine.applyMigrations({ migrationsList: listOf(migrations), filters: EVERYTHING }),
  );
}

/**
 * The SQL that leads from the migrations to the schema; null when there is none. `main` and `shadow` are empty
 * databases of their own; the migrations run in `shadow`.
 */
export async function diffWithEngine(
  databases: { main: SqlDriverAdapter; shadow: SqlDriverAdapter },
  migrations: Migration[],
  schema: string,
): Promise<string | null> {
  const diff = await withEngine(databases, (engine) =>
    engine.diff({
      from: { tag: 'migrations', ...listOf(migrations) },
      to: { tag: 'schemaDatamodel', files: [{ path: 'schema.prisma', content: schema }] },
      script: true,
      exitCode: true,
      filters: EVERYTHING,
    }),
  );
  return diff.exitCode === 0 ? null : diff.stdout;
}

async function withEngine<T>(
  { main, shadow }: { main: SqlDriverAdapter; shadow?: SqlDriverAdapter },
  use: (engine: SchemaEngine) => Promise<T>,
): Promise<T> {
  const factory = bindMigrationAwareSqlAdapterFactory({
    provider: main.provider,
    adapterName: main.adapterName,
    connect: async () => main,
    connectToShadowDb: async () => {
      if (shadow === undefined) throw new Error('no shadow database');
      return shadow;
    },
  });
  const { SchemaEngine } = await loadEngine();
  const engine = await SchemaEngine.new({ datamodels: undefined }, () => {}, factory);
  try {
    return await use(engine);
  } finally {
    engine.free();
  }
}

type EngineModule = typeof import('@prisma/schema-engine-wasm/schema_engine_bg') & {
  __wbg_set_wasm(exports: WebAssembly.Exports): void;
};

let engineModule: Promise<EngineModule> | undefined;

/** 5 MB of WebAssembly: loaded when there is something to migrate, which is not at most starts. */
function loadEngine(): Promise<EngineModule> {
  return (engineModule ??= (async () => {
    // The package's main module imports `.wasm`, which Node cannot do without a flag.
    const glue = (await import('@prisma/schema-engine-wasm/schema_engine_bg')) as EngineModule;
    const binary = new URL('schema_engine_bg.wasm', import.meta.resolve('@prisma/schema-engine-wasm'));
    const { instance } = await WebAssembly.instantiate(await readFile(binary), {
      './schema_engine_bg.js': glue as unknown as WebAssembly.ModuleImports,
    });
    glue.__wbg_set_wasm(instance.exports);
    (instance.exports.__wbindgen_start as (() => void) | undefined)?.();
    return glue;
  })());
}

function listOf(migrations: Migration[]): MigrationList {
  return {
    baseDir: MIGRATIONS_DIR,
    lockfile: { path: LOCK_FILE, content: 'provider = "postgresql"\n' },
    shadowDbInitScript: '',
    migrationDirectories: migrations.map(({ name, sql }) => ({
      path: name,
      migrationFile: { path: 'migration.sql', content: { tag: 'ok', value: sql } },
    })),
  };
}
