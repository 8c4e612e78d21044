import pg from 'pg';

/**
 * A pool whose failures keep nobody. V8 keeps all who waited for what failed until the stack of the error is read, and a
 * connection keeps for as long as it is open the error of who had asked for it and did not wait until it was there.
 */
export class Pool extends pg.Pool {
  override connect(): Promise<pg.PoolClient>;
  override connect(callback: Parameters<pg.Pool['connect']>[0]): void;
  override connect(callback?: Parameters<pg.Pool['connect']>[0]): Promise<pg.PoolClient> | void {
    return callback ? super.connect(callback) : super.connect().catch(forget);
  }

  /** By its overloads it answers whatever is asked for: hence never. */
  override query(...asked: unknown[]): never {
    const answer = super.query(...(asked as [string])) as Promise<pg.QueryResult> | undefined;
    return answer?.catch(forget) as never;
  }
}

function forget(error: Error): never {
  throw Object.assign(error, { stack: error.stack });
}
