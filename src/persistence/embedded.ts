import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { PGlite } from '@electric-sql/pglite';
import { PrismaPGlite } from 'pglite-prisma-adapter';
import type { Logger } from '../logger.ts';
import { acquireDataDirLock } from './data-dir-lock.ts';
import type { Database } from './database.ts';
import { templateFile, unpackTemplate } from './embedded-template.ts';
import { withWholeScripts } from './migration-adapter.ts';
import type { MigrationAdapter } from './migration-adapter.ts';
import { applyMigrations, pendingMigrations } from './migrations.ts';
import { DatabaseOpenError } from './open-error.ts';
import { createPrisma, warmUp } from './prisma-client.ts';
import { createQuery } from './query.ts';

export interface EmbeddedEngine {
  readonly pglite: PGlite;
  readonly adapter: MigrationAdapter;
  close(): Promise<void>;
}

export async function openEmbedded(dataDir: string, logger: Logger): Promise<Database> {
  const engine = await startEmbedded(dataDir);
  try {
    if ((await pendingMigrations(engine.adapter)).length > 0)
      logger.info({ migrations: await applyMigrations(engine.adapter) }, 'Migrated the embedded database');
    takeTurns(engine.pglite);
    const prisma = createPrisma(new PrismaPGlite(engine.pglite));
    await warmUp(prisma);
    const close = async () => {
      await prisma.$disconnect();
      await engine.close();
    };
    return { prisma, query: createQuery(engine.adapter), kind: 'embedded', readPool: () => null, close };
  } catch (error) {
    await engine.close();
    throw error;
  }
}

/**
 * A statement within the process is no I/O. Who asks for one after the other, as a subscriber who catches up on a
 * long history does, would go on without the event loop's ever having its turn, and everybody else would wait.
 */
function takeTurns(pglite: PGlite): void {
  const query = pglite.query.bind(pglite);
  pglite.query = async (...args: Parameters<typeof query>) => {
    try {
      return await query(...args);
    } finally {
      await nextTurn();
    }
  };
}

/** The PGlite in `dataDir`, under the lock of the directory. */
export async function startEmbedded(dataDir: string): Promise<EmbeddedEngine> {
  const directory = join(dataDir, 'pgdata');
  try {
    mkdirSync(dataDir, { recursive: true });
  } catch (error) {
    throw new DatabaseOpenError(`DATA_DIR ${dataDir} cannot be written: ${(error as Error).message}`, { cause: error });
  }
  const lock = acquireDataDirLock(dataDir);
  try {
    if (!existsSync(directory)) await makeDatabase(directory);
    return await startPGlite(directory, () => lock.release());
  } catch (error) {
    lock.release();
    const reason = (error as Error).message;
    throw new DatabaseOpenError(`The embedded database in ${directory} does not start: ${reason}`, { cause: error });
  }
}

/**
 * Made beside its place, for nobody else's eyes, and then put there: a process that is killed meanwhile leaves nothing
 * that could be taken for a database. Without the build's template it takes seconds.
 */
async function makeDatabase(directory: string): Promise<void> {
  const unfinished = `${directory}.new`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { mode: 0o700 });
  if (!unpackTemplate(await templateFile(), unfinished)) await (await PGlite.create(unfinished)).close();
  renameSync(unfinished, directory);
}

/** Empty, and gone when it is closed. */
export function startInMemory(): Promise<EmbeddedEngine> {
  return startPGlite(undefined, () => {});
}

async function startPGlite(directory: string | undefined, onClosed: () => void): Promise<EmbeddedEngine> {
  const pglite = await PGlite.create(directory);
  const adapter = withWholeScripts(await new PrismaPGlite(pglite).connect(), (script) => pglite.exec(script));
  const close = async () => {
    try {
      if (!pglite.closed) await pglite.close();
    } finally {
      onClosed();
    }
  };
  return { pglite, adapter, close };
}
