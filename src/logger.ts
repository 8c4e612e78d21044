import { pino } from 'pino';
import type { Logger } from 'pino';

export type { Logger };

/**
 * The process's logger: JSON lines on standard error, so that what is printed for people keeps standard output.
 * Never pass it tokens, passwords, message bodies or connection parameters.
 */
export function createLogger(level: string): Logger {
  return pino({ level, base: { pid: process.pid } }, pino.destination({ dest: 2, sync: true }));
}
