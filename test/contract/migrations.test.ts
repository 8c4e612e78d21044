import { createHash, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startInMemory } from '../../src/persistence/embedded.ts';
import type { MigrationAdapter } from '../../src/persistence/migration-adapter.ts';
import { applyMigrations, MigrationError, pendingMigrations } from '../../src/persistence/migrations.ts';
import { connectForMigrations } from '../../src/persistence/postgres.ts';
import { readMigrations } from '../../src/persistence/schema-engine.ts';
import type { Migration } from '../../src/persistence/schema-engine.ts';

interface Server {
  connect(): Promise<MigrationAdapter>;
  stop(): Promise<void>;
}

const servers: Record<string, () => Promise<Server>> = { PGlite: startPGlite, PostgreSQL: startPostgres };

async function startPGlite(): Promise<Server> {
  const engine = await startInMemory();
  return { connect: async () => engine.adapter, stop: () => engine.close() };
}

async function startPostgres(): Promise<Server> {
  const url = new URL(process.env.TEST_DATABASE_URL!);
  const name = `parley_persist_${randomUUID().slice(0, 8)}`;
  const admin = new pg.Client(url.href);
  await admin.connect();
  await admin.query(`CREATE DATABASE ${name}`);
  url.pathname = name;
  const open: MigrationAdapter[] = [];
  return {
    connect: async () => {
      const adapter = await connectForMigrations(url.href);
      open.push(adapter);
      return adapter;
    },
    stop: async () => {
      for (const adapter of open) await adapter.dispose();
      await admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
      await admin.end();
    },
  };
}

async function rows(adapter: MigrationAdapter, sql: string): Promise<unknown[][]> {
  return (await adapter.queryRaw({ sql, args: [], argTypes: [] })).rows;
}

const books = (adapter: MigrationAdapter) =>
  rows(adapter, 'SELECT migration_name, checksum, finished_at IS NOT NULL FROM _prisma_migrations ORDER BY started_at');

const finished = ({ name, sql }: Migration) => [name, createHash('sha256').update(sql).digest('hex'), true];

/** Two that follow the real ones; the second has semicolons where a statement does not end. */
const first: Migration = { name: '29990101000000_first', sql: 'CREATE TABLE first (id INT);' };
const second: Migration = {
  name: '29990102000000_second',
  sql: `-- A comment; with a semicolon.
CREATE TABLE second (id INT);
DO $$ BEGIN INSERT INTO second VALUES (1); INSERT INTO second VALUES (2); END $$;`,
};

describe.each(Object.keys(servers))('migrations on %s', (kind) => {
  let server: Server;
  let adapter: MigrationAdapter;
  let real: Migration[];

  beforeAll(async () => {
    real = await readMigrations();
    server = await servers[kind]!();
    adapter = await server.connect();
  }, 30_000);

  afterAll(() => server.stop());

  it('are all missing from an empty database', async () => {
    expect(await pendingMigrations(adapter)).toEqual(real.map(({ name }) => name));
  });

  it('apply once, in the layout of Prisma', async () => {
    expect(await applyMigrations(adapter)).toEqual(real.map(({ name }) => name));
    expect(await books(adapter)).toEqual(real.map(finished));
    expect(await pendingMigrations(adapter)).toEqual([]);
    expect(await applyMigrations(adapter)).toEqual([]);
    expect(await books(adapter)).toEqual(real.map(finished));
  });

  it('keep what was edited by hand', async () => {
    const [[collation]] = (await rows(
      adapter,
      `SELECT collation_name::text FROM information_schema.columns WHERE table_name = 'user_name_word' AND column_name = 'word'`,
    )) as [[string]];
    expect(collation).toBe('C');
    const [[changed], [sent]] = (await rows(
      adapter,
      `SELECT pg_get_indexdef(name::regclass) FROM unnest('{message_chat_id_revision_idx,message_sent_key}'::text[]) AS name`,
    )) as [[string], [string]];
    expect(changed).toContain('WHERE (revision IS NOT NULL)');
    expect(sent).toMatch(/^CREATE UNIQUE INDEX .*chat_id.*author_id.*client_id.* COLLATE "C"\)$/);
  });

  it('apply those that came since', async () => {
    const all = [...real, first, second];
    expect(await applyMigrations(adapter, all)).toEqual([first.name, second.name]);
    expect(await books(adapter)).toEqual(all.map(finished));
    expect(await rows(adapter, 'SELECT id FROM second ORDER BY id')).toEqual([[1], [2]]);
  });

  it('suffer a database that is ahead of the code', async () => {
    expect(await applyMigrations(adapter, real)).toEqual([]);
  });

  it('fail as a whole, with one clear error, and can be repaired and tried again', async () => {
    const name = '29990103000000_third';
    const broken = { name, sql: 'CREATE TABLE third (id INT);\n\nCREATE TABLE first (id INT);' };
    const before = [...real, first, second];
    await expect(applyMigrations(adapter, [...before, broken])).rejects.toThrow(
      new MigrationError(`Migration ${name} failed: relation "first" already exists. Nothing of it was applied.`),
    );
    expect(await books(adapter)).toEqual(before.map(finished));
    const repaired = { name, sql: 'CREATE TABLE third (id INT);' };
    expect(await applyMigrations(adapter, [...before, repaired])).toEqual([name]);
  });

  it('refuse to go on where Prisma has recorded a failure', async () => {
    await adapter.executeScript(
      `INSERT INTO _prisma_migrations (id, checksum, migration_name) VALUES ('x', 'x', '29990104000000_fourth')`,
    );
    await expect(pendingMigrations(adapter)).rejects.toThrow(
      /29990104000000_fourth is recorded as failed.*migrate resolve/,
    );
    await adapter.executeScript(`UPDATE _prisma_migrations SET rolled_back_at = now() WHERE id = 'x'`);
    expect(await pendingMigrations(adapter)).toEqual([]);
  });
});

describe('several processes that migrate one database', () => {
  let server: Server;

  beforeAll(async () => {
    server = await startPostgres();
  });

  afterAll(() => server.stop());

  it('do it once', async () => {
    const adapters = await Promise.all(Array.from({ length: 5 }, () => server.connect()));
    const applied = await Promise.all(adapters.map((adapter) => applyMigrations(adapter)));
    const real = await readMigrations();
    expect(applied.filter((names) => names.length > 0)).toEqual([real.map(({ name }) => name)]);
    expect(await books(adapters[0]!)).toEqual(real.map(finished));
    // Other tests migrate databases of their own on the same server.
    const own = `database = (SELECT oid FROM pg_database WHERE datname = current_database())`;
    const counted = `SELECT count(*)::int FROM pg_locks WHERE locktype = 'advisory' AND ${own}`;
    const [[locks]] = (await rows(adapters[0]!, counted)) as [[number]];
    expect(locks).toBe(0);
  });

  it('wait for one that takes its time, and go on when it dies', async () => {
    const [slow, waiting] = [await server.connect(), await server.connect()];
    await slow.executeScript('SELECT pg_advisory_lock(72707369)');
    const later = applyMigrations(waiting, [...(await readMigrations()), first]);
    const early = await Promise.race([later, sleep(200, 'still waiting')]);
    expect(early).toBe('still waiting');
    await slow.dispose();
    expect(await later).toEqual([first.name]);
  });
});
