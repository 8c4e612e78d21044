import { join, resolve } from 'node:path';
import { build } from 'vite';
import { startApp } from '../src/app.ts';
import { readConfig } from '../src/config.ts';
import { createLogger } from '../src/logger.ts';
import { complain } from './complain.ts';
import { emailOf, fillDatabase, PASSWORD } from './fill.ts';
import { PEOPLE } from './seed-story.ts';

/*
 * Opens for business with nothing set up: `npm run demo`, or `npm run demo -- <directory>` to keep its data elsewhere.
 * That directory holds all of it, the embedded database and the app as it is built for a demo; nothing else is touched,
 * whatever DATABASE_URL or DATA_DIR are set to. The second time it goes on where the first has ended.
 */

const EXAMPLE = join(import.meta.dirname, '../examples/ionic-chat');
/** They live in one house, and so have chats with each other. */
const FLATMATES = PEOPLE.slice(0, 5).map((person) => ({
  name: `${person.firstName} ${person.lastName}`,
  email: emailOf(person),
  password: PASSWORD,
}));

async function main(directory = 'data/demo'): Promise<void> {
  const appDir = join(directory, 'app');
  const { PORT, LOG_LEVEL = 'warn', HOST = '127.0.0.1' } = process.env;

  console.log('Building the app …');
  await buildApp(appDir);
  // Everybody's password is in the README: this is not for the network, unless somebody says so.
  const config = readConfig({ PORT, LOG_LEVEL, HOST, DATA_DIR: directory, APP_DIR: appDir });
  const logger = createLogger(config.logLevel);
  console.log(`Filling ${directory} with people and chats …`);
  await fillDatabase(config, logger);
  const app = await startApp(config, logger);

  const [one, another] = FLATMATES;
  console.log(`
Open ${app.url} in two tabs: each is a phone of its own.
Sign in as ${one!.name} in one and as ${another!.name} in the other: a click on the name, or ${one!.email} with ${PASSWORD}.`);

  const stop = () => void app.stop().then(() => process.exit(), complain);
  // The second time somebody means it, and nothing is in the way.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop);
}

async function buildApp(outDir: string): Promise<void> {
  process.env.VITE_DEMO = 'true';
  process.env.VITE_DEMO_PEOPLE = JSON.stringify(FLATMATES);
  await build({
    root: EXAMPLE,
    logLevel: 'warn',
    build: { outDir: resolve(outDir), emptyOutDir: true },
  });
}

main(process.argv[2]).catch(complain);
