import { defineConfig } from 'vitest/config';
import { findChromium } from './test/support/chromium.ts';
import { whyNoPostgres, whyNoRedis } from './test/support/servers.ts';
import { atFullSize } from './test/support/size.ts';
import { SummaryReporter } from './test/support/summary-reporter.ts';

// vite would take graphql's ES module and the libraries its CommonJS: two realms, and types that do not know each other.
const resolve = { alias: [{ find: /^graphql$/, replacement: 'graphql/index.js' }] };

const shared = {
  pool: 'forks' as const,
  // What the files of a project import, a worker reads once. None of them changes it.
  isolate: false,
  // More than the cores that they were measured on: much of what they do is wait.
  maxWorkers: 4,
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

const STORIES = ['test/api/**/*.test.ts', 'test/realtime/**/*.test.ts', 'test/faults/**/*.test.ts'];

/**
 * Of those, the ones whose outcome could differ with everything in one process: what is written under locks and
 * transactions, what is told live, and what is left after a kill. At full size, all are told to both.
 */
const STORIES_OF_BOTH = atFullSize(STORIES, [
  'test/api/{concurrent-sends,first-conversation,provider-login,send-bursts,send-message}.test.ts',
  'test/realtime/{live-chats,live-messages,right-to-hear}.test.ts',
  'test/faults/{deadlines,first-start,kill-loop,model,races}.test.ts',
]);

/** The stories, told to one process with everything inside it, or to two that share PostgreSQL and Redis. */
const server = (backend: 'embedded' | 'distributed', include: string[]) => ({
  resolve,
  test: { ...shared, name: backend, include, provide: { backend } },
});

/** The client package, against real servers: on whichever of the two backends there is. */
const client = (backend: 'embedded' | 'distributed') => ({
  resolve,
  test: { ...shared, name: 'client', include: ['client/test/**/*.test.ts'], provide: { backend } },
});

/** The example app in a real browser, on one process with everything inside it. After the rest, which would slow it. */
const browser = {
  resolve,
  test: {
    ...shared,
    name: 'browser',
    include: ['test/browser/**/*.test.ts'],
    provide: { backend: 'embedded' as const },
    testTimeout: 180_000,
    hookTimeout: 180_000,
    // Each has a Chromium of its own.
    maxWorkers: 2,
    sequence: { groupOrder: 1 },
  },
};

export default defineConfig(async () => {
  const [noServers, noBrowser] = [await whyNoServers(), whyNoBrowser()];
  const notRun = [noServers, noBrowser].filter((line) => line !== undefined);
  if (notRun.length > 0 && ['true', '1'].includes(process.env.CI ?? '')) throw new Error(notRun.join('\n'));
  return {
    resolve,
    test: {
      globalSetup: ['test/support/global-setup.ts'],
      maxWorkers: shared.maxWorkers,
      teardownTimeout: 30_000,
      reporters: ['default', new SummaryReporter(notRun)],
      projects: [
        unit,
        ...(noServers === undefined
          ? [client('distributed'), server('embedded', STORIES_OF_BOTH), server('distributed', STORIES)]
          : [client('embedded'), server('embedded', STORIES)]),
        ...(noBrowser === undefined ? [browser] : []),
      ],
    },
  };
});

/** The tests start their own PostgreSQL and Redis, unless they are told of some: never what happens to listen here. */
async function whyNoServers(): Promise<string | undefined> {
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

function whyNoBrowser(): string | undefined {
  if (findChromium() !== undefined) return undefined;
  return 'Not run: the browser project, for want of a Chromium. Install chromium, or name one in TEST_CHROMIUM.';
}
