import type { Logger } from '../logger.ts';
import type { Database } from './database.ts';

export interface DatabaseOptions {
  /** Of PostgreSQL. Absent: the embedded database in `dataDir`. */
  url?: string | undefined;
  dataDir: string;
  /** Connections to PostgreSQL; default 10. The embedded database has one. */
  poolSize?: number | undefined;
  logger: Logger;
}

/**
 * Opens the database and brings its schema up to date. A PostgreSQL that is not there yet is waited for.
 *
 * Sessions are READ COMMITTED and in UTC. The embedded database runs within this process and has one connection:
 * a long statement stops the event loop, and inside `$transaction` only the transaction's own client may be used,
 * since any other waits for its end.
 *
 * @throws DataDirInUseError, MigrationError, or DatabaseOpenError for what waiting cannot mend.
 */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const database = await open(options);
  let closed: Promise<void> | undefined;
  return { ...database, close: () => (closed ??= database.close()) };
}

// Loaded as needed: an import of PGlite alone takes longer than to open a PostgreSQL.
async function open({ url, dataDir, poolSize, logger }: DatabaseOptions): Promise<Database> {
  if (url === undefined) {
    const { openEmbedded } = await import('./embedded.ts');
    return openEmbedded(dataDir, logger);
  }
  const { openPostgres } = await import('./postgres.ts');
  return openPostgres(url, poolSize ?? 10, logger);
}
