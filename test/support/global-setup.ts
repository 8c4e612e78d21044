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

const root = resolve(import.meta.dirname, '../..');
const dist = join(root, 'dist');

/** Starts what the tests share, once for all projects; what it returns undoes it. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const undo: (() => Promise<void>)[] = [];
  const teardown = async () => {
    for (const step of undo.splice(0).toReversed()) await step();
  };
  try {
    undo.push(await provideServers());
    const wanted = project.vitest.projects.map(({ name }) => name);
    const templates: Promise<() => Promise<void>>[] = [];
    if (wanted.includes('embedded') || wanted.includes('distributed')) assertBuilt();
    if (wanted.includes('embedded')) templates.push(provideDataDirTemplate(project));
    if (wanted.includes('distributed')) templates.push(provideDatabaseTemplate(project));
    const settled = await Promise.allSettled(templates);
    for (const result of settled) if (result.status === 'fulfilled') undo.push(result.value);
    for (const result of settled) if (result.status === 'rejected') throw result.reason;
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
  start: typeof startRedis,
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

function assertBuilt(): void {
  const main = join(dist, 'main.js');
  if (!existsSync(main)) throw new Error('dist/main.js is missing: run `npm run build` before the tests');
  const newest = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => statSync(join(root, 'src', path)).mtimeMs)
    .reduce((a, b) => Math.max(a, b), 0);
  if (newest > statSync(main).mtimeMs)
    console.warn('src/ is newer than dist/: these tests run the last build; `npm run build` makes a new one');
}

async function provideDataDirTemplate(project: TestProject): Promise<() => Promise<void>> {
  const directory = await temporaryDirectory('template');
  await migrate({ dataDir: directory.path });
  project.provide('templateDataDir', directory.path);
  return () => directory.remove();
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
    await migrate({ url: url.href, dataDir: directory.path });
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

/** In a process of its own: what the built server would do at its start, and nothing else. */
async function migrate(target: { url?: string; dataDir: string }): Promise<void> {
  const script = `
    const { openDatabase } = await import(${JSON.stringify(join(dist, 'persistence/database.js'))});
    const { createLogger } = await import(${JSON.stringify(join(dist, 'logger.js'))});
    const database = await openDatabase({ ...${JSON.stringify(target)}, logger: createLogger('warn') });
    await database.close();
  `;
  await promisify(execFile)(process.execPath, ['--enable-source-maps', '--input-type=module', '--eval', script], {
    cwd: target.dataDir,
    timeout: 60_000,
  }).catch((error: Error & { stderr?: string }) => {
    throw new Error(`the template could not be migrated: ${error.stderr?.trim() || error.message}`, { cause: error });
  });
}
