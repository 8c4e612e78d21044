import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { createLogger } from '../../src/logger.ts';
import { openDatabase } from '../../src/persistence/open-database.ts';
import { keptBy } from '../support/garbage.ts';
import { eventually } from '../support/wait.ts';

const run = promisify(execFile);

it('A connection to PostgreSQL plans what comes again only once', async () => {
  const database = await openDatabase({
    url: process.env.TEST_DATABASE_URL!,
    dataDir: '',
    poolSize: 1,
    logger: createLogger('silent'),
  });
  try {
    for (let nth = 0; nth < 10; nth += 1) await database.prisma.$queryRaw`SELECT ${nth}::int AS counted`;
    const prepared = await database.prisma
      .$queryRaw`SELECT (custom_plans + generic_plans)::int AS runs, generic_plans > 0
      AS "isPlannedOnce" FROM pg_prepared_statements WHERE statement LIKE '%::int AS counted'`;
    expect(prepared).toEqual([{ runs: 10, isPlannedOnce: true }]);
  } finally {
    await database.close();
  }
});

it.each([undefined, { isCancelled: false }])(
  'What a statement found goes with the quick collection: %j',
  async (until) => {
    const database = await openDatabase({
      url: process.env.TEST_DATABASE_URL!,
      dataDir: '',
      poolSize: 1,
      logger: createLogger('silent'),
    });
    const bytes = 4_000;
    const read = async (times: number) => {
      for (let nth = 0; nth < times; nth += 1)
        await database.query.until(until)`SELECT string_to_array(repeat(${'text '}, ${bytes / 8}::int), ' ') AS words`;
    };
    try {
      // Not before V8 has compiled it, which it does when it has the time.
      await eventually(async () => expect(await keptBy(() => read(500))).toBeLessThan(500 * bytes));
    } finally {
      await database.close();
    }
  },
);

it.each(['connect', 'query'])('A connection that comes too late keeps nobody who asked for it: %s', async (method) => {
  // In a process of its own: how a test's errors find their sources changes what V8 keeps with them.
  const script = fileURLToPath(new URL('late-connection.ts', import.meta.url));
  const { stdout } = await run(process.execPath, ['--expose-gc', '--import', 'tsx', script, method]);
  expect(stdout).toBe('timeout exceeded when trying to connect\nforgotten\n');
});
