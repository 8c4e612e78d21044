import cluster from 'node:cluster';
import type { Worker } from 'node:cluster';
import type { Logger } from './logger.ts';

export interface WorkersOptions {
  count: number;
  logger: Logger;
  /** Called once, when all of them listen. It is the same port for all, also when `PORT` is 0. */
  onListening: (port: number) => void;
}

interface Member {
  worker: Worker;
  startedAt: number;
  isListening: boolean;
  /** What it said of its end. */
  lastWords?: string;
}

interface Ending {
  code: number | null;
  signal: NodeJS.Signals | null;
}

const BACK_OFF_MIN_MS = 100;
const BACK_OFF_MAX_MS = 5_000;
/** A worker that lived for so long has not died of its start. */
const STEADY_MS = 10_000;

/**
 * Makes this process the primary of a cluster: it runs the same program once more for each worker, all behind one port,
 * and replaces those that die. The first signal is handed on, and the primary ends when all have drained: with 0 if all
 * of them did so well. The second ends everything at once.
 *
 * A worker that dies before any of them listens ends the primary with its code: what is wrong then is wrong for all.
 * A worker whose primary has died is ended by Node.
 */
export function startWorkers({ count, logger, onListening }: WorkersOptions): void {
  const members = new Set<Member>();
  let hasListened = false;
  let backOffMs = 0;
  let isStopping = false;
  let exitCode = 0;

  /*
   * Connections are dealt out in turn, because sockets stay where they came in: left to the kernel, one of four workers
   * has nearly half of a rush. The price is that one that was just being handed to a worker as that was killed is never
   * answered.
   */
  cluster.schedulingPolicy = cluster.SCHED_RR;
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  for (let nth = 0; nth < count; nth += 1) start();

  function start(): void {
    const worker = cluster.fork();
    const member: Member = { worker, startedAt: performance.now(), isListening: false };
    members.add(member);
    worker.on('error', (error) => logger.error({ err: error, ...nameOf(member) }, 'a worker cannot be reached'));
    worker.on('message', (message: unknown) => {
      if (typeof message === 'string') member.lastWords = message;
    });
    worker.once('listening', ({ port }) => {
      member.isListening = true;
      logger.info(nameOf(member), 'a worker listens');
      if (hasListened || countListening() < count) return;
      hasListened = true;
      onListening(port);
    });
    // Not at `exit`, which may come before the last message.
    worker.process.once('close', (code: number | null, signal: NodeJS.Signals | null) => {
      members.delete(member);
      if (isStopping) noteDrained(member, { code, signal });
      else replace(member, { code, signal });
    });
  }

  function replace(member: Member, ending: Ending): void {
    if (!member.isListening && countListening() === 0) {
      console.error(member.lastWords ?? `parley: a worker ended with ${ending.code ?? ending.signal} at its start`);
      return abort(ending.code || 1);
    }
    backOffMs = nextBackOff(backOffMs, performance.now() - member.startedAt);
    const { lastWords } = member;
    logger.warn({ ...nameOf(member), ...ending, lastWords, backOffMs }, 'a worker has died, and is replaced');
    setTimeout(() => {
      if (!isStopping) start();
    }, backOffMs);
  }

  function stop(signal: NodeJS.Signals): void {
    // The second time somebody means it.
    if (isStopping) return abort(1);
    isStopping = true;
    logger.info({ signal }, 'stopping');
    for (const { worker } of members) worker.process.kill(signal);
    exitIfEmpty();
  }

  function noteDrained(member: Member, ending: Ending): void {
    // One that was still starting had nothing to drain, and went at the signal.
    if (ending.code !== 0 && member.isListening) {
      exitCode = 1;
      logger.error({ ...nameOf(member), ...ending, lastWords: member.lastWords }, 'a worker did not drain');
    }
    exitIfEmpty();
  }

  function exitIfEmpty(): void {
    if (members.size === 0) process.exit(exitCode);
  }

  function abort(code: number): never {
    for (const { worker } of members) worker.process.kill('SIGKILL');
    process.exit(code);
  }

  function countListening(): number {
    return [...members].filter(({ isListening }) => isListening).length;
  }
}

function nameOf({ worker }: Member) {
  return { worker: worker.id, workerPid: worker.process.pid };
}

/** How long to wait before a worker is replaced: not at all, unless workers die young; then twice as long each time. */
export function nextBackOff(lastMs: number, livedMs: number): number {
  if (livedMs >= STEADY_MS) return 0;
  return Math.min(Math.max(lastMs * 2, BACK_OFF_MIN_MS), BACK_OFF_MAX_MS);
}
