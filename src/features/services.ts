import { createAccessTokens } from '../auth/access-tokens.ts';
import { createPasswords } from '../auth/passwords.ts';
import { createProviderKeys } from '../auth/provider-keys.ts';
import { createProviderTokens } from '../auth/provider-tokens.ts';
import type { ProviderSettings, ProviderTokenRefusal } from '../auth/provider-tokens.ts';
import { createRefreshTokens } from '../auth/refresh-tokens.ts';
import { createBurstLog } from '../burst-log.ts';
import type { Config } from '../config.ts';
import type { PrismaClient } from '../generated/prisma/client.ts';
import type { Logger } from '../logger.ts';
import { NO_METRICS } from '../metrics/metrics.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { jsonLength } from '../json-length.ts';
import { isUnavailable } from '../persistence/prisma-errors.ts';
import type { CancellableQuery } from '../persistence/query.ts';
import type { RateLimits } from '../rate-limits/rate-limits.ts';
import type { Broker } from '../realtime/broker.ts';
import { createChangeAnnouncer } from '../realtime/change-announcer.ts';
import { createChatFeeds } from '../realtime/chat-feeds.ts';
import type { FeedSource } from '../realtime/source.ts';
import { createUserFeeds } from '../realtime/user-feeds.ts';
import { createSparingLog } from '../sparing-log.ts';
import { createFairness } from './fairness.ts';
import type { Fairness } from './fairness.ts';
import { createAccountService } from './accounts/account-service.ts';
import { createChatService } from './chats/chat-service.ts';
import { createChatStore } from './chats/chat-store.ts';
import { createMessageService } from './messages/message-service.ts';
import { createMessageStore } from './messages/message-store.ts';
import type { MessageRow } from './messages/message-store.ts';
import { createPresenceService } from './presence/presence-service.ts';
import { createPresenceStore } from './presence/presence-store.ts';
import { createLiveSessions } from './sessions/live-sessions.ts';
import { createProviderService } from './sessions/provider-service.ts';
import { createSessionService } from './sessions/session-service.ts';
import { createSessionStore } from './sessions/session-store.ts';
import { createUserService } from './users/user-service.ts';
import { createUserStore } from './users/user-store.ts';

export interface ServicesOptions {
  config: Pick<
    Config,
    | 'jwtSecret'
    | 'formerJwtSecret'
    | 'signingKey'
    | 'formerSigningKeys'
    | 'accessTokenTtlMs'
    | 'refreshTokenTtlMs'
    | 'provider'
  >;
  prisma: PrismaClient;
  query: CancellableQuery;
  broker: Broker;
  rateLimits: RateLimits;
  /** That of the loaders. Default: nobody else asks. */
  fairness?: Fairness | undefined;
  nodeId: string;
  logger: Logger;
  /** Default: nobody asks. */
  metrics?: Metrics | undefined;
}

/** A client that mixes up deployments shows a few; whoever guesses, or has another key, many. */
const BAD_TOKENS = { threshold: 20, windowMs: 60_000 };

export type Services = ReturnType<typeof createServices>;

/** Every feature, wired to the database and to the feeds of this node. Nothing runs yet. */
export function createServices({
  config,
  prisma,
  query,
  broker,
  rateLimits,
  fairness = createFairness(Infinity),
  nodeId,
  logger,
  metrics = NO_METRICS,
}: ServicesOptions) {
  const chatStore = createChatStore(query);
  const messageStore = createMessageStore(prisma, query);
  const sessionStore = createSessionStore(prisma, query);

  const source: FeedSource<MessageRow> = { ...chatStore, ...messageStore };
  const feedOptions = {
    source,
    broker,
    metrics,
    charactersOf: ({ body, extraData }: MessageRow) => body.length + jsonLength(extraData),
    inTurn: <T>(userId: string, read: () => Promise<T>) =>
      fairness.turns(userId, { rank: fairness.nextRank(), cancellation: undefined }, read),
    breathe: fairness.breathe,
    isTransient: isUnavailable,
    onFailure: (error: unknown) => logger.warn({ err: error }, 'a feed was not read; the sweep tries again'),
  };
  const chatFeeds = createChatFeeds<MessageRow>(feedOptions);
  const userFeeds = createUserFeeds({ ...feedOptions, chatFeeds });
  const announcer = createChangeAnnouncer(broker, chatFeeds, userFeeds);

  const onBadToken = createBurstLog(BAD_TOKENS, (before) =>
    logger.warn(
      { event: 'security.bad_tokens', count: BAD_TOKENS.threshold, before },
      'tokens are shown that were never issued',
    ),
  );
  const accessTokens = createAccessTokens({
    key: config.signingKey,
    formerKeys: config.formerSigningKeys,
    ttlMs: config.accessTokenTtlMs,
    onBadToken,
  });
  const liveSessions = createLiveSessions(sessionStore, accessTokens);

  const passwords = createPasswords();
  metrics.observe({ passwordQueue: passwords.count });

  const users = createUserService(createUserStore(prisma, query), rateLimits);
  const sessions = createSessionService({
    prisma,
    store: sessionStore,
    users,
    liveSessions,
    passwords,
    accessTokens,
    refreshTokens: createRefreshTokens(config.jwtSecret, config.formerJwtSecret),
    rateLimits,
    refreshTokenTtlMs: config.refreshTokenTtlMs,
    onBadToken,
    logger,
  });
  const providers = createProviderService({
    tokens: config.provider && trustProvider(config.provider, logger),
    users,
    sessions,
    rateLimits,
    logger,
  });
  const presence = createPresenceService(createPresenceStore(prisma, query, nodeId), logger);
  const chats = createChatService({
    prisma,
    store: chatStore,
    users,
    announcer,
    userFeeds,
    rateLimits,
    beforeMembersJoin: (tx, chatId, userIds) => messageStore.tickWith(tx.db, chatId, userIds),
    beforeMemberLeaves: (tx, chatId, userId) => messageStore.tickWithout(tx.db, chatId, userId),
  });
  const messages = createMessageService({ store: messageStore, chats, announcer, chatFeeds, rateLimits, metrics });
  const accounts = createAccountService({ prisma, users, sessions, providers, chats, messages });

  return { users, sessions, providers, liveSessions, presence, chats, messages, accounts, chatFeeds, userFeeds };
}

function trustProvider({ keysUrl, issuer, audiences }: ProviderSettings, logger: Logger) {
  const logAway = createSparingLog<unknown>((error, heldBack) =>
    logger.warn({ err: error, heldBack }, 'the identity provider’s keys cannot be had: nobody signs in by it'),
  );
  const onRefused = createSparingLog<ProviderTokenRefusal>((refusal, heldBack) =>
    logger.info(
      { event: 'security.provider_token_refused', ...refusal, heldBack },
      'a token of the identity provider does not count',
    ),
  );
  return createProviderTokens({ issuer, audiences, findKey: createProviderKeys(keysUrl, logAway), onRefused });
}
