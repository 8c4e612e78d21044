import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { v7 as uuidv7 } from 'uuid';
import { readBearer } from './auth/credentials.ts';
import type { Viewer } from './auth/viewer.ts';
import type { Config } from './config.ts';
import { createLoaders } from './features/loaders.ts';
import { createServices } from './features/services.ts';
import type { Context, Line } from './graphql/context.ts';
import { createSchema } from './graphql/schema.ts';
import type { Logger } from './logger.ts';
import { openDatabase } from './persistence/database.ts';
import { isUnavailable } from './persistence/prisma-errors.ts';
import { createConnections } from './realtime/connections.ts';
import type { LiveConnection } from './realtime/connections.ts';
import { createMemoryBroker } from './realtime/memory-broker.ts';
import { readPatiently } from './realtime/patience.ts';
import { createSweep } from './realtime/sweep.ts';
import { createHealth } from './server/health.ts';
import { createHttpServer } from './server/http.ts';
import { attachWebSocket } from './server/websocket.ts';
import { createGraphQLServer } from './server/yoga.ts';

export interface App {
  /** Where it listens, such as `http://localhost:4000`. */
  url: string;
  /** Drains: takes no new work, finishes what is under way, lets go of everything. */
  stop(): Promise<void>;
}

/** Sockets are closed over this long, so that their clients do not all come back at once. */
const DRAIN_SPREAD_MS = 2_000;
/** Requests get this long to finish. */
const DRAIN_REQUESTS_MS = 5_000;
const GOODBYE_MS = 2_000;
const CLEAN_UP_EVERY_MS = 3_600_000;

/** Builds every long-lived thing once, wires them, and listens. */
export async function startApp(config: Config, logger: Logger): Promise<App> {
  const database = await openDatabase({
    url: config.databaseUrl,
    poolSize: config.databasePoolSize,
    dataDir: config.dataDir,
    logger,
  });
  const broker = await createBroker(config, logger);
  const services = createServices({ config, prisma: database.prisma, broker, nodeId: uuidv7(), logger });
  const connections = createConnections({
    filterLiveSessions: services.liveSessions.filterLive,
    onOpened: services.presence.connectionOpened,
    onClosed: services.presence.connectionClosed,
  });
  services.liveSessions.onEnded(connections.sessionsEnded);

  const sweep = createSweep([services.chatFeeds.sweep, services.userFeeds.sweep, connections.sweep], (error) =>
    logger.warn({ err: error }, 'the sweep failed; it goes on'),
  );
  broker.onReconnect(sweep.now);

  // Subscriptions of everybody read together, until there is an answer; operations each for themselves, once.
  const liveLoaders = createLoaders(services, (read) => readPatiently(read, isUnavailable));

  function createContext(
    viewer: Viewer | null,
    request: IncomingMessage,
    requestId: string,
    openLine: Context['openLine'],
  ): Context {
    return {
      viewer,
      selves: new Set(viewer ? [viewer.userId] : []),
      requestId,
      userAgent: request.headers['user-agent'] ?? null,
      services,
      loaders: createLoaders(services),
      prisma: database.prisma,
      openLine,
      liveLoaders,
    };
  }

  const health = createHealth({
    pingDatabase: () => database.prisma.$queryRaw`SELECT 1`,
    brokerStatus: broker.status,
  });
  const graphql = createGraphQLServer({
    schema: createSchema(),
    graphiql: config.graphiql,
    introspection: config.introspection,
    logger,
  });
  const server = createHttpServer({
    graphql,
    health,
    logger,
    corsOrigins: config.corsOrigins,
    graphiql: config.graphiql,
    createContext: (request, requestId) => async () => {
      const token = readBearer(request.headers.authorization);
      const viewer = token === null ? null : await services.liveSessions.authenticate(token);
      return createContext(viewer, request, requestId, (streamViewer) =>
        openStreamLine(connections.open(streamViewer)),
      );
    },
  });
  const webSockets = attachWebSocket(server, {
    graphql,
    connections,
    logger,
    corsOrigins: config.corsOrigins,
    authenticate: services.liveSessions.authenticate,
    createContext: (connection, request, requestId) =>
      createContext(connection.viewer, request, requestId, () => ({ signal: connection.signal, release() {} })),
  });

  const cleanUp = setInterval(() => {
    services.sessions.deleteExpired().catch((error: unknown) => logger.warn({ err: error }, 'old sessions were left'));
  }, CLEAN_UP_EVERY_MS);

  await services.presence.start({ isAlone: database.kind === 'embedded' });
  sweep.start();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port: config.port, host: config.host }, resolve);
  });

  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}`,
    async stop() {
      health.drain();
      clearInterval(cleanUp);
      // Requests are served on while sockets close, so that load balancers can see that the node is not ready.
      await webSockets.drain(DRAIN_SPREAD_MS);
      connections.endAll();
      const requestsDone = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      const patience = setTimeout(() => server.closeAllConnections(), DRAIN_REQUESTS_MS);
      await Promise.race([requestsDone, sleep(DRAIN_REQUESTS_MS + 500, undefined, { ref: false })]);
      clearTimeout(patience);
      sweep.stop();
      // A database that does not answer must not keep the process: the lease runs out by itself.
      await Promise.race([services.presence.stop(), sleep(GOODBYE_MS)]);
      await broker.close();
      await database.close();
    },
  };
}

async function createBroker(config: Config, logger: Logger) {
  if (config.redisUrls.length === 0) return createMemoryBroker(logger);
  const { createRedisBroker } = await import('./realtime/redis-broker.ts');
  return createRedisBroker({ urls: config.redisUrls, prefix: config.redisPrefix, logger });
}

/** An event stream is a line of its own, and lives as long as its one subscription. */
function openStreamLine(connection: LiveConnection): Line {
  return { signal: connection.signal, release: connection.close };
}
