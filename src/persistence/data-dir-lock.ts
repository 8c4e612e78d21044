import { randomUUID } from 'node:crypto';
import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';

export interface DataDirLock {
  /** Idempotent. Also happens when the process exits, and for a process that was killed when the next one comes. */
  release(): void;
}

export interface DataDirOwner {
  pid: number;
  host: string;
  /** ISO 8601. */
  since: string;
}

/** Another process uses the data directory; two at once would destroy the embedded database. */
export class DataDirInUseError extends Error {
  override readonly name = 'DataDirInUseError';
  readonly owner: DataDirOwner | undefined;

  constructor(dataDir: string, owner: DataDirOwner | undefined) {
    const who = owner
      ? `process ${owner.pid} on ${owner.host} since ${owner.since}`
      : 'a process that is just starting';
    super(`${resolve(dataDir)} is in use by ${who}. Stop it, choose another DATA_DIR, or share a DATABASE_URL.`);
    this.owner = owner;
  }
}

interface Claim extends DataDirOwner {
  /** Clock ticks after boot, from /proc: tells a process from a later one with its pid. */
  startTicks: string | null;
  /** A digit, so that setting it changes one byte in place: 1 when the directory is the claimant's. */
  held: 0 | 1;
}

interface Rival {
  file: string;
  claim: Claim | undefined;
}

const HEARTBEAT_MS = 2_000;
const STALE_MS = 15_000;
const STANDOFF_MS = 3_000;
const POLL_MS = 20;

const ownFiles = new Set<string>();

/**
 * Makes this process the only owner of `dataDir`, or throws DataDirInUseError.
 *
 * Every claimant writes a file under a name of its own and then looks at the others: of two, the later to look sees
 * the earlier, so both cannot win. Names are never used twice, so that removing a dead claim cannot hit a live one,
 * as it can with a single lock file. Of two who come at once the lower name stays and waits, the other gives way.
 */
export function acquireDataDirLock(dataDir: string): DataDirLock {
  const directory = join(dataDir, 'lock');
  mkdirSync(directory, { recursive: true });
  const file = `${randomUUID()}.json`;
  const path = join(directory, file);
  const claim: Claim = {
    pid: process.pid,
    host: hostname(),
    since: new Date().toISOString(),
    startTicks: readStat(process.pid)?.startTicks ?? null,
    held: 0,
  };
  const fd = openSync(path, 'wx', 0o600);
  const write = () => void writeSync(fd, JSON.stringify(claim), 0);
  const abandon = () => {
    ownFiles.delete(file);
    closeSync(fd);
    removeFile(path);
  };

  ownFiles.add(file);
  try {
    write();
    outlastRivals(dataDir, directory, file, () => fstatSync(fd).mtimeMs);
    claim.held = 1;
    write();
  } catch (error) {
    abandon();
    throw error;
  }

  // Written, not utimes: another host must see the file server's clock, not ours.
  const heartbeat = setInterval(write, HEARTBEAT_MS).unref();
  let released = false;
  const release = () => {
    if (released) return;
    released = true;
    clearInterval(heartbeat);
    process.removeListener('exit', release);
    abandon();
  };
  process.on('exit', release);
  return { release };
}

/** Returns when no other live claim is left; throws when one is held, or has the right of way. */
function outlastRivals(dataDir: string, directory: string, own: string, fileClock: () => number): void {
  const deadline = Date.now() + STANDOFF_MS;
  for (;;) {
    const rivals = liveRivals(directory, own, fileClock());
    if (rivals.length === 0) return;
    const winner = rivals.find(({ claim, file }) => claim?.held === 1 || file < own);
    if (winner !== undefined || Date.now() > deadline)
      throw new DataDirInUseError(dataDir, (winner ?? rivals[0])?.claim);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, POLL_MS);
  }
}

function liveRivals(directory: string, own: string, now: number): Rival[] {
  const rivals: Rival[] = [];
  for (const file of readdirSync(directory)) {
    if (file === own || !file.endsWith('.json')) continue;
    const path = join(directory, file);
    try {
      const claim = parseClaim(readFileSync(path, 'utf8'));
      // Either direction: a clock that was set back must not make a dead claim live for ever.
      const silent = Math.abs(now - statSync(path).mtimeMs) > STALE_MS;
      if (isLive(file, claim, silent)) rivals.push({ file, claim });
      else removeFile(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return rivals;
}

function isLive(file: string, claim: Claim | undefined, silent: boolean): boolean {
  if (claim === undefined || claim.host !== hostname()) return !silent;
  if (!exists(claim.pid)) return false;
  const stat = readStat(claim.pid);
  if (stat !== undefined && claim.startTicks !== null) return !stat.ended && stat.startTicks === claim.startTicks;
  // In a container every server has the same pid: our own in a claim that we did not make is that of one before us.
  return claim.pid !== process.pid || ownFiles.has(file);
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Undefined where there is no /proc, or it hides the process. */
function readStat(pid: number): { startTicks: string; ended: boolean } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field, a name in parentheses, may hold anything. State is the 3rd field, the start time the 22nd.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { ended: fields[0] === 'Z' || fields[0] === 'X', startTicks: fields[19]! };
  } catch {
    return undefined;
  }
}

/** Undefined for a claim that is being written, or that a power failure has emptied. */
function parseClaim(text: string): Claim | undefined {
  try {
    return JSON.parse(text) as Claim;
  } catch {
    return undefined;
  }
}

function removeFile(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
