import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/*
 * Two processors: what is measured has one of them to itself; whatever it needs and whoever loads it share the other.
 */
export const SERVER_CPU = '0';
export const LOAD_CPU = '1';
/** For several processes that are measured together: there is no processor for each. */
export const ALL_CPUS = '0,1';

/** Sockets of the largest audience, and what else is open. */
const OPEN_FILES = 6_000;

/** @throws when the load, or a server that is started from here, could not hold that many sockets. */
export function checkOpenFiles(): void {
  const limit = /^Max open files +(\d+|unlimited)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
  if (Number(limit) < OPEN_FILES)
    throw new Error(`The benchmarks open ${OPEN_FILES} files, and \`ulimit -n\` allows ${limit}.`);
}

/** This process and all that it starts from here on, unless that is started with `onServerCpu`. */
export function pinLoad(): void {
  if (availableParallelism() < 2) throw new Error('The benchmarks need two processors.');
  execFileSync('taskset', ['--all-tasks', '--cpu-list', '--pid', LOAD_CPU, String(process.pid)], { stdio: 'ignore' });
}

export const onServerCpu = (command: readonly string[], cpus = SERVER_CPU): string[] => [
  'taskset',
  '--cpu-list',
  cpus,
  ...command,
];
