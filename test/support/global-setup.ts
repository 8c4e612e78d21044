import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import {
  pingPostgres,
  pingRedis,
  startPostgres,
  startRedis,
  temporaryDirectory,
  whyNoPostgres,
  whyNoRedis,
} from './servers.ts';
import type { Service } from './servers.ts';

const root = resolve(import.meta.dirname, '../..');

/** Starts what the tests share, once for all projects; what it returns undoes it. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const undo: (() => Promise<void>)[] = [];
  const teardown = async () => {
    for (const step of undo.splice(0).toReversed()) await step();
  };
  try {
    const names = project.vitest.projects.map(({ name }) => name);
    // Of all projects, the browser's alone can do without.
    if (names.some((name) => name !== 'browser')) undo.push(await provideServers());
    const wanted = project.vitest.projects.map(({ config }) => config.provide.backend);
    if (wanted.includes('embedded') || wanted.includes('distributed')) assertBuilt('src', 'dist/main.js', 'build');
    if (names.includes('browser'))
      assertBuilt('examples/ionic-chat/src', 'examples/ionic-chat/dist/index.html', 'build:app');
    if (wanted.includes('distributed')) undo.push(await provideDatabaseTemplate(project));
  } catch (error) {
    await teardown();
    throw error;
  }
  return teardown;
}

/** Sets TEST_DATABASE_URL and TEST_REDIS_URL, which the workers inherit. Left unset: not to be had here. */
async function provideServers(): Promise<() => Promise<void>> {
  const [postgres, redis] = await Promise.all([
    provideServer('TEST_DATABASE_URL', pingPostgres, whyNoPostgres, startPostgres),
    provideServer('TEST_REDIS_URL', pingRedis, whyNoRedis, startRedis),
  ]);
  return async () => {
    await Promise.all([postgres?.remove(), redis?.remove()]);
  };
}

async function provideServer(
  variable: 'TEST_DATABASE_URL' | 'TEST_REDIS_URL',
  ping: (url: string) => Promise<void>,
  whyNot: () => Promise<string | undefined>,
  start: () => Promise<Service>,
) {
  const given = process.env[variable];
  if (given) {
    await ping(given).catch((error: unknown) => {
      throw new Error(`${variable} does not answer: ${(error as Error).message}`, { cause: error });
    });
    return undefined;
  }
  if ((await whyNot()) !== undefined) return undefined;
  const service = await start();
  process.env[variable] = service.url;
  return {
    async remove() {
      delete process.env[variable];
      await service.remove();
    },
  };
}

function assertBuilt(source: string, result: string, script: string): void {
  const path = join(root, result);
  if (!existsSync(path)) throw new Error(`${result} is missing: run \`npm run ${script}\` before the tests`);
  const newest = readdirSync(join(root, source), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.tsx?$/.test(name))
    .map((name) => statSync(join(root, source, name)).mtimeMs)
    .reduce((a, b) => Math.max(a, b), 0);
  if (newest > statSync(path).mtimeMs)
    console.warn(
      `${source} is newer than ${result}: these tests run the last build; \`npm run ${script}\` makes a new one`,
    );
}

async function provideDatabaseTemplate(project: TestProject): Promise<() => Promise<void>> {
  const base = process.env.TEST_DATABASE_URL!;
  const name = `parley_test_${randomBytes(4).toString('hex')}`;
  const admin = new pg.Client({ connectionString: base });
  await admin.connect();
  try {
    await admin.query(`CREATE DATABASE ${name}`);
  } finally {
    await admin.end();
  }
  const drop = () => dropDatabases(base, name);
  const url = new URL(base);
  url.pathname = `/${name}`;
  const directory = await temporaryDirectory('unused');
  try {
    await migrate({ DATABASE_URL: url.href, DATA_DIR: directory.path });
  } catch (error) {
    await drop();
    throw error;
  } finally {
    await directory.remove();
  }
  project.provide('templateDatabase', name);
  return drop;
}

/** The template, and every copy of it that a killed worker has left behind. */
async function dropDatabases(base: string, template: string): Promise<void> {
  const admin = new pg.Client({ connectionString: base });
  await admin.connect();
  try {
    const { rows } = await admin.query<{ datname: string }>(
      'SELECT datname FROM pg_database WHERE datname = $1 OR starts_with(datname, $2)',
      [template, `${template}_`],
    );
    for (const { datname } of rows) await admin.query(`DROP DATABASE IF EXISTS "${datname}" WITH (FORCE)`);
  } finally {
    await admin.end();
  }
}

/** In a process of its own: what a server would do at its start, and nothing else. */
async function migrate(target: { DATABASE_URL: string; DATA_DIR: string }): Promise<void> {
  await promisify(execFile)(process.execPath, ['--import', 'tsx', join(root, 'prisma/migrate.ts'), 'deploy'], {
    cwd: root,
    env: { PATH: process.env.PATH, ...target },
    timeout: 60_000,
  }).catch((error: Error & { stderr?: string }) => {
    throw new Error(`the template could not be migrated: ${error.stderr?.trim() || error.message}`, { cause: error });
  });
}
