import { startApp } from './app.ts';
import { ConfigError, readConfig } from './config.ts';
import type { Config } from './config.ts';
import { createLogger } from './logger.ts';
import { DataDirInUseError } from './persistence/data-dir-lock.ts';
import { MigrationError } from './persistence/migrations.ts';
import { DatabaseOpenError } from './persistence/open-error.ts';

/** What an operator can mend; anything else is shown with its stack. */
const PLAIN_ERRORS = [ConfigError, DataDirInUseError, MigrationError, DatabaseOpenError];

function fail(error: unknown): never {
  const isPlain = PLAIN_ERRORS.some((type) => error instanceof type);
  const code = (error as NodeJS.ErrnoException).code;
  if (isPlain || code === 'EADDRINUSE' || code === 'EACCES') console.error(`parley: ${(error as Error).message}`);
  else console.error('parley:', error);
  process.exit(1);
}

function greet(url: string, config: Config): void {
  const lines = [
    'Parley is listening.',
    '',
    `  GraphQL  ${url}/graphql`,
    ...(config.graphiql
      ? [`  Try it   open ${url}/graphql in a browser; the README has a first conversation to paste`]
      : []),
    `  Data     ${config.databaseUrl ? 'PostgreSQL' : `embedded, in ${config.dataDir}`}`,
    `  Nodes    ${config.redisUrls.length > 0 ? 'many, over Redis' : 'this one process'}`,
    ...(config.databaseUrl === undefined && !config.production
      ? ['', '  npm run seed fills it with people and chats; stop this first.']
      : []),
  ];
  console.log(lines.join('\n'));
}

async function main(): Promise<void> {
  const config = readConfig(process.env);
  const logger = createLogger(config.logLevel);
  process.on('unhandledRejection', (error) => logger.error({ err: error }, 'unhandledRejection'));
  const app = await startApp(config, logger);
  greet(app.url, config);

  let stopping = false;
  const stop = (signal: string) => {
    // The second time somebody means it.
    if (stopping) process.exit(1);
    stopping = true;
    logger.info({ signal }, 'stopping');
    app.stop().then(
      () => process.exit(0),
      (error: unknown) => fail(error),
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}

main().catch(fail);
