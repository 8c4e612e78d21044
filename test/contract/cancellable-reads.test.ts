import pg from 'pg';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createLogger } from '../../src/logger.ts';
import { openDatabase } from '../../src/persistence/open-database.ts';
import type { Database } from '../../src/persistence/database.ts';
import { isUnavailable } from '../../src/persistence/prisma-errors.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import type { TcpProxy } from '../support/tcp-proxy.ts';
import { eventually } from '../support/wait.ts';

/** PostgreSQL's own words for a request to cancel: 16 bytes, of which these are the second four. */
const CANCEL_REQUEST = 80877102;
const isCancelRequest = (chunk: Buffer) => chunk.length === 16 && chunk.readInt32BE(4) === CANCEL_REQUEST;

/** An advisory lock that nobody else takes. */
const LOCK = 7_211_001;

let proxy: TcpProxy;
let database: Database;
let holder: pg.Client;
beforeEach(async () => {
  const url = new URL(process.env['TEST_DATABASE_URL']!);
  holder = new pg.Client(url.href);
  await holder.connect();
  proxy = await startTcpProxy({ host: url.hostname, port: Number(url.port) });
  url.host = `127.0.0.1:${proxy.port}`;
  database = await openDatabase({ url: url.href, dataDir: '', poolSize: 1, logger: createLogger('silent') });
  await holder.query('SELECT pg_advisory_lock($1)', [LOCK]);
});
afterEach(async () => {
  await database.close();
  await proxy.close();
  await holder.end();
});

const release = () => holder.query('SELECT pg_advisory_unlock($1)', [LOCK]);

const pidOfConnection = async () => (await database.query<{ pid: number }>`SELECT pg_backend_pid() AS pid`)[0]!.pid;

/** A read that waits for the holder of the lock, and the session that it waits in. */
async function readBehindLock() {
  const cancellation = { isCancelled: false };
  const ask = database.query.until(cancellation);
  const outcome = ask<{ n: number }>`
    SELECT ${1}::int AS n FROM (SELECT pg_advisory_xact_lock(${LOCK}::bigint)) AS waiting`.catch(
    (error: unknown) => error,
  );
  const pid = await eventually(async () => {
    const pids = await waitingPids();
    expect(pids).toHaveLength(1);
    return pids[0]!;
  });
  return { pid, outcome, leave: () => (cancellation.isCancelled = true) };
}

async function waitingPids(): Promise<number[]> {
  const { rows } = await holder.query<{ pid: number }>(
    `SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = $1 AND NOT granted`,
    [LOCK],
  );
  return rows.map(({ pid }) => pid);
}

it('a statement that nobody waits for ends, and its connection goes on', async () => {
  for (let round = 0; round < 3; round += 1) {
    const pid = await pidOfConnection();
    const read = await readBehindLock();
    expect(read.pid).toBe(pid);
    read.leave();
    await eventually(async () => expect(await waitingPids()).toEqual([]), { deadlineMs: 1_500 });
    const error = await read.outcome;
    expect(error).toMatchObject({ code: 'TIMEOUT' });
    expect(isUnavailable(error)).toBe(false);
    expect(await pidOfConnection()).toBe(pid);
  }
  // Under the name that it was cancelled by.
  await release();
  const read = database.query.until({ isCancelled: false });
  expect(await read`SELECT ${1}::int AS n FROM (SELECT pg_advisory_xact_lock(${LOCK}::bigint)) AS waiting`).toEqual([
    { n: 1 },
  ]);
});

it('a statement that somebody waits for ends by statement_timeout, as one of the database’s own', async () => {
  const { outcome } = await readBehindLock();
  expect(await outcome).toSatisfy(isUnavailable);
  expect(await outcome).not.toMatchObject({ code: 'TIMEOUT' });
});

it('a request to cancel that is late meets no other statement', async () => {
  const read = await readBehindLock();
  proxy.watch('up', (chunk) => {
    if (!isCancelRequest(chunk)) return;
    proxy.set({ kind: 'delay', ms: 500 });
    setImmediate(() => proxy.set({ kind: 'pass' }));
    void release();
  });
  read.leave();
  // Which of the two it was told does not matter to anybody.
  await read.outcome;
  const rows = await database.query`SELECT ${2}::int AS n, pg_sleep(1)::text AS slept`;
  expect(rows).toMatchObject([{ n: 2 }]);
});

it('a request to cancel that is lost costs the connection, and nothing else', async () => {
  const read = await readBehindLock();
  const isLost = proxy.cutBefore('up', isCancelRequest);
  read.leave();
  await isLost;
  expect(await waitingPids()).toEqual([read.pid]);
  await release();
  await read.outcome;
  expect(await pidOfConnection()).not.toBe(read.pid);
});

it('a read that was left before its turn came does not begin', async () => {
  const first = await readBehindLock();
  const cancellation = { isCancelled: false };
  const second = database.query.until(cancellation)`SELECT ${'left'} AS was`.catch((error: unknown) => error);
  cancellation.isCancelled = true;
  let isSent = false;
  proxy.watch('up', (chunk) => (isSent ||= chunk.includes('left')));
  first.leave();
  expect(await second).toMatchObject({ code: 'TIMEOUT' });
  await pidOfConnection();
  expect(isSent).toBe(false);
});
