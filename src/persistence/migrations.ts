import type { SqlQueryable } from '@prisma/driver-adapter-utils';
import { extend } from './migration-adapter.ts';
import type { MigrationAdapter } from './migration-adapter.ts';
import { applyWithEngine, readMigrations } from './schema-engine.ts';
import type { Migration } from './schema-engine.ts';

/** A migration failed, now or earlier. The message says which, why, and what to do. */
export class MigrationError extends Error {
  override readonly name = 'MigrationError';
}

/** The lock that `prisma migrate deploy` takes, so that neither runs beside the other. */
const PRISMA_ADVISORY_LOCK = 72707369;

/**
 * Applies the migrations that the database has not got, each in a transaction of its own, and answers their names.
 * Any number of processes may do so at once: one does it, the others wait and find it done.
 *
 * @throws MigrationError; nothing of the migration that failed has happened then.
 */
export async function applyMigrations(adapter: MigrationAdapter, migrations?: Migration[]): Promise<string[]> {
  const all = migrations ?? (await readMigrations());
  await run(adapter, `SELECT pg_advisory_lock(${PRISMA_ADVISORY_LOCK})`);
  try {
    const pending = await pendingMigrations(adapter, all);
    for (const name of pending) {
      const upToThis = all.filter((migration) => migration.name <= name);
      await applyLast(adapter, upToThis);
    }
    return pending;
  } finally {
    // A session that is lost has lost its lock, too.
    await run(adapter, 'SELECT pg_advisory_unlock_all()').catch(() => {});
  }
}

/**
 * The names of what is still to apply; cheap, and takes no lock. Migrations that only the database knows are of a
 * later release, beside which this one may still be running.
 *
 * @throws MigrationError when one is recorded as failed, as `prisma migrate deploy` leaves it.
 */
export async function pendingMigrations(db: SqlQueryable, migrations?: Migration[]): Promise<string[]> {
  const all = migrations ?? (await readMigrations());
  const recorded = await readRecords(db);
  const failed = recorded.find((record) => !record.finished);
  if (failed !== undefined)
    throw new MigrationError(
      `Migration ${failed.name} is recorded as failed. Repair the database, then tell Prisma with ` +
        `"npx prisma migrate resolve --rolled-back ${failed.name}" (or --applied).`,
    );
  const finished = new Set(recorded.map((record) => record.name));
  return all.map((migration) => migration.name).filter((name) => !finished.has(name));
}

async function readRecords(db: SqlQueryable): Promise<Array<{ name: string; finished: boolean }>> {
  const table = await db.queryRaw({ sql: `SELECT to_regclass('_prisma_migrations')::text`, args: [], argTypes: [] });
  if (table.rows[0]?.[0] === null) return [];
  const records = await db.queryRaw({
    sql: `SELECT migration_name, finished_at IS NOT NULL FROM _prisma_migrations
          WHERE rolled_back_at IS NULL ORDER BY started_at`,
    args: [],
    argTypes: [],
  });
  return records.rows.map(([name, finished]) => ({ name: String(name), finished: finished === true }));
}

/**
 * The transaction is ours, around what the engine does: a process that is killed leaves no half-applied migration,
 * nor one recorded as failed, which would refuse every later start.
 */
async function applyLast(adapter: MigrationAdapter, migrations: Migration[]): Promise<void> {
  const { name, sql } = migrations.at(-1)!;
  let cause: unknown;
  const watched = extend(adapter, {
    // After a failure the engine writes to its books in the transaction that is aborted, and reports only that.
    executeScript: (script) =>
      adapter.executeScript(script).catch((error: unknown) => {
        cause = error;
        throw error;
      }),
    // The engine disposes of what it is given; this session is still needed.
    dispose: async () => {},
  });
  await run(adapter, 'BEGIN');
  try {
    await applyWithEngine(watched, migrations);
    await run(adapter, 'COMMIT');
  } catch (error) {
    await run(adapter, 'ROLLBACK').catch(() => {});
    cause ??= error;
    throw new MigrationError(`Migration ${name} failed${describe(cause, sql)}. Nothing of it was applied.`, { cause });
  }
}

function describe(error: unknown, sql: string): string {
  const { message, position } = error as { message?: string; position?: string };
  const line = position === undefined ? '' : ` at line ${sql.slice(0, Number(position)).split('\n').length}`;
  return `${line}: ${message ?? String(error)}`;
}

async function run(adapter: MigrationAdapter, sql: string): Promise<void> {
  await adapter.executeScript(sql);
}
