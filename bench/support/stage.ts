import { join } from 'node:path';
import pg from 'pg';
import { startPostgres, startRedis, temporaryDirectory } from '../../test/support/servers.ts';
import type { Service } from '../../test/support/servers.ts';
import { inspect } from '../../test/support/inspector.ts';
import { migrate } from './data.ts';
import { renderProfile } from './profile.ts';
import { cpuTimeOf } from './server.ts';
import type { Server } from './server.ts';

/** What the scenarios share: throwaway servers of the benchmark's own, and how long to measure. */
export interface Stage {
  readonly size: Size;
  /** Commits to the disk. Started when first asked for. */
  createDatabase(): Promise<string>;
  redis(): Promise<string>;
  /** A new directory, removed at the end. */
  directory(): Promise<string>;
  log(line: string): void;
  /**
   * Does what is measured, and tells how many microseconds of processor time the server used for it. Where profiles
   * are asked for, takes one of a Parley.
   */
  meter<T extends Counted>(title: string, server: Metered, act: () => Promise<T>): Promise<T & { cpuTime: number }>;
  /** By title. Empty unless they are asked for. */
  readonly profiles: ReadonlyMap<string, string>;
  close(): Promise<void>;
}

interface Counted {
  /** How many operations that was. */
  count: number;
}

/** What `meter` needs of a server. */
export type Metered = Pick<Server, 'pid'> & Partial<Pick<Server, 'logs'>>;

export interface Size {
  runs: number;
  warmUpSeconds: number;
  seconds: number;
  /** True: numbers are small, and say only that everything works. */
  isQuick: boolean;
  /** Parley alone is run, and profiled. */
  isProfiling: boolean;
}

export const FULL: Size = { runs: 3, warmUpSeconds: 3, seconds: 6, isQuick: false, isProfiling: false };
export const QUICK: Size = { runs: 1, warmUpSeconds: 0.5, seconds: 1, isQuick: true, isProfiling: false };

export function createStage(size: Size, log: (line: string) => void): Stage {
  let postgres: Promise<Service> | undefined;
  let redis: Promise<Service> | undefined;
  const directories: Array<{ remove(): Promise<void> }> = [];
  const profiles = new Map<string, string>();
  let databases = 0;

  return {
    size,
    log,
    profiles,
    async meter(title, server, act) {
      const profiled =
        size.isProfiling && server.logs ? await inspect({ pid: server.pid, logs: server.logs }) : undefined;
      const stopProfile = await profiled?.startProfile();
      const usedBefore = cpuTimeOf(server);
      const result = await act();
      const cpuTime = cpuTimeOf(server) - usedBefore;
      if (stopProfile) profiles.set(title, renderProfile(await stopProfile(), result.count));
      await profiled?.detach();
      return { ...result, cpuTime };
    },
    async createDatabase() {
      postgres ??= startPostgres({ isDurable: true });
      const url = new URL((await postgres).url);
      const name = `bench_${(databases += 1)}`;
      const client = new pg.Client({ connectionString: url.href });
      await client.connect();
      await client.query(`CREATE DATABASE ${name}`).finally(() => client.end());
      url.pathname = `/${name}`;
      await migrate(url.href);
      return url.href;
    },
    async redis() {
      redis ??= startRedis();
      return (await redis).url;
    },
    async directory() {
      const directory = await temporaryDirectory('bench');
      directories.push(directory);
      return join(directory.path, 'data');
    },
    async close() {
      await Promise.all([postgres, redis].map(async (service) => (await service)?.remove()));
      await Promise.all(directories.map((directory) => directory.remove()));
    },
  };
}
