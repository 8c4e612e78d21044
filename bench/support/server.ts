import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { guardProcess } from '../../test/support/watchdog.ts';
import { within } from '../../test/support/wait.ts';
import { onServerCpu } from './affinity.ts';

/** A process that is measured. It has said at which port it listens. */
export interface Server {
  readonly pid: number;
  readonly port: number;
  /** The lines of standard error so far. */
  readonly logs: readonly string[];
  /** When the process was started, by `performance.now()`. */
  readonly startedAt: number;
  stop(): Promise<void>;
}

const START_MS = 60_000;
const STOP_MS = 20_000;
/** `USER_HZ`, in which Linux tells times to user space on every architecture that Node runs on. */
const TICKS_PER_SECOND = 100;
const INHERITED = ['PATH', 'HOME', 'TMPDIR', 'LANG'];

/** On the processor of what is measured, or on `cpus`. The command prints `http://localhost:<port>` once it listens. */
export async function startServer(
  command: readonly string[],
  { env = {}, cwd, cpus }: { env?: Record<string, string>; cwd?: string; cpus?: string } = {},
): Promise<Server> {
  const [program, ...args] = onServerCpu(command, cpus);
  const inherited = Object.fromEntries(INHERITED.map((name) => [name, process.env[name]]));
  const startedAt = performance.now();
  const child = spawn(program!, args, { cwd, env: { ...inherited, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${command.join(' ')} cannot be started`);
  const release = guardProcess(pid);
  const logs: string[] = [];
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => {
      release();
      resolve();
    });
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => logs.push(...text.split('\n').filter(Boolean)));

  let output = '';
  const listening = new Promise<number>((resolve, reject) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      const port = /http:\/\/localhost:(\d+)/.exec(output)?.[1];
      if (port !== undefined) resolve(Number(port));
    });
    void exited.then(() => reject(new Error('it ended')));
  });
  // Reported below; without this, an end long after the start would count as unhandled.
  listening.catch(() => {});

  async function stop() {
    child.kill('SIGTERM');
    await within(exited, STOP_MS, `the end of ${command.join(' ')}`).catch(async () => {
      child.kill('SIGKILL');
      await exited;
    });
  }

  try {
    const port = await within(listening, START_MS, 'its port');
    return { pid, port, logs, startedAt, stop };
  } catch (error) {
    await stop();
    throw new Error([`${command.join(' ')} did not start`, ...logs.slice(-20), output].join('\n'), { cause: error });
  }
}

/** Does something with a server, and stops it, whatever comes of that. */
export async function withServer<S extends Pick<Server, 'stop'>, T>(
  starting: Promise<S>,
  act: (server: S) => Promise<T>,
): Promise<T> {
  const server = await starting;
  try {
    return await act(server);
  } finally {
    await server.stop();
  }
}

/** Microseconds of processor time that the process has used and those that it started, all threads together. */
export function cpuTimeOf({ pid }: Pick<Server, 'pid'>): number {
  const started = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
  return started.reduce((sum, child) => sum + cpuTimeOf({ pid: child }), ownCpuTimeOf(pid));
}

function ownCpuTimeOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // Behind the name, which may hold anything: utime and stime are the 14th and 15th fields.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1e6) / TICKS_PER_SECOND;
}

/** KiB of memory that the process has resident. */
export function residentMemoryOf({ pid }: Pick<Server, 'pid'>): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}
