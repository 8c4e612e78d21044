import type pg from 'pg';
import type { Cancellation } from '../cancellation.ts';
import { TimeoutError } from '../errors.ts';
import { Slots } from '../slots.ts';
import { requestCancel } from './cancel-request.ts';
import { readRows } from './postgres-rows.ts';
import { isStatementCancelled } from './prisma-errors.ts';
import type { StatementRunner } from './query.ts';
import type { StatementNames } from './statement-names.ts';

const LOOK_EVERY_MS = 100;
/** As long as any connection to PostgreSQL may take to come about. */
const CANCEL_TIMEOUT_MS = 1_500;

interface Read {
  client: pg.PoolClient;
  cancellation: Cancellation;
  /** Under way: whether PostgreSQL has taken the request. */
  cancelling: Promise<boolean> | undefined;
}

export interface CancellableReads extends StatementRunner {
  stop(): void;
}

/**
 * Ends statements that nobody waits for any more, with one timer for all. A connection goes back to the pool only when a
 * request to cancel cannot meet its next statement.
 */
export function createCancellableReads(pool: pg.Pool, nameOf: StatementNames): CancellableReads {
  const underWay = new Slots<Read>();

  const timer = setInterval(() => {
    underWay.forEach((read) => {
      if (read.cancellation.isCancelled) read.cancelling ??= requestCancel(read.client, CANCEL_TIMEOUT_MS);
    });
  }, LOOK_EVERY_MS).unref();

  function letGo({ client, cancelling }: Read, error?: Error): void {
    if (!cancelling) return client.release(error);
    // Cancelled, the session is as good as before; of any other failure the pool cannot know that.
    const isWhole = error === undefined || isStatementCancelled(error);
    void cancelling.then((wasTaken) => client.release(!(wasTaken && isWhole)));
  }

  return {
    async queryRaw(statement, cancellation) {
      if (!cancellation) return readRows(pool, statement, nameOf(statement));
      const client = await pool.connect();
      // Which it may have waited for.
      if (cancellation.isCancelled) {
        client.release();
        throw new TimeoutError();
      }
      const read: Read = { client, cancellation, cancelling: undefined };
      const slot = underWay.take(read);
      let failure: Error | undefined;
      try {
        return await readRows(client, statement, nameOf(statement));
      } catch (error) {
        failure = error as Error;
        throw error;
      } finally {
        underWay.free(slot);
        letGo(read, failure);
      }
    },

    stop: () => clearInterval(timer),
  };
}
