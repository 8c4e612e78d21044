import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { startPostgres } from './servers.ts';
import type { Service } from './servers.ts';

const run = promisify(execFile);

/** A PostgreSQL of the test's own, to be killed, frozen and brought back at the same address. */
export interface PrivatePostgres {
  readonly url: string;
  start(): Promise<void>;
  /** A fast shutdown: transactions under way are rolled back. */
  stop(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** SIGSTOP to all of its processes: connections stand and new ones are taken, but nothing answers. */
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  remove(): Promise<void>;
}

export async function startPrivatePostgres(): Promise<PrivatePostgres> {
  const service = await startPostgres();
  let frozen: number[] = [];

  async function thaw() {
    for (const pid of frozen) signal(pid, 'SIGCONT');
    frozen = [];
  }

  return {
    url: service.url,
    start: () => service.start(),
    stop: () => service.stop(),
    kill: () => service.kill(),
    async freeze() {
      // The parent first, so that no child is missed.
      frozen = [service.pid];
      signal(service.pid, 'SIGSTOP');
      for (const pid of await childrenOf(service)) {
        frozen.push(pid);
        signal(pid, 'SIGSTOP');
      }
    },
    thaw,
    async remove() {
      await thaw();
      await service.remove();
    },
  };
}

/** To a process that may end at any time. */
function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

async function childrenOf(service: Service): Promise<number[]> {
  const { stdout } = await run('ps', ['-o', 'pid=', '--ppid', String(service.pid)]);
  return stdout
    .split('\n')
    .map(Number)
    .filter((pid) => pid > 0);
}
