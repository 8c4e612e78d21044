import { ConfigError } from '../src/config.ts';
import { DataDirInUseError } from '../src/persistence/data-dir-lock.ts';
import { MigrationError } from '../src/persistence/migrations.ts';
import { DatabaseOpenError } from '../src/persistence/open-error.ts';

const PLAIN_ERRORS = [ConfigError, DataDirInUseError, MigrationError, DatabaseOpenError];

/** The end of a command that could not do its work: one line for what its user can mend, all of it for the rest. */
export function complain(error: unknown): void {
  const code = (error as NodeJS.ErrnoException).code;
  const isPlain = PLAIN_ERRORS.some((type) => error instanceof type) || code === 'EADDRINUSE' || code === 'EACCES';
  console.error('parley:', isPlain ? (error as Error).message : error);
  process.exitCode = 1;
}
