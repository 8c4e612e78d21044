import { expect, it } from 'vitest';
import { createLogger } from '../../src/logger.ts';
import { openDatabase } from '../../src/persistence/database.ts';

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
