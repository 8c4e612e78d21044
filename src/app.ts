import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { v7 as uuidv7 } from 'uuid';
import type { Client } from './auth/client.ts';
import { readBearer } from './auth/credentials.ts';
import type { Viewer } from './auth/viewer.ts';
import type { Config } from './config.ts';
import { RateLimitedError } from './errors.ts';
import { createFairness } from './features/fairness.ts';
import { createLoaders } from './features/loaders.ts';
import { createServices } from './features/services.ts';
import { EVENT_LIMITS } from './features/tally.ts';
import type { Context, Line } from './graphql/context.ts';
import { Deadline } from './graphql/deadline.ts';
import { createDeadlines } from './graphql/deadlines.ts';
import { createOperations } from './graphql/operations.ts';
import { createSchema } from './graphql/schema.ts';
import type { Logger } from './logger.ts';
import { openMetrics } from './metrics/open-metrics.ts';
import { openDatabase } from './persistence/open-database.ts';
import { isUnavailable } from './persistence/prisma-errors.ts';
import { createConnections } from './realtime/connections.ts';
import { createRateLimits, UNLIMITED } from './rate-limits/rate-limits.ts';
import { createMemoryBroker } from './realtime/memory-broker.ts';
import { readPatiently } from './realtime/patience.ts';
import { createSweep } from './realtime/sweep.ts';
import { watchAnswers } from './server/answer-watch.ts';
import { createClientReader } from './server/client-reader.ts';
import { limitConnections } from './server/connection-limits.ts';
import { createOriginGuard } from './server/edge.ts';
import { createHealth } from './server/health.ts';
import { createHttpServer } from './server/http.ts';
import { createOperationPlaces } from './server/operation-places.ts';
import { createWebApp } from './server/web-app.ts';
import { attachWebSocket } from './server/websocket.ts';
import { createGraphQLServer } from './server/yoga.ts';

export interface App {
  /** Where it listens, such as `http://localhost:4000`. */
  url: string;
  /** Where Prometheus is answered; undefined: nowhere. */
  metricsPort: number | undefined;
  /** Drains: takes no new work, finishes what is under way, lets go of everything. */
  stop(): Promise<void>;
}

/** Sockets are closed over this long, so that their clients do not all come back at once. */
const DRAIN_SPREAD_MS = 2_000;
/** Requests get this long to finish. */
const DRAIN_REQUESTS_MS = 5_000;
const GOODBYE_MS = 2_000;
const CLEAN_UP_EVERY_MS = 3_600_000;
/** Of the connections to the database: for what one person asks for at a time, and as many for what goes with it. */
const SHARE_OF_POOL = 0.3;

