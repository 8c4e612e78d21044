import { spawn } from 'node:child_process';
import { join, resolve } from 'node:path';
import { isBrief } from './size.ts';
import { guardProcess } from './watchdog.ts';
import { eventually, within } from './wait.ts';

/**
 * V8 does not optimise WebAssembly that has seconds to live: a third of what a start costs. Not where something is
 * measured, nor for the embedded database, which is WebAssembly itself.
 */
const BRIEF_FLAGS = ['--liftoff-only'];
const MAIN = join(resolve(import.meta.dirname, '../..'), 'dist/main.js');
const START_MS = 60_000;
const STOP_MS = 20_000;

/** What a server needs of this machine. Everything else it is told, so that a developer's settings change no test. */
const INHERITED = ['PATH', 'HOME', 'TMPDIR', 'LANG', 'TZ', 'NODE_V8_COVERAGE'];

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** One real process of the built server. */
export interface ServerProcess {
  /** `http://127.0.0.1:<port>/graphql` */
  readonly url: string;
  readonly wsUrl: string;
  readonly origin: string;
  /** Undefined without METRICS_PORT. */
  readonly metricsUrl: string | undefined;
  readonly port: number;
  readonly pid: number;
  /** The lines of standard error so far. */
  readonly logs: readonly string[];
  /** Standard output so far. */
  readonly output: string;
  readonly running: boolean;
  readonly exited: Promise<Exit>;
  /** SIGTERM, and the exit code; idempotent. Throws when the process has to be killed. */
  stop(): Promise<number | null>;
  /** SIGKILL, and the end of it. */
  kill(): Promise<void>;
}

/** The server ended, or did not answer in time, before it was ready. */
export class StartError extends Error {
  readonly exit: Exit | undefined;
  readonly logs: readonly string[];
  readonly output: string;

  constructor(message: string, from: { exit: Exit | undefined; logs: readonly string[]; output: string }) {
    super([message, ...from.logs.slice(-20), from.output].join('\n'));
    this.exit = from.exit;
    this.logs = from.logs;
    this.output = from.output;
  }
}

/**
 * Starts the built server and waits until it is ready. PORT is any free one, no app is served, and rates are not limited, unless `env` says otherwise.
 *
 * @throws StartError, which tells the exit code and what was printed.
 */
export async function startServer(options: {
  env: Record<string, string>;
  cwd: string;
  /** Takes the lines of standard error, for a test that reads them before the server is ready. */
  logs?: string[];
  /** Of another build than that of this repository. */
  main?: string;
}): Promise<ServerProcess> {
  const inherited = INHERITED.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]]));
  const flags = isBrief && options.env['DATABASE_URL'] !== undefined ? BRIEF_FLAGS : [];
  const child = spawn(process.execPath, [...flags, '--enable-source-maps', options.main ?? MAIN], {
    cwd: options.cwd,
    env: {
      ...Object.fromEntries(inherited),
      HOST: '127.0.0.1',
      PORT: '0',
      APP_DIR: 'none',
      RATE_LIMIT: 'off',
      ...options.env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${process.execPath} cannot be started`);
  const release = guardProcess(pid);

  let output = '';
  let exit: Exit | undefined;
  let killed = false;
  const logs = options.logs ?? [];
  let partialLine = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (output += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (partialLine + chunk).split('\n');
    partialLine = lines.pop()!;
    logs.push(...lines.filter((line) => line !== ''));
  });
  const exited = new Promise<Exit>((done) => {
    child.once('close', (code, signal) => {
      release();
      // SIGKILL may cut a line in two; whatever else ends without a newline is worth reading.
      if (partialLine !== '' && !killed) logs.push(partialLine);
      exit = { code, signal };
      done(exit);
    });
  });

  async function kill() {
    killed = true;
    child.kill('SIGKILL');
    await exited;
  }

  let port: number;
  try {
    port = await eventually(
      () => {
        const found = /http:\/\/localhost:(\d+)\/graphql/.exec(output)?.[1];
        if (found === undefined && exit === undefined) throw new Error('no address was printed');
        return Number(found);
      },
      { deadlineMs: START_MS },
    );
    const ready = `http://127.0.0.1:${port}/readyz`;
    await eventually(
      async () => {
        if (exit !== undefined) return;
        const { status } = await fetch(ready, { signal: AbortSignal.timeout(5000) });
        if (status !== 200) throw new Error(`/readyz answers ${status}`);
      },
      { deadlineMs: START_MS },
    );
    if (exit !== undefined) throw new Error('it ended');
  } catch (error) {
    const exitBefore = exit;
    await kill();
    const reason = exitBefore ? `exit ${exitBefore.code ?? exitBefore.signal}` : (error as Error).message;
    throw new StartError(`the server did not start: ${reason}`, { exit: exitBefore, logs, output });
  }

  const origin = `http://127.0.0.1:${port}`;
  return {
    url: `${origin}/graphql`,
    wsUrl: `ws://127.0.0.1:${port}/graphql`,
    origin,
    metricsUrl: /http:\/\/localhost:\d+\/metrics/.exec(output)?.[0].replace('localhost', '127.0.0.1'),
    port,
    pid,
    logs,
    get output() {
      return output;
    },
    get running() {
      return exit === undefined;
    },
    exited,
    async stop() {
      if (exit === undefined) child.kill('SIGTERM');
      try {
        return (await within(exited, STOP_MS, `the exit of server ${pid} after SIGTERM`)).code;
      } catch (error) {
        await kill();
        throw error;
      }
    },
    kill,
  };
}
