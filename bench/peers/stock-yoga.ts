import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createYoga } from 'graphql-yoga';
import { v7 as uuidv7 } from 'uuid';
import { readBearer } from '../../src/auth/credentials.ts';
import { readConfig } from '../../src/config.ts';
import { createLoaders } from '../../src/features/loaders.ts';
import { createServices } from '../../src/features/services.ts';
import type { Context } from '../../src/graphql/context.ts';
import { Deadline } from '../../src/graphql/deadline.ts';
import { createSchema } from '../../src/graphql/schema.ts';
import { createLogger } from '../../src/logger.ts';
import { NO_METRICS } from '../../src/metrics/metrics.ts';
import { openDatabase } from '../../src/persistence/open-database.ts';
import { UNLIMITED } from '../../src/rate-limits/rate-limits.ts';
import { createMemoryBroker } from '../../src/realtime/memory-broker.ts';

/* Parley's own schema and services in Yoga as its documentation has it, on node:http. */

const config = readConfig(process.env);
const logger = createLogger(config.logLevel);
const { prisma, query } = await openDatabase({ url: config.databaseUrl, dataDir: config.dataDir, logger });
const services = createServices({
  config,
  prisma,
  query,
  broker: createMemoryBroker(logger),
  rateLimits: UNLIMITED,
  nodeId: uuidv7(),
  logger,
});
const loadersFor = createLoaders(services);

const yoga = createYoga({
  schema: createSchema(),
  async context({ request }): Promise<Context> {
    const token = readBearer(request.headers.get('authorization'));
    const viewer = token === null ? null : await services.liveSessions.authenticate(token);
    const deadline = new Deadline(() => false);
    return {
      viewer,
      selves: viewer ? [viewer.userId] : [],
      requestId: uuidv7(),
      client: { address: '', userAgent: request.headers.get('user-agent') },
      services,
      deadline,
      loaders: loadersFor({ person: 'somebody', cancellation: deadline }),
      liveLoaders: loadersFor,
      prisma,
      metrics: NO_METRICS,
      openLine() {
        throw new Error('nothing is followed here');
      },
    };
  },
});

const server = createServer((request, response) => void yoga(request, response));
server.listen(0, '127.0.0.1', () => console.log(`http://localhost:${(server.address() as AddressInfo).port}`));
