import { pino } from 'pino';
import type { Logger } from 'pino';
import { toLoggedError } from './logged-error.ts';

export type { Logger };

/**
 * The process's logger: JSON lines on standard error, so that what is printed for people keeps standard output.
 * Never pass it tokens, passwords, message bodies or connection parameters.
 *
 * @param worker which of the processes behind one port this is. Default: the only one, or their primary.
 */
export function createLogger(level: string, worker?: number): Logger {
  return pino(
    { level, base: { pid: process.pid, worker }, serializers: { err: (error: unknown) => toLoggedError(error) } },
    pino.destination({ dest: 2, sync: true }),
  );
}
