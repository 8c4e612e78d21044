import { spawn } from 'node:child_process';
import type { Writable } from 'node:stream';

/**
 * The other side of the pipe. Its standard input ends when the process that started it ends, in whatever way: SIGKILL
 * leaves no time for a handler of our own.
 */
const SCRIPT = `
  const { createInterface } = require('node:readline');
  const { rmSync } = require('node:fs');
  const pids = new Map();
  const directories = new Set();
  const send = (pid, signal) => { try { return process.kill(pid, signal) } catch { return false } };
  const pause = () => new Promise((resolve) => setTimeout(resolve, 50));
  createInterface({ input: process.stdin })
    .on('line', (line) => {
      const { pid, signal, directory, released } = JSON.parse(line);
      if (pid !== undefined) released ? pids.delete(pid) : pids.set(pid, signal);
      if (directory !== undefined) released ? directories.delete(directory) : directories.add(directory);
    })
    .on('close', async () => {
      for (const [pid, signal] of pids) send(pid, signal);
      for (let i = 0; i < 60 && [...pids.keys()].some((pid) => send(pid, 0)); i++) await pause();
      for (const pid of pids.keys()) send(pid, 'SIGKILL');
      for (const directory of directories) {
        try { rmSync(directory, { recursive: true, force: true, maxRetries: 5 }) } catch {}
      }
    });
`;

let pipe: Writable | undefined;

function tell(entry: Record<string, unknown>): void {
  if (pipe === undefined) {
    // Detached: Ctrl-C in the terminal must not end it before it has cleaned up.
    const child = spawn(process.execPath, ['-e', SCRIPT], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
    child.unref();
    (child.stdin as unknown as { unref(): void }).unref();
    child.stdin.on('error', () => {});
    pipe = child.stdin;
    // A worker whose runner is gone would sit in its test for ever, and keep what we guard.
    process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));
  }
  pipe.write(`${JSON.stringify(entry)}\n`);
}

/** Sends `signal` to the process should this one die; call the result once it has ended by itself. */
export function guardProcess(pid: number, signal: NodeJS.Signals = 'SIGKILL'): () => void {
  tell({ pid, signal });
  return () => tell({ pid, released: true });
}

/** Removes the directory should this process die; call the result once it is removed. */
export function guardDirectory(directory: string): () => void {
  tell({ directory });
  return () => tell({ directory, released: true });
}
