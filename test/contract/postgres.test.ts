import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { createLogger } from '../../src/logger.ts';
import { openDatabase } from '../../src/persistence/open-database.ts';

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

/*
 * In processes of their own: what else a worker has run, and how a test's errors find their sources, change what V8
 * keeps.
 */
async function runScript(name: string, ...args: string[]): Promise<string> {
  const script = fileURLToPath(new URL(name, import.meta.url));
  const { stdout } = await run(process.execPath, ['--expose-gc', '--import', 'tsx', script, ...args]);
  return stdout;
}

it.each([[], [JSON.stringify({ isCancelled: false })]])(
  'What a statement found goes with the quick collection: %s',
  async (...until) => {
    expect(await runScript('statement-garbage.ts', ...until)).toBe('gone\n');
  },
);

it.each(['connect', 'query'])('A connection that comes too late keeps nobody who asked for it: %s', async (method) => {
  expect(await runScript('late-connection.ts', method)).toBe('timeout exceeded when trying to connect\nforgotten\n');
});
