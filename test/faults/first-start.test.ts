import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { cp, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEmbedded } from '../../src/persistence/embedded.ts';
import { readMigrations } from '../../src/persistence/schema-engine.ts';
import { backend } from '../support/cluster.ts';
import { startServer } from '../support/server-process.ts';
import { temporaryDirectory } from '../support/servers.ts';
import { eventually } from '../support/wait.ts';
import { guardProcess } from '../support/watchdog.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const MAIN = join(ROOT, 'dist/main.js');
/** Files and directories of some thousand that a new database has. */
const SOME = 100;
const MANY = 600;
const START_MS = 60_000;

const settings = (dataDir: string) => ({ LOG_LEVEL: 'info', DATA_DIR: dataDir });

/** Starts a server on `dataDir` that is killed as soon as `moment` holds there. */
async function killAt(moment: (dataDir: string) => boolean, dataDir: string, main = MAIN): Promise<void> {
  const env = { PATH: process.env.PATH, HOST: '127.0.0.1', PORT: '0', APP_DIR: 'none', ...settings(dataDir) };
  const child = spawn(process.execPath, [main], { env, stdio: 'ignore' });
  const release = guardProcess(child.pid!);
  const exited = once(child, 'exit');
  try {
    await eventually(() => expect(moment(dataDir)).toBe(true), { deadlineMs: START_MS, everyMs: 1 });
  } finally {
    child.kill('SIGKILL');
    expect(await exited).toEqual([null, 'SIGKILL']);
    release();
  }
}

const isThere = (dataDir: string) => existsSync(join(dataDir, 'pgdata'));
/** So much is made of it, wherever. */
const isMade = (atLeast: number) => (dataDir: string) =>
  readdirSync(dataDir, { recursive: true, encoding: 'utf8' }).filter((path) => path.startsWith('pgdata')).length >=
  atLeast;

/** Serves once; answers what was migrated, by the log. */
async function serve(dataDir: string, main = MAIN): Promise<string[]> {
  const server = await startServer({ cwd: dataDir, env: settings(dataDir), main });
  expect(await server.stop()).toBe(0);
  return server.logs.flatMap((line) => (JSON.parse(line) as { migrations?: string[] }).migrations ?? []);
}

/** Every relation with its size, where serving does not change that; Prisma's books, but for when and under which id. */
async function contentsOf(dataDir: string) {
  const { adapter, close } = await startEmbedded(dataDir);
  const rows = async (sql: string) => (await adapter.queryRaw({ sql, args: [], argTypes: [] })).rows;
  try {
    return {
      relations: await rows(
        `SELECT oid::regclass::text, CASE WHEN relnamespace = 'pg_catalog'::regnamespace THEN pg_relation_size(oid) END
         FROM pg_class WHERE relnamespace IN ('public'::regnamespace, 'pg_catalog'::regnamespace)
         AND relname <> 'later' ORDER BY relnamespace, relname`,
      ),
      books: await rows(
        `SELECT migration_name, checksum, finished_at >= started_at, logs, rolled_back_at, applied_steps_count
         FROM _prisma_migrations ORDER BY started_at`,
      ),
    };
  } finally {
    await close();
  }
}

describe.runIf(backend === 'embedded')('a first start', { timeout: 4 * START_MS }, () => {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
  let names: string[];
  /** Of a database that was not disturbed. */
  let whole: Awaited<ReturnType<typeof contentsOf>>;

  const newDataDir = async (name: string) => {
    const path = join(directory.path, name);
    await mkdir(path);
    return path;
  };

  beforeAll(async () => {
    directory = await temporaryDirectory('first-start');
    names = (await readMigrations()).map(({ name }) => name);
  });

  afterAll(() => directory.remove());

  it('takes the database that the build has made, for nobody else to read', async () => {
    const dataDir = await newDataDir('undisturbed');
    expect(await serve(dataDir)).toEqual([]);
    whole = await contentsOf(dataDir);
    expect(statSync(join(dataDir, 'pgdata')).mode & 0o777).toBe(0o700);
    expect(whole.books.map(([name]) => name)).toEqual(names);
  });

  it('may be killed at any moment: the next one is whole', async () => {
    const dataDir = await newDataDir('killed');
    for (const moment of [isMade(1), isMade(SOME), isMade(MANY), isThere]) await killAt(moment, dataDir);
    expect(await serve(dataDir)).toEqual([]);
    expect(readdirSync(dataDir)).not.toContain('pgdata.new');
    expect(await contentsOf(dataDir)).toEqual(whole);
  });

  it('makes the same database itself where the build was of other migrations, killed or not', async () => {
    const elsewhere = await newDataDir('elsewhere');
    const later = join(elsewhere, 'prisma/migrations/29990101000000_later');
    for (const part of ['dist', 'prisma/migrations', 'package.json'])
      await cp(join(ROOT, part), join(elsewhere, part), { recursive: true, filter: (path) => !path.endsWith('.map') });
    await symlink(join(ROOT, 'node_modules'), join(elsewhere, 'node_modules'));
    await mkdir(later);
    await writeFile(join(later, 'migration.sql'), 'CREATE TABLE later (id INT);');
    const main = join(elsewhere, 'dist/main.js');

    const dataDir = await newDataDir('itself');
    for (const moment of [isMade(1), isMade(SOME)]) await killAt(moment, dataDir, main);
    expect(await serve(dataDir, main)).toEqual([...names, '29990101000000_later']);
    const { relations, books } = await contentsOf(dataDir);
    expect(books.at(-1)?.[0]).toBe('29990101000000_later');
    expect(books.slice(0, -1)).toEqual(whole.books);
    expect(relations.map(([name]) => name)).toEqual(whole.relations.map(([name]) => name));
  });
});
