import { setTimeout as delay } from 'node:timers/promises';
import { Pool } from '../../src/persistence/postgres-pool.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';

/*
 * Says whether somebody who has asked a pool in vain, by the method that the argument names, is still kept when the
 * connection that was opened for them is there. For `node --expose-gc`.
 */

const TIMEOUT_MS = 2_000;
/** Late enough for who asks, and in time for the connection itself, however often the two sides talk first. */
const FREED_AFTER_MS = 1_600;
const DELAY_MS = 300;

const url = new URL(process.env.TEST_DATABASE_URL!);
const wire = await startTcpProxy({ host: url.hostname, port: Number(url.port) });
url.host = `127.0.0.1:${wire.port}`;
const pool = new Pool({ connectionString: url.href, max: 1, connectionTimeoutMillis: TIMEOUT_MS });

class Asker {
  async ask() {
    await (process.argv[2] === 'query' ? pool.query('SELECT 1') : pool.connect());
  }
}

async function askInVain(): Promise<WeakRef<Asker>> {
  const asker = new Asker();
  console.log(await asker.ask().catch((error: Error) => error.message));
  return new WeakRef(asker);
}

const first = await pool.connect();
wire.set({ kind: 'delay', ms: DELAY_MS });
setTimeout(() => first.release(true), FREED_AFTER_MS);
const asker = await askInVain();
while (pool.idleCount === 0) await delay(20);
globalThis.gc!();
console.log(asker.deref() === undefined ? 'forgotten' : 'kept');
await pool.end();
await wire.close();
