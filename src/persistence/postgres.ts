import { setTimeout as sleep } from 'node:timers/promises';
import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import type { Logger } from '../logger.ts';
import { createCancellableReads } from './cancellable-reads.ts';
import type { Database } from './database.ts';
import { extend, withWholeScripts } from './migration-adapter.ts';
import type { MigrationAdapter } from './migration-adapter.ts';
import { MigrationError, applyMigrations, pendingMigrations } from './migrations.ts';
import { DatabaseOpenError } from './open-error.ts';
import { isUnavailable, isUniqueViolation } from './prisma-errors.ts';
import { clientThatWaits } from './postgres-client.ts';
import { Pool } from './postgres-pool.ts';
import { createPrisma, warmUp } from './prisma-client.ts';
import { createQuery } from './query.ts';
import { createStatementNames } from './statement-names.ts';

/*
 * A request is answered within 5 s whatever becomes of PostgreSQL: it waits for a connection, then for an answer, and
 * fails at the first of them that does not come.
 */
const CONNECT_TIMEOUT_MS = 1_500;
const STATEMENT_TIMEOUT_MS = 3_000;
/** For a server that stands still, or has vanished from the network: nothing else ends a wait for it. */
const ANSWER_TIMEOUT_MS = 3_000;
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 5_000;
const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 2_000;
const LOSS_LOG_INTERVAL_MS = 10_000;

export async function openPostgres(url: string, poolSize: number, logger: Logger): Promise<Database> {
  const target = parseUrl(url);
  const pool = new Pool({
    ...sessionConfig(target, {
      statement_timeout: STATEMENT_TIMEOUT_MS,
      idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_TIMEOUT_MS,
    }),
    max: poolSize,
    Client: clientThatWaits(ANSWER_TIMEOUT_MS),
  });
  // Without a listener, the loss of an idle connection would end the process.
  pool.on('error', lossReporter(target, logger));
  // Nor may one do so that is just changing hands: then neither the pool nor Prisma listens. Who has it next finds out.
  pool.on('connect', (client) => client.on('error', () => {}));
  const nameOf = createStatementNames();
  const factory = new PrismaPg(pool, { schema: target.schema, statementNameGenerator: nameOf });
  try {
    const adapter = await factory.connect();
    const prisma = createPrisma(factory);
    await untilReachable(target, logger, async () => {
      if ((await pendingMigrations(adapter)).length > 0) await migrate(target, logger);
      await warmUp(prisma);
    });
    const reads = createCancellableReads(pool, nameOf);
    const close = async () => {
      reads.stop();
      await prisma.$disconnect();
      await pool.end();
    };
    const readPool = () => {
      const { totalCount, idleCount, waitingCount } = pool;
      return { inUse: totalCount - idleCount, idle: idleCount, waiting: waitingCount };
    };
    return { prisma, query: createQuery(reads), kind: 'postgres', readPool, close };
  } catch (error) {
    await pool.end();
    throw error;
  }
}

/** A session of its own, without any timeout, that ends with `dispose`. Makes the URL's schema if there is none. */
export async function connectForMigrations(url: string): Promise<MigrationAdapter> {
  return migrationAdapter(parseUrl(url));
}

async function migrate(target: Target, logger: Logger): Promise<void> {
  const adapter = await migrationAdapter(target);
  try {
    const migrations = await applyMigrations(adapter);
    if (migrations.length > 0) logger.info({ migrations }, 'Migrated the database');
  } finally {
    await adapter.dispose();
  }
}

async function migrationAdapter(target: Target): Promise<MigrationAdapter> {
  const settings = { statement_timeout: 0, lock_timeout: 0, idle_in_transaction_session_timeout: 0 };
  const pool = new pg.Pool({ ...sessionConfig(target, settings), max: 1 });
  const session = await pool.connect();
  session.on('error', () => {});
  // The lock and the transaction belong to the session, which the pool itself would change after any error.
  pool.query = session.query.bind(session);
  const dispose = async () => {
    if (pool.ending) return;
    session.release(true);
    await pool.end();
  };
  try {
    if (target.schema !== undefined) await ensureSchema(pool, target.schema);
    const adapter = await new PrismaPg(pool, { schema: target.schema }).connect();
    const whole = withWholeScripts(adapter, (script) => session.query(script));
    return extend(whole, { dispose });
  } catch (error) {
    await dispose();
    throw error;
  }
}

