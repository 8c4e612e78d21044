import pg from 'pg';

type Answer = (error: Error | null, result?: pg.QueryResult) => void;

/**
 * The class of connections on which a statement is waited for so long, and fails then as by pg's own `query_timeout`.
 *
 * For that setting, and for a promise, pg assigns a function literal to a property of the statement. V8 puts such a
 * function among what is old, and from there all that the statement found is kept from the quick collection of garbage.
 */
export function clientThatWaits(timeoutMs: number): typeof pg.Client {
  return class extends pg.Client {
    /** By its overloads it answers whatever is asked for: hence never. */
    override query(statement: unknown, values?: unknown, answer?: unknown): never {
      if (typeof answer === 'function') return this.#send(statement, values, answer as Answer) as never;
      return new Promise((resolve, reject) => {
        this.#send(statement, values, (error, result) => (error ? reject(error) : resolve(result)));
      }) as never;
    }

    #send(statement: unknown, values: unknown, answer: Answer): void {
      let isOver = false;
      const end: Answer = (error, result) => {
        clearTimeout(timer);
        if (!isOver) answer(error, result);
        isOver = true;
      };
      const timer = setTimeout(() => end(new Error('Query read timeout')), timeoutMs);
      super.query(statement as string, values as unknown[], end);
    }
  };
}
