import cluster from 'node:cluster';
import { startApp } from './app.ts';
import { startWorkers } from './cluster.ts';
import { ConfigError, readConfig } from './config.ts';
import type { Config } from './config.ts';
import { DocumentListError } from './graphql/document-list.ts';
import { toLoggedError } from './logged-error.ts';
import { createLogger } from './logger.ts';
import type { Logger } from './logger.ts';
import { openSummedMetrics } from './metrics/open-metrics.ts';
import { DataDirInUseError } from './persistence/data-dir-lock.ts';
import { MigrationError } from './persistence/migrations.ts';
import { DatabaseOpenError } from './persistence/open-error.ts';

/** What an operator can mend; anything else is shown with its stack. */
const PLAIN_ERRORS = [ConfigError, DocumentListError, DataDirInUseError, MigrationError, DatabaseOpenError];

function fail(error: unknown): void {
  const isPlain = PLAIN_ERRORS.some((type) => error instanceof type);
  const code = (error as NodeJS.ErrnoException).code;
  const isOperators = isPlain || code === 'EADDRINUSE' || code === 'EACCES';
  const text = `parley: ${isOperators ? (error as Error).message : describe(error)}`;
  const exit = () => process.exit(1);
  // What is wrong with one worker is wrong with all of them: the primary says it once.
  if (cluster.worker) cluster.worker.send(text, exit);
  else {
    console.error(text);
    exit();
  }
}

function describe(error: unknown): string {
  const { type, stack, cause } = toLoggedError(error);
  return [stack ?? type, ...(cause ? [`caused by ${cause.stack ?? cause.message ?? cause.type}`] : [])].join('\n');
}

function greet(url: string, metricsPort: number | undefined, config: Config): void {
  const lines = [
    'Parley is listening.',
    '',
    ...(config.appDir ? [`  App      ${url}`] : []),
    `  GraphQL  ${url}/graphql`,
    ...(config.graphiql
      ? [`  Try it   open ${url}/graphql in a browser; the README has a first conversation to paste`]
      : []),
    `  Data     ${config.databaseUrl ? 'PostgreSQL' : `embedded, in ${config.dataDir}`}`,
    `  Nodes    ${config.redisUrls.length > 0 ? 'many, over Redis' : 'this one process'}`,
    ...(config.workers > 1 ? [`  Workers  ${config.workers} processes`] : []),
    ...(config.persistedDocuments ? [`  Runs     the ${config.persistedDocuments.length} listed documents`] : []),
    ...(metricsPort === undefined ? [] : [`  Metrics  http://localhost:${metricsPort}/metrics`]),
    ...(config.databaseUrl === undefined && !config.production
      ? ['', '  npm run seed fills it with people and chats; stop this first.']
      : []),
  ];
  console.log(lines.join('\n'));
}

async function serve(config: Config, logger: Logger): Promise<void> {
  const app = await startApp(config, logger);
  if (cluster.isPrimary) greet(app.url, app.metricsPort, config);

  let isStopping = false;
  const stop = (signal: string) => {
    // The second time somebody means it; to a worker, a terminal and its primary may both have passed on the first.
    if (isStopping) return cluster.isPrimary ? process.exit(1) : undefined;
    isStopping = true;
    logger.info({ signal }, 'stopping');
    app.stop().then(() => process.exit(0), fail);
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}

async function main(): Promise<void> {
  const config = readConfig(process.env);
  const logger = createLogger(config.logLevel, cluster.worker?.id);
  process.on('unhandledRejection', (error) => logger.error({ err: error }, 'unhandledRejection'));
  // Node would show it with all that it holds.
  process.on('uncaughtException', (error) => {
    logger.fatal({ err: error }, 'uncaughtException');
    process.exit(1);
  });
  if (config.workers === 1 || cluster.isWorker) return serve(config, logger);
  const summed = config.metrics && (await openSummedMetrics(config.metrics));
  startWorkers({
    count: config.workers,
    logger,
    onListening: (port) => greet(`http://localhost:${port}`, summed?.port, config),
  });
}

main().catch(fail);
