import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { quantile } from '../../test/support/size.ts';
import { onServerCpu } from './affinity.ts';
import type { LoopResult } from './closed-loop.ts';

const run = promisify(execFile);

/** Why there is no pgbench here; undefined when there is one. */
export async function whyNoPgbench(): Promise<string | undefined> {
  try {
    await run('pgbench', ['--version']);
    return undefined;
  } catch (error) {
    return `pgbench cannot be run (${(error as Error).message.split('\n')[0]})`;
  }
}

/** The time that pgbench is given holds that of its connections; what it counts does not. */
const CONNECTING_SECONDS = 3;

/** One statement again and again on connections of their own, each waiting for its answer. */
export async function runPgbench(
  statement: string,
  { url, clients, seconds, directory }: { url: string; clients: number; seconds: number; directory: string },
): Promise<LoopResult> {
  await mkdir(directory, { recursive: true });
  const script = join(directory, 'statement.sql');
  await writeFile(script, `${statement.replaceAll(/\s+/g, ' ')};\n`);
  const options = ['--no-vacuum', '--protocol=prepared', '--log', `--log-prefix=${join(directory, 'times')}`];
  const size = [`--client=${clients}`, `--time=${Math.ceil(seconds) + CONNECTING_SECONDS}`];
  const [program, ...args] = onServerCpu(['pgbench', ...options, ...size, `--file=${script}`, url]);
  const { stdout } = await run(program!, args, { cwd: directory, maxBuffer: 1024 ** 2 });
  const times: number[] = [];
  for (const name of await readdir(directory)) {
    if (!name.startsWith('times')) continue;
    const log = await readFile(join(directory, name), 'utf8');
    // Client, transaction, microseconds, …
    for (const line of log.trim().split('\n')) times.push(Number(line.split(' ')[2]) / 1000);
  }
  const perSecond = Number(/tps = ([\d.]+)/.exec(stdout)?.[1]);
  return { count: times.length, perSecond, p50: quantile(times, 0.5), p99: quantile(times, 0.99) };
}
