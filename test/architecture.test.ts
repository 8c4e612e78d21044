import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findCycle, parseSource, readSources } from './support/imports.ts';
import type { Import } from './support/imports.ts';

const files = readSources(join(import.meta.dirname, '../src'), (path) => path.startsWith('generated/'));
const imports = files.flatMap((file) => file.imports);

/** The order in which the nouns of the product know of each other: a later one may know an earlier one. */
const NOUNS = ['users', 'sessions', 'presence', 'chats', 'messages', 'accounts'];

const PRISMA_CLIENT = /^generated\/prisma\/|^@prisma\/client/;
/** The files that load the library. */
const PROMETHEUS = /^metrics\/(prometheus|worker-figures)\.ts$/;
const STORE = /^features\/\w+\/[\w-]+-store\.ts$/;
const SCHEMA = /^features\/\w+\/[\w-]+-schema\.ts$/;
/** The code of a feature that tests and jobs call without any GraphQL: services, policies, stores and what they use. */
const isFeatureCore = (path: string) => nounOf(path) !== undefined && !SCHEMA.test(path);

interface Rule {
  rule: string;
  broken: (one: Import) => boolean;
  /** Imports that would break it. */
  refused: Array<[from: string, to: string, kind?: 'type']>;
}

const rules: Rule[] = [
  {
    rule: 'only stores and persistence/ load the Prisma client',
    broken: ({ from, to, kind }) =>
      kind !== 'type' && PRISMA_CLIENT.test(to) && !STORE.test(from) && !from.startsWith('persistence/'),
    refused: [
      ['features/chats/chat-service.ts', 'generated/prisma/client.ts'],
      ['features/chats/chat-policy.ts', 'generated/prisma/enums.ts'],
      ['graphql/context.ts', '@prisma/client/runtime/client'],
    ],
  },
  {
    rule: 'only the builder loads what Prisma says of its models',
    broken: ({ from, to, kind }) =>
      kind !== 'type' && to === 'generated/pothos-types.ts' && from !== 'graphql/builder.ts',
    refused: [['features/chats/chat-schema.ts', 'generated/pothos-types.ts']],
  },
  {
    rule: 'only persistence/ knows how the database is reached',
    broken: ({ from, to }) =>
      /^(pg|pglite-prisma-adapter|@electric-sql\/.*|@prisma\/(adapter|driver-adapter|schema-engine).*)$/.test(to) &&
      !from.startsWith('persistence/'),
    refused: [
      ['features/chats/chat-store.ts', 'pg'],
      ['app.ts', '@prisma/adapter-pg', 'type'],
    ],
  },
  {
    rule: 'only realtime/ and rate-limits/ know Redis',
    broken: ({ from, to }) =>
      /^(ioredis|graphql-redis-subscriptions)\b/.test(to) && !/^(realtime|rate-limits)\//.test(from),
    refused: [['server/health.ts', 'ioredis', 'type']],
  },
  {
    rule: 'only server/ knows sockets',
    broken: ({ from, to }) => /^(ws|graphql-ws)\b/.test(to) && !from.startsWith('server/'),
    refused: [['app.ts', 'graphql-ws/use/ws']],
  },
  {
    rule: 'services, policies and stores know nothing of GraphQL, Yoga, sockets or Redis',
    broken: ({ from, to }) =>
      isFeatureCore(from) && /^(graphql|@graphql-|@pothos\/|ws$|ioredis|(graphql|server)\/)/.test(to),
    refused: [
      ['features/messages/message-service.ts', 'graphql'],
      ['features/messages/message-store.ts', 'graphql-yoga', 'type'],
      ['features/chats/chat-policy.ts', 'graphql/context.ts', 'type'],
      ['features/chats/chat-service.ts', 'server/edge.ts'],
      ['features/sessions/live-sessions.ts', 'ioredis'],
    ],
  },
  {
    rule: 'services, policies and stores know no schema file',
    broken: ({ from, to }) => isFeatureCore(from) && SCHEMA.test(to),
    refused: [['features/messages/message-service.ts', 'features/chats/chat-schema.ts', 'type']],
  },
  {
    rule: 'schema files ask services: they load no store, no persistence/, no realtime/',
    broken: ({ from, to, kind }) =>
      kind !== 'type' && SCHEMA.test(from) && (STORE.test(to) || /^(persistence|realtime)\//.test(to)),
    refused: [
      ['features/chats/chat-schema.ts', 'features/chats/chat-store.ts'],
      ['features/chats/chat-schema.ts', 'realtime/chat-feeds.ts'],
    ],
  },
  {
    rule: 'a feature loads another feature’s service, policy or schema, never its store',
    broken: ({ from, to, kind }) =>
      kind !== 'type' && crossesFeatures(from, to) && !/-(service|policy|schema)\.ts$/.test(to),
    refused: [
      ['features/messages/message-service.ts', 'features/chats/chat-store.ts'],
      ['features/sessions/session-service.ts', 'features/users/name-words.ts'],
    ],
  },
  {
    rule: 'an earlier noun does not know a later one; schema files may name its types',
    broken: ({ from, to, kind }) =>
      crossesFeatures(from, to) &&
      NOUNS.indexOf(nounOf(to)!) > NOUNS.indexOf(nounOf(from)!) &&
      !(kind === 'type' && SCHEMA.test(from) && SCHEMA.test(to)),
    refused: [
      ['features/chats/chat-service.ts', 'features/messages/message-service.ts'],
      ['features/chats/chat-store.ts', 'features/messages/message-store.ts', 'type'],
      ['features/users/user-schema.ts', 'features/chats/chat-schema.ts'],
    ],
  },
  {
    rule: 'features know of their wiring by its types alone',
    broken: ({ from, to, kind }) => kind !== 'type' && nounOf(from) !== undefined && /^features\/[\w-]+\.ts$/.test(to),
    refused: [['features/chats/chat-service.ts', 'features/services.ts']],
  },
  {
    rule: 'realtime/, rate-limits/, auth/ and persistence/ know no feature, no GraphQL, no server',
    broken: ({ from, to }) =>
      /^(realtime|rate-limits|auth|persistence)\//.test(from) &&
      /^((features|graphql|server)\/|graphql$|graphql-yoga$)/.test(to),
    refused: [
      ['realtime/chat-feeds.ts', 'features/messages/message-store.ts', 'type'],
      ['auth/access-tokens.ts', 'graphql/present-error.ts'],
      ['rate-limits/rate-limits.ts', 'server/edge.ts'],
      ['persistence/prisma-errors.ts', 'graphql'],
    ],
  },
  {
    rule: 'in graphql/ only schema.ts loads features',
    broken: ({ from, to, kind }) =>
      kind !== 'type' && from.startsWith('graphql/') && to.startsWith('features/') && from !== 'graphql/schema.ts',
    refused: [['graphql/context.ts', 'features/loaders.ts']],
  },
  {
    rule: 'server/ is handed what features do, and loads none',
    broken: ({ from, to, kind }) => kind !== 'type' && from.startsWith('server/') && to.startsWith('features/'),
    refused: [['server/websocket.ts', 'features/services.ts']],
  },
  {
    rule: 'only metrics/ knows Prometheus, and loads it when it is asked for',
    broken: ({ from, to, kind }) =>
      (to === 'prom-client' && !PROMETHEUS.test(from)) ||
      (PROMETHEUS.test(to) && kind === 'static' && !PROMETHEUS.test(from)),
    refused: [
      ['server/http.ts', 'prom-client', 'type'],
      ['metrics/open-metrics.ts', 'metrics/prometheus.ts'],
      ['app.ts', 'metrics/worker-figures.ts'],
    ],
  },
  {
    rule: 'metrics/ is told by all, and knows none of them',
    broken: ({ from, to }) => from.startsWith('metrics/') && to.endsWith('.ts') && !/^(metrics\/|errors\.ts$)/.test(to),
    refused: [
      ['metrics/metrics.ts', 'realtime/broker.ts', 'type'],
      ['metrics/prometheus.ts', 'config.ts', 'type'],
    ],
  },
  {
    rule: 'nobody knows app.ts but main.ts, and nobody knows main.ts',
    broken: ({ from, to }) => to === 'main.ts' || (to === 'app.ts' && from !== 'main.ts'),
    refused: [
      ['server/http.ts', 'app.ts', 'type'],
      ['app.ts', 'main.ts'],
    ],
  },
];

describe('imports', () => {
  it.each(rules)('$rule', ({ broken }) => {
    expect(imports.filter(broken).map(({ from, to, kind }) => `${from} imports ${to} (${kind})`)).toEqual([]);
  });

  it('form no circle at run time', () => {
    expect(findCycle(imports.filter(({ kind }) => kind !== 'type'))).toBeNull();
  });

  it('name files that are there', () => {
    const known = new Set(files.map(({ path }) => path));
    const inside = imports.filter(({ to }) => to.endsWith('.ts') && !to.startsWith('generated/'));
    expect(inside.length).toBeGreaterThan(100);
    expect(inside.filter(({ to }) => !known.has(to))).toEqual([]);
  });
});

describe('files', () => {
  it('belong to a noun that has its place in the order', () => {
    const nouns = files.map(({ path }) => nounOf(path)).filter((noun) => noun !== undefined);
    expect([...new Set(nouns)].toSorted()).toEqual(NOUNS.toSorted());
  });

  it('are named in kebab-case', () => {
    const parts = files.flatMap(({ path }) => path.replace(/\.ts$/, '').split('/'));
    expect(parts.filter((part) => !/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(part))).toEqual([]);
  });

  it('are named for what is in them', () => {
    const nothing = /(^|[/-])(utils?|helpers?|misc|common|shared|index)[\d.-]/;
    expect(files.map(({ path }) => path).filter((path) => nothing.test(path))).toEqual([]);
  });

  it('leave the environment to main.ts, which hands it to readConfig', () => {
    const readers = files.filter((file) => file.readsEnvironment).map(({ path }) => path);
    expect(readers.filter((path) => path !== 'config.ts')).toEqual(['main.ts']);
  });
});

/** What the tests above rest on. */
describe('the check', () => {
  it.each(rules)('refuses what breaks: $rule', ({ broken, refused }) => {
    for (const [from, to, kind = 'static'] of refused)
      expect(broken({ from, to, kind }), `${from} imports ${to}`).toBe(true);
  });

  it('tells what is loaded from what is only named', () => {
    const source = parseSource(
      'features/chats/chat-store.ts',
      `import type { A } from './a.ts';
       import { type B } from '../b.ts';
       import { type C, d } from '../../c.ts';
       import './e.ts';
       export type { F } from 'f';
       export { g } from '@scope/g/deep';
       export * from './h.ts';
       type I = typeof import('./i.ts');
       const j = async () => (await import('./j.ts')) satisfies I;
       // import './comment.ts';
       const text = "import './text.ts'";`,
    );
    expect(source.imports.map(({ to, kind }) => [to, kind])).toEqual([
      ['features/chats/a.ts', 'type'],
      ['features/b.ts', 'static'],
      ['c.ts', 'static'],
      ['features/chats/e.ts', 'static'],
      ['f', 'type'],
      ['@scope/g/deep', 'static'],
      ['features/chats/h.ts', 'static'],
      ['features/chats/i.ts', 'type'],
      ['features/chats/j.ts', 'dynamic'],
    ]);
  });

  it.each([
    'process.env.X',
    "process['env']",
    'const { env } = process',
    'read({ process })',
    "import { env } from 'node:process'",
    "import process from 'process'",
  ])('sees the environment in %s', (text) => {
    expect(parseSource('a.ts', text).readsEnvironment).toBe(true);
  });

  it.each(['process.exit(1)', 'process.on("SIGTERM", stop)', 'a.process(b)', '({ process: 1 })'])(
    'sees none in %s',
    (text) => {
      expect(parseSource('a.ts', text).readsEnvironment).toBe(false);
    },
  );

  it('finds a circle of any length', () => {
    const chain = (...paths: string[]) =>
      paths.slice(1).map((to, i): Import => ({ from: paths[i]!, to, kind: 'static' }));
    expect(findCycle(chain('a', 'b', 'c', 'd', 'b'))).toEqual(['b', 'c', 'd', 'b']);
    expect(findCycle(chain('a', 'a'))).toEqual(['a', 'a']);
    expect(findCycle([...chain('a', 'b', 'd'), ...chain('a', 'c', 'd')])).toBeNull();
  });
});

function nounOf(path: string): string | undefined {
  return /^features\/(\w+)\//.exec(path)?.[1];
}

function crossesFeatures(from: string, to: string): boolean {
  const [here, there] = [nounOf(from), nounOf(to)];
  return here !== undefined && there !== undefined && here !== there;
}