/** Builds every long-lived thing once, wires them, and listens. */
export async function startApp(config: Config, logger: Logger): Promise<App> {
  const { metrics, ...exposition } = await openMetrics(config.metrics);
  const deadlines = createDeadlines();
  // Before the database is opened: a list may hold documents that cannot be run.
  const operations = createOperations(createSchema(), {
    introspection: config.introspection,
    deadlines,
    metrics,
    listed: config.persistedDocuments,
  });
  const database = await openDatabase({
    url: config.databaseUrl,
    poolSize: config.databasePoolSize,
    dataDir: config.dataDir,
    logger,
  });
  const broker = await createBroker(config, logger);
  const redis = await connectRedis(config, logger);
  const rateLimits = config.rateLimit
    ? createRateLimits({
        redis,
        prefix: config.redisPrefix,
        writing: config.writing,
        secret: config.jwtSecret,
        connections: config.connections,
        logger,
      })
    : UNLIMITED;
  const fairness = createFairness(Math.max(1, Math.floor(SHARE_OF_POOL * config.databasePoolSize)));
  const services = createServices({
    ...database,
    config,
    broker,
    rateLimits,
    fairness,
    nodeId: uuidv7(),
    logger,
    metrics,
  });
  const connections = createConnections({
    filterLiveSessions: services.liveSessions.filterLive,
    places: rateLimits.userConnections,
    onOpened: services.presence.connectionOpened,
    onClosed: services.presence.connectionClosed,
  });
  services.liveSessions.onEnded(connections.sessionsEnded);

  const sweep = createSweep([services.chatFeeds.sweep, services.userFeeds.sweep, connections.sweep], (error) => {
    metrics.sweepFailed();
    logger.warn({ err: error }, 'the sweep failed; it goes on');
  });
  broker.onReconnect(sweep.now);

  const loadersFor = createLoaders(services, { fairness });
  // Subscriptions read until there is an answer, operations once.
  const liveLoaders = createLoaders(services, {
    fairness,
    limits: EVENT_LIMITS,
    run: (read) => readPatiently(read, isUnavailable),
  });

  function createContext(
    viewer: Viewer | null,
    client: Client,
    requestId: string,
    deadline: Deadline,
    openLine: Context['openLine'],
  ): Context {
    return {
      viewer,
      selves: viewer ? [viewer.userId] : [],
      requestId,
      client,
      deadline,
      services,
      loaders: loadersFor({
        person: viewer?.userId ?? client.address,
        sessionId: viewer?.sessionId,
        cancellation: deadline,
      }),
      prisma: database.prisma,
      openLine,
      liveLoaders,
      metrics,
    };
  }

  const operationPlaces = createOperationPlaces(rateLimits);

  function openLine({ userId }: Viewer, signal: AbortSignal, onReleased = () => {}): Line {
    if (!rateLimits.userSubscriptions.take(userId)) {
      onReleased();
      throw new RateLimitedError(1, 'Too many subscriptions at once.');
    }
    return {
      signal,
      release() {
        rateLimits.userSubscriptions.giveBack(userId);
        onReleased();
      },
    };
  }

  const health = createHealth({
    pingDatabase: () => database.prisma.$queryRaw`SELECT 1`,
    brokerStatus: broker.status,
  });
  const graphql = createGraphQLServer({
    operations,
    introspection: config.introspection,
    countAddress: rateLimits.countAddress,
    logger,
    metrics,
  });
  const isAllowedOrigin = createOriginGuard({ allowed: config.corsOrigins, trustsNames: config.production }, logger);
  const readClient = createClientReader({ trustProxy: config.trustProxy, logger });
  const server = createHttpServer({
    graphql,
    health,
    publicKeys: [config.signingKey, ...config.formerSigningKeys].flatMap(({ publicJwk }) =>
      publicJwk ? [publicJwk] : [],
    ),
    webApp: config.appDir === undefined ? undefined : createWebApp(config.appDir),
    logger,
    isAllowedOrigin,
    graphiql: config.graphiql,
    trustProxy: config.trustProxy,
    metrics,
    createContext: (request, response, requestId) => async () => {
      const deadline = deadlineOf(request.socket);
      const token = readBearer(request.headers.authorization);
      const viewer = token === null ? null : await services.liveSessions.authenticate(token);
      const client = readClient(request);
      const leavePlace = await operationPlaces.take(viewer, client.address, response);
      return createContext(viewer, client, requestId, deadline, (streamViewer) => {
        const connection = connections.open(streamViewer);
        // It has a place among the live connections instead.
        leavePlace();
        // An event stream is a line of its own, and lives as long as its one subscription.
        return openLine(streamViewer, connection.signal, connection.close);
      });
    },
  });
  limitConnections(server, rateLimits, logger);
  const answers = watchAnswers(server, logger, metrics);
  const webSockets = attachWebSocket(server, {
    graphql,
    connections,
    logger,
    metrics,
    isAllowedOrigin,
    readClient,
    addressSockets: rateLimits.addressSockets,
    operationPlaces,
    authenticate: services.liveSessions.authenticate,
    createContext: (connection, client, requestId, isClientGone) =>
      createContext(connection.viewer, client, requestId, new Deadline(isClientGone), (viewer) =>
        openLine(viewer, connection.signal),
      ),
  });

  metrics.observe({
    socketsOpen: webSockets.count,
    connectionsOpen: connections.count,
    databasePool: database.readPool,
    isBrokerUp: () => broker.status() === 'up',
  });

  const tidy = () => {
    services.sessions.deleteExpired().catch((error: unknown) => logger.warn({ err: error }, 'old sessions were left'));
    services.accounts
      .finishAll()
      .catch((error: unknown) => logger.warn({ err: error }, 'an account is still to be deleted'));
  };
  const cleanUp = setInterval(tidy, CLEAN_UP_EVERY_MS);

  await services.presence.start({ isAlone: database.kind === 'embedded' });
  sweep.start();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port: config.port, host: config.host }, resolve);
  });
  // Whatever cut a deletion off is likely to have been the last end of a process.
  tidy();

  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}`,
    metricsPort: exposition.port,
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
      answers.stop();
      sweep.stop();
      deadlines.stop();
      // A database that does not answer must not keep the process: the lease runs out by itself.
      await Promise.race([services.presence.stop(), sleep(GOODBYE_MS)]);
      await broker.close();
      redis?.close();
      await database.close();
      await exposition.close();
    },
  };
}

async function createBroker(config: Config, logger: Logger) {
  if (config.redisUrls.length === 0) return createMemoryBroker(logger);
  const { createRedisBroker } = await import('./realtime/redis-broker.ts');
  return createRedisBroker({ urls: config.redisUrls, prefix: config.redisPrefix, logger });
}

/** Undefined: this process counts for itself. */
async function connectRedis(config: Config, logger: Logger) {
  if (!config.rateLimit || config.redisUrls.length === 0) return undefined;
  const { connectRedisCounters } = await import('./rate-limits/redis-counters.ts');
  return connectRedisCounters(config.redisUrls, logger);
}

/** Made here and not where the request is known: loaders hold it for a while, and would hold all that it was made among. */
function deadlineOf(socket: Socket): Deadline {
  return new Deadline(() => socket.destroyed);
}
