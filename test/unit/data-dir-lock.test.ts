import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { acquireDataDirLock, DataDirInUseError } from '../../src/persistence/data-dir-lock.ts';

let dataDir: string;
const children: ChildProcess[] = [];

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'parley-lock-'));
});

afterEach(async () => {
  for (const child of children.splice(0)) await kill(child);
  rmSync(dataDir, { recursive: true });
});

const MODULE = new URL('../../src/persistence/data-dir-lock.ts', import.meta.url).href;

/** A process that asks for the lock when it is told to, says what came of it, and lives until it is told to end. */
function contender() {
  const script = `
    const { acquireDataDirLock } = await import(${JSON.stringify(MODULE)});
    process.on('message', (message) => {
      if (message === 'exit') process.exit(0);
      try { acquireDataDirLock(${JSON.stringify(dataDir)}); process.send('held'); }
      catch (error) { process.send(error.name); }
    });
    process.send('ready');`;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  children.push(child);
  const nextMessage = async () => String((await once(child, 'message'))[0]);
  return {
    child,
    ready: nextMessage().then(() => {}),
    ask: () => {
      const answer = nextMessage();
      child.send('ask');
      return answer;
    },
    exit: async () => {
      const exited = once(child, 'exit');
      child.send('exit');
      await exited;
    },
  };
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

async function owner() {
  const process = contender();
  await process.ready;
  expect(await process.ask()).toBe('held');
  return process;
}

const claims = () => readdirSync(join(dataDir, 'lock')).map((file) => join(dataDir, 'lock', file));

function plant(claim: Record<string, unknown> | string, ageMs = 0): string {
  mkdirSync(join(dataDir, 'lock'), { recursive: true });
  const path = join(dataDir, 'lock', '00000000-planted.json');
  writeFileSync(path, typeof claim === 'string' ? claim : JSON.stringify({ since: 'then', held: 1, ...claim }));
  const time = (Date.now() - ageMs) / 1000;
  utimesSync(path, time, time);
  return path;
}

function expectTakenOver(): void {
  const lock = acquireDataDirLock(dataDir);
  expect(claims().map((path) => JSON.parse(readFileSync(path, 'utf8')).pid)).toEqual([process.pid]);
  lock.release();
  expect(claims()).toEqual([]);
}

describe('the lock of a data directory', () => {
  it('is refused while another process has it, and the refusal names the owner', async () => {
    const { child } = await owner();
    expect(() => acquireDataDirLock(dataDir)).toThrow(DataDirInUseError);
    expect(() => acquireDataDirLock(dataDir)).toThrow(new RegExp(`process ${child.pid} on ${hostname()} since 20`));
  });

  it('is refused to the process that has it already', () => {
    const lock = acquireDataDirLock(dataDir);
    expect(() => acquireDataDirLock(dataDir)).toThrow(DataDirInUseError);
    lock.release();
    lock.release();
    expectTakenOver();
  });

  it('is released when its owner exits', async () => {
    const { exit } = await owner();
    await exit();
    expect(claims()).toEqual([]);
  });

  it('is taken over from an owner that was killed', async () => {
    const { child } = await owner();
    await kill(child);
    expect(claims()).toHaveLength(1);
    expectTakenOver();
  });

  it('is taken over when another process has the pid of the owner by now', () => {
    plant({ pid: process.ppid, host: hostname(), startTicks: '1' });
    expectTakenOver();
  });

  it('is taken over when the owner had our own pid, as in a container', () => {
    plant({ pid: process.pid, host: hostname(), startTicks: '1' });
    expectTakenOver();
    plant({ pid: process.pid, host: hostname(), startTicks: null });
    expectTakenOver();
  });

  it('belongs to an owner on another host for as long as its heart beats', () => {
    plant({ pid: 1, host: 'elsewhere', startTicks: '1' }, 10_000);
    expect(() => acquireDataDirLock(dataDir)).toThrow(/process 1 on elsewhere since then/);
    plant({ pid: 1, host: 'elsewhere', startTicks: '1' }, 16_000);
    expectTakenOver();
  });

  it('is not blocked by a claim that a power failure emptied', () => {
    plant('', 60_000);
    expectTakenOver();
  });

  it('goes to exactly one of several that come at once, again and again', async () => {
    const contenders = Array.from({ length: 4 }, contender);
    await Promise.all(contenders.map(({ ready }) => ready));
    for (let round = 0; round < 10; round++) {
      plant({ pid: 2 ** 22 + 1, host: hostname(), startTicks: '1' });
      const answers = await Promise.all(contenders.map(({ ask }) => ask()));
      expect(answers.toSorted()).toEqual(['DataDirInUseError', 'DataDirInUseError', 'DataDirInUseError', 'held']);
      const winner = contenders.splice(answers.indexOf('held'), 1)[0]!;
      await kill(winner.child);
      contenders.push(contender());
      await contenders.at(-1)!.ready;
    }
  }, 60_000);
});