async function ensureSchema(pool: pg.Pool, schema: string): Promise<void> {
  const { rowCount } = await pool.query('SELECT 1 FROM pg_namespace WHERE nspname = $1', [schema]);
  if (rowCount !== 0) return;
  await pool.query(`CREATE SCHEMA IF NOT EXISTS ${pg.escapeIdentifier(schema)}`).catch((error: unknown) => {
    // Another process made it at the same moment; IF NOT EXISTS does not see that.
    if (!isUniqueViolation(error)) throw error;
  });
}

interface Target {
  connectionString: string;
  /** Of the URL's `schema` parameter, as Prisma has it. Undefined: the role's search path. */
  schema: string | undefined;
  /** The URL's own session settings. */
  options: string;
  /** For messages: where it is, without credentials. */
  label: string;
}

function parseUrl(text: string): Target {
  const url = new URL(text);
  const schema = url.searchParams.get('schema') ?? undefined;
  const options = url.searchParams.get('options') ?? '';
  url.searchParams.delete('schema');
  url.searchParams.delete('options');
  return { connectionString: url.href, schema, options, label: `${url.host}${url.pathname}` };
}

/** Settings go with the connection request, and so cost no round trip. */
function sessionConfig(target: Target, settings: Record<string, string | number>): pg.PoolConfig {
  const all: Record<string, string | number> = {
    // adapter-pg takes every timestamp for UTC, whatever its offset.
    TimeZone: 'UTC',
    default_transaction_isolation: 'read committed',
    ...settings,
    ...(target.schema !== undefined && { search_path: pg.escapeIdentifier(target.schema) }),
  };
  const options = Object.entries(all).map(([name, value]) => `-c ${name}=${String(value).replace(/[\\ ]/g, '\\$&')}`);
  return {
    connectionString: target.connectionString,
    application_name: 'parley',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    options: [target.options, ...options].join(' ').trim(),
  };
}

async function untilReachable(target: Target, logger: Logger, attempt: () => Promise<void>): Promise<void> {
  let waiting = false;
  for (let delayMs = RETRY_MIN_MS; ; delayMs = Math.min(delayMs * 2, RETRY_MAX_MS)) {
    try {
      await attempt();
      if (waiting) logger.info(`PostgreSQL at ${target.label} is reached`);
      return;
    } catch (error) {
      if (!isUnavailable(error)) throw explain(target, error);
      if (!waiting) logger.warn(`Waiting for PostgreSQL at ${target.label}: ${reasonOf(error)}`);
      waiting = true;
    }
    await sleep(delayMs);
  }
}

function explain(target: Target, error: unknown): unknown {
  if (error instanceof MigrationError) return error;
  return new DatabaseOpenError(`Cannot open the database at ${target.label}: ${reasonOf(error)}`, { cause: error });
}

/** The innermost message: the driver's own words, where Prisma has several lines of its own. */
export function reasonOf(error: unknown): string {
  const { message, cause, meta, errors } = error as Error & {
    meta?: { driverAdapterError?: unknown };
    errors?: unknown[];
  };
  const inner = errors?.[0] ?? meta?.driverAdapterError ?? cause;
  if (typeof inner !== 'object' || inner === null) return message;
  const { originalMessage, kind, host, port } = inner as Record<string, string | number | undefined>;
  if (typeof originalMessage === 'string') return originalMessage;
  if (typeof kind === 'string') return host === undefined ? kind : `${kind} (${host}:${port})`;
  return reasonOf(inner);
}

/** One line for an outage, not one for each connection. */
function lossReporter(target: Target, logger: Logger): (error: Error) => void {
  let quietUntil = 0;
  return (error) => {
    if (Date.now() < quietUntil) return;
    quietUntil = Date.now() + LOSS_LOG_INTERVAL_MS;
    logger.warn(`Lost a connection to PostgreSQL at ${target.label}: ${error.message}`);
  };
}
