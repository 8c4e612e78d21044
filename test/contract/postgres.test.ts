import { expect, it } from 'vitest';
import { createLogger } from '../../src/logger.ts';
import { openDatabase } from '../../src/persistence/open-database.ts';
import { runScript } from '../support/script.ts';

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

it.each([[], [JSON.stringify({ isCancelled: false })]])(
  'What a statement found goes with the quick collection: %s',
  async (...until) => {
    expect(await runScript(new URL('statement-garbage.ts', import.meta.url), ...until)).toBe('gone\n');
  },
);

it.each(['connect', 'query'])('A connection that comes too late keeps nobody who asked for it: %s', async (method) => {
  expect(await runScript(new URL('late-connection.ts', import.meta.url), method)).toBe(
    'timeout exceeded when trying to connect\nforgotten\n',
  );
});
