import { Redis } from 'ioredis';
import { startRedis } from './servers.ts';
import type { Service } from './servers.ts';

/** A Redis of the test's own, to be killed, paused and brought back at the same address. */
export interface PrivateRedis extends Service {
  /** SIGSTOP: connections stay open and new ones are taken, but nothing answers. */
  pause(): void;
  resume(): void;
  /** Sends one command over a connection of its own. */
  command(name: string, ...args: (string | Buffer | number)[]): Promise<unknown>;
}

export async function startPrivateRedis(options?: { isClustered?: boolean }): Promise<PrivateRedis> {
  const service = await startRedis(options);

  const command: PrivateRedis['command'] = async (name, ...args) => {
    const client = new Redis(service.url, { retryStrategy: () => null, maxRetriesPerRequest: 0 });
    client.on('error', () => {});
    try {
      return await client.call(name, ...args);
    } finally {
      client.disconnect();
    }
  };
  return {
    ...service,
    command,
    get pid() {
      return service.pid;
    },
    pause: () => void process.kill(service.pid, 'SIGSTOP'),
    resume: () => void process.kill(service.pid, 'SIGCONT'),
    // A test that failed may have left it paused, and deaf to a gentler signal.
    async remove() {
      await service.kill();
      await service.remove();
    },
  };
}
