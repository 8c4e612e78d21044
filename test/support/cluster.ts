import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import pg from 'pg';
import { inject } from 'vitest';
import { startServer } from './server-process.ts';
import type { ServerProcess } from './server-process.ts';
import { temporaryDirectory } from './servers.ts';

export type { ServerProcess };

export type Backend = 'embedded' | 'distributed';

declare module 'vitest' {
  interface ProvidedContext {
    /** Which servers the tests of this project talk to. Absent in the project `unit`. */
    backend: Backend;
    /** A migrated database that `CREATE DATABASE … TEMPLATE` may copy. */
    templateDatabase: string;
  }
}

/** For what only one of the two can show: `describe.runIf(backend === 'distributed')`. */
export const backend: Backend = inject('backend');

export interface ClusterOptions {
  /** Settings for every node, over the harness's own (LOG_LEVEL=info, and where the data is). */
  env?: Record<string, string>;
  /** Distributed only; the embedded backend is always one process. Default 2. */
  nodes?: number;
  /** Log lines of level error or fatal, and lines that are not JSON, that this file expects. Tokens never are. */
  allowErrors?: RegExp[];
  /** With which code its nodes may end, beside 0. */
  allowExitCode?: number;
}

/** The servers of one test file, with a database and a key prefix of their own. */
export interface Cluster {
  readonly backend: Backend;
  /** In the order of their start; one that has ended stays until `startNode` takes its place. */
  readonly nodes: readonly ServerProcess[];
  /** Undefined on the embedded backend. */
  readonly databaseUrl: string | undefined;
  readonly redisUrl: string | undefined;
  readonly redisPrefix: string | undefined;
  readonly dataDir: string;
  /** Modulo the number of nodes: a story told for two nodes also runs on one. */
  node(index: number): ServerProcess;
  /** Asks the database behind the servers' back. Throws on the embedded backend. */
  sql<T extends pg.QueryResultRow = Record<string, unknown>>(query: string, params?: unknown[]): Promise<T[]>;
  /** Takes the place of a node that has ended; where all run, adds one (throws on the embedded backend). */
  startNode(env?: Record<string, string>): Promise<ServerProcess>;
  /** Stops and removes everything. Throws when a node ended badly, or its log holds what it should not. */
  stop(): Promise<void>;
}

interface Place {
  env: Record<string, string>;
  databaseUrl?: string;
  redisUrl?: string;
  redisPrefix?: string;
  remove(): Promise<void>;
}

/** A new data directory, which is that of each cluster. */
const EMBEDDED_PLACE: Place = { env: {}, remove: async () => {} };

