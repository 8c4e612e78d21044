import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { backend, startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { openDirectChat, registerPerson, send } from '../support/people.ts';
import { startPrivatePostgres } from '../support/postgres.ts';
import type { PrivatePostgres } from '../support/postgres.ts';
import { startPrivateRedis } from '../support/redis.ts';
import type { PrivateRedis } from '../support/redis.ts';
import { startServer } from '../support/server-process.ts';
import { temporaryDirectory } from '../support/servers.ts';
import { eventually, within } from '../support/wait.ts';

/** Of waiting: some six attempts at each server. */
const ABSENT_MS = 3_000;
/** Within 5 s of the servers' return; a process that begins beside others on a busy machine needs more. */
const READY_MS = 5_000 + 5_000;
const NODES = 5;

describe.runIf(backend === 'distributed')('a cold start', () => {
  let postgres: PrivatePostgres;
  let redis: PrivateRedis;
  beforeAll(async () => {
    [postgres, redis] = await Promise.all([startPrivatePostgres(), startPrivateRedis()]);
  });
  afterAll(async () => {
    await Promise.all([postgres?.remove(), redis?.remove()]);
  });

  it('waits for PostgreSQL, then for Redis, with one line about each', { timeout: 120_000 }, async () => {
    await Promise.all([postgres.stop(), redis.stop()]);
    const directory = await temporaryDirectory('cold');
    const logs: string[] = [];
    const saying = (words: string) => logs.filter((line) => line.includes(words));
    const starting = startServer({
      logs,
      cwd: directory.path,
      env: {
        DATABASE_URL: postgres.url,
        REDIS_URL: redis.url,
        DATA_DIR: join(directory.path, 'data'),
        JWT_SECRET: randomBytes(32).toString('hex'),
      },
    });
    await eventually(() => expect(saying('Waiting for PostgreSQL')).toHaveLength(1), { deadlineMs: 20_000 });
    // Rejects if the process ends.
    expect(await Promise.race([starting, delay(ABSENT_MS, 'still waiting')])).toBe('still waiting');
    await postgres.start();
    const server = await within(starting, READY_MS, 'the start');
    const readiness = async () => (await fetch(`${server.origin}/readyz`)).json();
    expect(await readiness()).toMatchObject({ status: 'ready', database: 'up', broker: 'degraded' });
    await redis.start();
    await eventually(async () => expect(await readiness()).toMatchObject({ broker: 'up' }), { deadlineMs: READY_MS });

    expect(saying('Waiting for PostgreSQL')).toEqual([expect.stringContaining(new URL(postgres.url).host)]);
    expect(saying('is reached')).toHaveLength(1);
    expect(saying('Redis is away')).toHaveLength(1);
    expect(saying('Redis is back')).toHaveLength(1);
    // Nothing else of all that was tried meanwhile, and no credentials.
    expect(logs.filter((line) => (JSON.parse(line) as { level: number }).level >= 40)).toHaveLength(2);
    expect(logs.join()).not.toContain(new URL(postgres.url).password);
    expect(await server.stop()).toBe(0);
    await directory.remove();
  });

  it(`migrates an empty database once, whoever of ${NODES} nodes is first`, { timeout: 120_000 }, async () => {
    const admin = new pg.Client(postgres.url);
    await admin.connect();
    await admin.query('CREATE DATABASE empty');
    await admin.end();
    const url = new URL(postgres.url);
    url.pathname = 'empty';
    const cluster = await startCluster({ nodes: NODES, env: { DATABASE_URL: url.href, REDIS_URL: redis.url } });
    await expectMigratedOnce(url.href, cluster);

    const ann = await registerPerson(cluster, { firstName: 'Ann' });
    const bob = await registerPerson(cluster, { firstName: 'Bob' });
    const chat = await openDirectChat(ann, bob);
    for (let node = 0; node < NODES; node += 1)
      expect(await send(ann, chat, `from node ${node}`, { nodeIndex: node })).toMatchObject({ seq: node + 1 });
    await cluster.stop();
  });

  async function expectMigratedOnce(url: string, cluster: Cluster) {
    const database = new pg.Client(url);
    await database.connect();
    const { rows } = await database.query<{ name: string; whole: boolean }>(
      `SELECT migration_name AS name, finished_at IS NOT NULL AND rolled_back_at IS NULL AS whole
       FROM _prisma_migrations ORDER BY migration_name`,
    );
    await database.end();
    const folder = resolve(import.meta.dirname, '../../prisma/migrations');
    const all = (await readdir(folder, { withFileTypes: true })).filter((entry) => entry.isDirectory());
    expect(rows).toEqual(all.map(({ name }) => ({ name, whole: true })).toSorted((a, b) => (a.name < b.name ? -1 : 1)));
    const tellers = cluster.nodes.filter(({ logs }) => logs.some((line) => line.includes('Migrated the database')));
    expect(tellers).toHaveLength(1);
  }
});
