import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startEmbedded, startInMemory } from '../src/persistence/embedded.ts';
import type { MigrationAdapter } from '../src/persistence/migration-adapter.ts';
import { applyMigrations, pendingMigrations } from '../src/persistence/migrations.ts';
import { connectForMigrations, reasonOf } from '../src/persistence/postgres.ts';
import { diffWithEngine, MIGRATIONS_DIR, readMigrations } from '../src/persistence/schema-engine.ts';

const USAGE = `Usage: npm run migrate -- <command>

  create <name>  writes the migration that leads to schema.prisma
  check          fails when schema.prisma and the migrations differ
  deploy         applies what is missing in the database of DATABASE_URL, or the embedded one in DATA_DIR
  status         says what is missing there
`;

const SCHEMA = new URL('schema.prisma', import.meta.url);

/** Null when the migrations lead to schema.prisma. Needs no server. */
async function missingSql(): Promise<string | null> {
  const main = await startInMemory();
  const shadow = await startInMemory();
  try {
    const databases = { main: main.adapter, shadow: shadow.adapter };
    return await diffWithEngine(databases, await readMigrations(), await readFile(SCHEMA, 'utf8'));
  } finally {
    await Promise.all([main.close(), shadow.close()]);
  }
}

async function create(words: string[]): Promise<string> {
  const name = words
    .join('_')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_|_$/g, '')
    .slice(0, 100);
  if (name === '') throw new Error('create needs a name, such as add_reactions');
  const sql = await missingSql();
  if (sql === null) return 'Nothing to do: the migrations lead to schema.prisma';
  const stamp = new Date().toISOString().replace(/\D/g, '').slice(0, 14);
  const directory = join(MIGRATIONS_DIR, `${stamp}_${name}`);
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'migration.sql'), sql);
  return `Wrote ${join(directory, 'migration.sql')}: read it, and edit it where the data needs more`;
}

async function check(): Promise<string> {
  const sql = await missingSql();
  if (sql === null) return 'No drift: the migrations lead to schema.prisma';
  throw new Error(`schema.prisma and the migrations differ by\n\n${sql}\nRun: npm run migrate -- create <name>`);
}

async function deploy(): Promise<string> {
  const applied = await withDatabase((adapter) => applyMigrations(adapter));
  return applied.length === 0 ? 'Nothing to apply' : `Applied ${applied.join(', ')}`;
}

async function status(): Promise<string> {
  const pending = await withDatabase((adapter) => pendingMigrations(adapter));
  return pending.length === 0 ? 'Up to date' : `Missing: ${pending.join(', ')}`;
}

async function withDatabase<T>(use: (adapter: MigrationAdapter) => Promise<T>): Promise<T> {
  const url = process.env.DATABASE_URL;
  if (url) {
    const adapter = await connectForMigrations(url);
    return use(adapter).finally(() => adapter.dispose());
  }
  const engine = await startEmbedded(process.env.DATA_DIR || './data');
  return use(engine.adapter).finally(() => engine.close());
}

const commands: Record<string, (args: string[]) => Promise<string>> = { create, check, deploy, status };

const [command = '', ...args] = process.argv.slice(2);
const run = commands[command];
if (run === undefined) {
  process.stderr.write(USAGE);
  process.exitCode = 1;
} else {
  try {
    process.stdout.write(`${await run(args)}\n`);
  } catch (error) {
    process.stderr.write(`${reasonOf(error)}\n`);
    process.exitCode = 1;
  }
}
