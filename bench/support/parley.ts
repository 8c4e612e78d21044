import { resolve } from 'node:path';
import { INSPECTABLE } from '../../test/support/inspector.ts';
import { JWT_SECRET } from './data.ts';
import { startServer } from './server.ts';
import type { Server } from './server.ts';
import type { Stage } from './stage.ts';

const MAIN = resolve(import.meta.dirname, '../../dist/main.js');
const PEERS = resolve(import.meta.dirname, '../peers');

/** The built server, as in production; where profiles are taken, one that can be looked into. */
export function startParley(
  { size }: Pick<Stage, 'size'>,
  env: Record<string, string>,
  cpus?: string,
): Promise<Server> {
  return startServer([process.execPath, '--enable-source-maps', MAIN], {
    env: { ...ENVIRONMENT, JWT_SECRET, APP_DIR: 'none', ...(size.isProfiling && INSPECTABLE), ...env },
    cpus,
  });
}

/** One of the peers that are written in TypeScript. */
export function startPeer(name: string, env: Record<string, string> = {}): Promise<Server> {
  return startServer([process.execPath, '--import', 'tsx', resolve(PEERS, `${name}.ts`)], {
    env: { ...ENVIRONMENT, ...env },
  });
}

const ENVIRONMENT = { NODE_ENV: 'production', HOST: '127.0.0.1', PORT: '0', LOG_LEVEL: 'warn', RATE_LIMIT: 'off' };