/** One per test file: `beforeAll(async () => void (cluster = await startCluster()))`, `afterAll(() => cluster.stop())`. */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const directory = await temporaryDirectory('cluster');
  const dataDir = join(directory.path, 'data');
  const place = backend === 'embedded' ? EMBEDDED_PLACE : await makeDistributedPlace();
  const sharedEnv = {
    LOG_LEVEL: 'info',
    JWT_SECRET: randomBytes(32).toString('hex'),
    DATA_DIR: dataDir,
    ...place.env,
    ...options.env,
  };
  const started: ServerProcess[] = [];
  const nodes: ServerProcess[] = [];
  let pool: pg.Pool | undefined;

  async function launch(env: Record<string, string> = {}) {
    const node = await startServer({ env: { ...sharedEnv, ...env }, cwd: directory.path });
    started.push(node);
    return node;
  }

  async function startNode(env?: Record<string, string>) {
    const ended = nodes.findIndex((node) => !node.running);
    if (ended === -1 && backend === 'embedded')
      throw new Error('the embedded backend is one process: stop it before you start it again');
    const node = await launch(env);
    nodes.splice(ended === -1 ? nodes.length : ended, 1, node);
    return node;
  }

  async function stop() {
    const complaints: string[] = [];
    await pool?.end();
    await Promise.all(
      started.map(async (node) => {
        const endedBefore = !node.running;
        const { signal } = endedBefore ? await node.exited : { signal: null };
        const code = await node.stop().catch((error: Error) => error.message);
        if (code !== 0 && code !== options.allowExitCode && signal !== 'SIGKILL')
          complaints.push(`server ${node.pid} ended ${endedBefore ? 'by itself ' : ''}with ${code ?? signal}`);
        complaints.push(...complaintsAbout(node, options.allowErrors ?? []));
      }),
    );
    await place.remove();
    await directory.remove();
    if (complaints.length > 0)
      throw new Error(`What the servers should not have said or done:\n${complaints.join('\n')}`);
  }

  try {
    const count = backend === 'embedded' ? 1 : (options.nodes ?? 2);
    const starts = await Promise.allSettled(Array.from({ length: count }, () => launch()));
    for (const start of starts) {
      if (start.status === 'rejected') throw start.reason;
      nodes.push(start.value);
    }
  } catch (error) {
    await Promise.all(started.map((node) => node.kill()));
    await place.remove();
    await directory.remove();
    throw error;
  }

  return {
    backend,
    nodes,
    databaseUrl: place.databaseUrl,
    redisUrl: place.redisUrl,
    redisPrefix: place.redisPrefix,
    dataDir,
    node: (index) => nodes[index % nodes.length]!,
    async sql<T extends pg.QueryResultRow>(query: string, params: unknown[] = []) {
      if (place.databaseUrl === undefined) throw new Error('sql() needs the distributed backend');
      pool ??= new pg.Pool({ connectionString: place.databaseUrl, max: 4 }).on('error', () => {});
      return (await pool.query<T>(query, params)).rows;
    },
    startNode,
    stop,
  };
}

async function makeDistributedPlace(): Promise<Place> {
  const base = process.env.TEST_DATABASE_URL!;
  const redisUrl = process.env.TEST_REDIS_URL!;
  const template = inject('templateDatabase');
  const name = `${template}_${randomBytes(4).toString('hex')}`;
  const redisPrefix = `${name}:`;
  await administer(base, `CREATE DATABASE ${name} TEMPLATE ${template}`);
  const url = new URL(base);
  url.pathname = `/${name}`;
  return {
    env: { DATABASE_URL: url.href, REDIS_URL: redisUrl, REDIS_PREFIX: redisPrefix },
    databaseUrl: url.href,
    redisUrl,
    redisPrefix,
    async remove() {
      await administer(base, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
      await removeKeys(redisUrl, redisPrefix);
    },
  };
}

async function administer(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(statement).finally(() => client.end());
}

async function removeKeys(url: string, prefix: string): Promise<void> {
  const redis = new Redis(url, { retryStrategy: null }).on('error', () => {});
  try {
    for await (const keys of redis.scanStream({ match: `${prefix}*`, count: 1000 }) as AsyncIterable<string[]>)
      if (keys.length > 0) await redis.unlink(...keys);
  } finally {
    redis.disconnect();
  }
}

const ERROR_LEVEL = 50;
const TOKEN = /eyJ[\w-]{10,}|prt_[\w-]{8,}/;
const CRASH = /unhandledRejection|uncaughtException/i;

function complaintsAbout(node: ServerProcess, allowed: RegExp[]): string[] {
  const lines = [...node.logs, ...node.output.split('\n')];
  const leaks = lines.filter((line) => TOKEN.test(line)).map((line) => `server ${node.pid} printed a token: ${line}`);
  const errors = node.logs
    .filter((line) => (CRASH.test(line) || levelOf(line) >= ERROR_LEVEL) && !allowed.some((known) => known.test(line)))
    .map((line) => `server ${node.pid} logged: ${line}`);
  return [...leaks, ...errors];
}

/** Logs are JSON; what is not was written by a crash, or by a warning of Node's. */
function levelOf(line: string): number {
  try {
    return (JSON.parse(line) as { level: number }).level;
  } catch {
    return Infinity;
  }
}
