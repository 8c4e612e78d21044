import { defineConfig } from 'vitest/config';
import { whyNoPostgres, whyNoRedis } from './test/support/servers.ts';
import { SummaryReporter } from './test/support/summary-reporter.ts';

// vite would take graphql's ES module and the libraries its CommonJS: two realms, and types that do not know each other.
const resolve = { alias: [{ find: /^graphql$/, replacement: 'graphql/index.js' }] };

const shared = {
  pool: 'forks' as const,
  // More than the cores that they were measured on: much of what they do is wait.
  maxWorkers: 3,
  testTimeout: 30_000,
  hookTimeout: 60_000,
};

const unit = {
  resolve,
  test: {
    ...shared,
    name: 'unit',
    include: ['test/unit/**/*.test.ts', 'test/contract/**/*.test.ts', 'test/*.test.ts'],
  },
};

/** The same stories, told to one process with everything inside it, and to two that share PostgreSQL and Redis. */
const server = (backend: 'embedded' | 'distributed') => ({
  resolve,
  test: {
    ...shared,
    name: backend,
    include: ['test/api/**/*.test.ts', 'test/realtime/**/*.test.ts', 'test/faults/**/*.test.ts'],
    provide: { backend },
  },
});

export default defineConfig(async () => {
  const notRun = await whatCannotRun();
  if (notRun !== undefined && ['true', '1'].includes(process.env.CI ?? '')) throw new Error(notRun);
  return {
    resolve,
    test: {
      globalSetup: ['test/support/global-setup.ts'],
      maxWorkers: shared.maxWorkers,
      teardownTimeout: 30_000,
      reporters: ['default', new SummaryReporter(notRun)],
      projects: [unit, server('embedded'), ...(notRun === undefined ? [server('distributed')] : [])],
    },
  };
});

/** The tests start their own PostgreSQL and Redis, unless they are told of some: never what happens to listen here. */
async function whatCannotRun(): Promise<string | undefined> {
  const reasons = [
    process.env.TEST_DATABASE_URL ? undefined : await whyNoPostgres(),
    process.env.TEST_REDIS_URL ? undefined : await whyNoRedis(),
  ].filter((reason) => reason !== undefined);
  if (reasons.length === 0) return undefined;
  return (
    `Not run: the distributed project, and the unit tests that need its servers: ${reasons.join(', ')}. ` +
    'Install redis-server, or name servers for tests in TEST_DATABASE_URL and TEST_REDIS_URL.'
  );
}
