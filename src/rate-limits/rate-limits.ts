import { createHmac, hkdfSync } from 'node:crypto';
import { RateLimitedError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { createSparingLog } from '../sparing-log.ts';
import { createPlaces } from './places.ts';
import type { Places } from './places.ts';
import { createQuota } from './quota.ts';
import type { Quota, Taken } from './quota.ts';
import type { RedisCounters } from './redis-counters.ts';

/** What is limited by the address that it comes from. */
export type LimitedOperation = 'login' | 'register' | 'refresh' | 'search';

export interface RateLimits {
  /**
   * Counts an operation for the address, before it is run: as often as the document has it.
   *
   * @throws RateLimitedError
   */
  countAddress(operation: LimitedOperation, address: string, times: number): Promise<void>;
  /**
   * Answers what the check of an e-mail's password does: null when it is wrong.
   *
   * @throws RateLimitedError when it is not even to be looked at.
   */
  guessLogin<T>(email: string, address: string, check: () => Promise<T | null>): Promise<T | null>;
  /** The same, of a token of an identity provider: nobody guesses whose it is, so the address alone is counted. */
  guessProviderToken<T>(address: string, check: () => Promise<T | null>): Promise<T | null>;
  /** The same, of the password or the provider's token that somebody signed in must show again. */
  guessAgain<T>(sessionId: string, check: () => Promise<T | null>): Promise<T | null>;
  /** @throws RateLimitedError */
  countRefresh(sessionId: string): Promise<void>;
  /** @throws RateLimitedError */
  countSearch(userId: string): Promise<void>;
  /** @throws RateLimitedError */
  countGroup(userId: string): Promise<void>;
  /**
   * Counts a message that is sent or edited, a chat that is renamed or asked for, a change of who is in it or of a role,
   * and of one's own names, whatever becomes of it.
   *
   * @param bytes of what is written, in UTF-8.
   * @throws RateLimitedError
   */
  countWriting(userId: string, bytes: number): Promise<void>;
  /**
   * Counts messages whose read ticks somebody has turned by a change of the members, as so much writing: what is done is
   * done, and the next that they write is refused when it was too much.
   */
  countRewritten(userId: string, messages: number): Promise<void>;
  /** So many people put into a group, a new one or not. @throws RateLimitedError */
  countAdded(userId: string, people: number): Promise<void>;
  /** Of this node, by user: for operations that are not answered yet, over HTTP and on sockets, subscriptions apart. */
  userOperations: Places;
  /** The same by session. */
  sessionOperations: Places;
  /** The same by address, for nobody signed in: over HTTP. */
  addressOperations: Places;
  /** Of this node, by user: for sockets and event streams. */
  userConnections: Places;
  /** Of this node, by user: for subscriptions, on sockets and as event streams. */
  userSubscriptions: Places;
  /** Of this node, by address: for sockets, whoever is on them. */
  addressSockets: Places;
  /** Of this node, for connections, whatever is said on them. The key does not matter. */
  connections: Places;
  /** The same, by address. */
  addressConnections: Places;
}

/** What a wrong guess costs. */
const GUESS = 5;
/** Of which one that was right gets this back. */
const REFUND = GUESS - 1;

/** What a message that is written anew costs of one that is sent. */
const REWRITTEN = 0.1;

const MINUTE = 60;
const DAY = 86_400;

/**
 * OWASP ASVS 5, 6.1.1 and 6.3.1, and NIST SP 800-63B-3, 5.2.2. A window begins with the first attempt and ends by itself,
 * whatever was tried meanwhile: nothing is locked for longer than that.
 *
 * **login**, within 15 minutes. A wrong password costs five points, a right one a single one. All points are taken
 * before the password is looked at, so that guesses made at once do not pass together.
 * - one e-mail from one address: 50 points, 10 wrong passwords. Strict: this is somebody at a keyboard.
 * - one e-mail from everywhere: 100 points, 20 wrong passwords, so in no hour more than the 100 that ASVS 4 allowed.
 *   Guesses from many addresses stop here. It does not hold for an address at which the right password was given within
 *   the last 14 days: whoever keeps an account under fire does not keep its owner out of the usual places, and never
 *   touches a session that is open.
 * - one address, whatever the e-mail: 500 points, 100 wrong passwords or 500 right ones. Moderate: a school is one address.
 *
 * A token of an identity provider counts as a password does, against its address alone. While the provider is away, an
 * attempt costs one point.
 *
 * A success gives back its own points and nothing else: who guesses between logins of their own gains nothing. E-mails
 * are counted as they are given, whether an account has them or not.
 *
 * **register**: 30 an hour from one address. **refresh**: 120 a minute for one session, as a client's parallel requests
 * all ask with the same token; 600 a minute from one address. **search**: 30 in 10 seconds for one viewer, as
 * letters are typed; 600 a minute from one address. **A password shown again** to change it or to delete the account: 10
 * wrong ones in 15 minutes for one session, so that a stolen token does not keep the owner from it. **group**: 300 new
 * ones an hour by one person, and **added**: 5,000 times an hour that the person puts somebody into a group, as whoever is
 * put into a group carries it until they leave. Five of the largest groups.
 *
 * **write**: 600 messages a minute by one person, and 2 MB, unless the settings say otherwise: far more than anybody
 * types, or an outbox holds. Members who come and go may turn the read ticks of a thousand messages, which are all written
 * anew: each of those is a tenth of a message. Each process counts for itself, since a send is not to wait for one more
 * answer; with several it is so much on each.
 *
 * **Live connections** to one node: 50 of one user, 1,000 sockets from one address. **Connections** of any kind to one
 * node: by setting, 2,000 from one address and 10,000 in all. **Operations** that one node has not answered, subscriptions
 * apart: 150 of one user and 100 of one session, 200 from one address of people who are not signed in. **Subscriptions** on
 * one node: 200 of one user.
 *
 * An address is an IPv4 address or the /64 of an IPv6 address: one customer's.
 */
const ALLOWANCES = {
  'login.pair': { points: 10 * GUESS, seconds: 15 * MINUTE },
  'login.account': { points: 20 * GUESS, seconds: 15 * MINUTE },
  'login.address': { points: 100 * GUESS, seconds: 15 * MINUTE },
  'login.known': { points: 1, seconds: 14 * DAY },
  'register.address': { points: 30, seconds: 60 * MINUTE },
  'refresh.account': { points: 120, seconds: MINUTE },
  'refresh.address': { points: 600, seconds: MINUTE },
  'search.account': { points: 30, seconds: 10 },
  'search.address': { points: 600, seconds: MINUTE },
  'group.account': { points: 300, seconds: 60 * MINUTE },
  'added.account': { points: 5_000, seconds: 60 * MINUTE },
  'password.account': { points: 10 * GUESS, seconds: 15 * MINUTE },
} as const;

const USER_OPERATIONS = 150;
const SESSION_OPERATIONS = 100;
const USER_SUBSCRIPTIONS = 200;
const ADDRESS_OPERATIONS = 200;
const USER_CONNECTIONS = 50;
const ADDRESS_SOCKETS = 1_000;

/** Hidden. */
interface Who {
  account?: string;
  address?: string;
}

type QuotaName = keyof typeof ALLOWANCES;

/** What one person may write in a minute, in one process. */
export interface WritingLimits {
  messages: number;
  /** Of UTF-8. */
  bytes: number;
}

export interface RateLimitsOptions {
  /** Undefined: this process counts for itself. */
  redis: RedisCounters | undefined;
  /** Put before every key. */
  prefix: string;
  writing: WritingLimits;
  /** Keeps e-mails and addresses out of Redis and of logs. */
  secret: Uint8Array;
  connections: { all: number; ofAddress: number };
  logger: Logger;
}

export function createRateLimits({
  redis,
  prefix,
  writing,
  secret,
  connections,
  logger,
}: RateLimitsOptions): RateLimits {
  const key = Buffer.from(hkdfSync('sha256', secret, new Uint8Array(), 'parley rate limits', 32));
  const hide = (text: string) => createHmac('sha256', key).update(text).digest('base64url').slice(0, 22);
  const quotas = Object.fromEntries(
    Object.entries(ALLOWANCES).map(([name, allowance]) => [
      name,
      createQuota(`${prefix}limit:${name}`, allowance, redis),
    ]),
  ) as Record<QuotaName, Quota>;
  const messages = createQuota('', { points: writing.messages, seconds: MINUTE }, undefined);
  const bytes = createQuota('', { points: writing.bytes, seconds: MINUTE }, undefined);

  function assertWithin(name: string, taken: Taken, who: Who): void {
    warnOnce(name, taken, who);
    if (taken.isOver) throw new RateLimitedError(taken.secondsLeft);
  }

  /** For all the attempts of a window. */
  function warnOnce(name: string, { isFirstOver, secondsLeft: retryAfter }: Taken, who: Who): void {
    const [operation, by] = name.split('.');
    if (isFirstOver) logger.warn({ event: 'security.rate_limited', operation, by, ...who, retryAfter }, 'rate limited');
  }

  /** Told sparingly: who comes and goes at the limit finds it free and full all the time. */
  function placesFor(
    operation: 'execute' | 'subscribe' | 'connect',
    by: 'account' | 'session' | 'address' | 'node',
    max: number,
  ): Places {
    const log = createSparingLog((id: string, heldBack) => {
      const who = by === 'node' ? {} : { [by]: hide(id) };
      logger.warn({ event: 'security.rate_limited', operation, by, ...who, heldBack }, 'rate limited');
    });
    return createPlaces(max, log);
  }

  async function countAccount(name: QuotaName, id: string, points: number): Promise<void> {
    const account = hide(id);
    assertWithin(name, await quotas[name].take(account, points), { account });
  }

  return {
    async countAddress(operation, from, times) {
      const address = hide(from);
      const name = `${operation}.address` as const;
      const taken = await quotas[name].take(address, times * (operation === 'login' ? GUESS : 1));
      assertWithin(name, taken, { address });
    },

    async guessLogin(email, from, check) {
      const [account, address, pair] = [hide(email), hide(from), hide(`${email} ${from}`)];
      const [ofPair, isKnown] = await Promise.all([
        quotas['login.pair'].take(pair, GUESS),
        quotas['login.known'].isMarked(pair),
      ]);
      assertWithin('login.pair', ofPair, { account, address });
      if (!isKnown) {
        const ofAccount = await quotas['login.account'].take(account, GUESS);
        assertWithin('login.account', ofAccount, { account, address });
      }
      const found = await settle(check, (points) => {
        void quotas['login.pair'].giveBack(pair, points);
        if (!isKnown) void quotas['login.account'].giveBack(account, points);
        void quotas['login.address'].giveBack(address, points);
      });
      if (found !== null) void quotas['login.known'].mark(pair);
      return found;
    },

    async guessProviderToken(from, check) {
      // One that throws has asked a provider that is away, and costs as much as one that is right: else whoever goes on
      // asking would have no limit.
      const giveBack = (points: number) => void quotas['login.address'].giveBack(hide(from), Math.min(points, REFUND));
      return settle(check, giveBack);
    },

    async guessAgain(sessionId, check) {
      await countAccount('password.account', sessionId, GUESS);
      return settle(check, (points) => void quotas['password.account'].giveBack(hide(sessionId), points));
    },

    countRefresh: (sessionId) => countAccount('refresh.account', sessionId, 1),

    countSearch: (userId) => countAccount('search.account', userId, 1),

    countGroup: (userId) => countAccount('group.account', userId, 1),

    async countWriting(userId, size) {
      const taken = [await messages.take(userId, 1), await bytes.take(userId, size)];
      for (const one of taken) if (one.isOver) assertWithin('write.account', one, { account: hide(userId) });
    },

    async countRewritten(userId, count) {
      const taken = await messages.take(userId, REWRITTEN * count);
      if (taken.isFirstOver) warnOnce('write.account', taken, { account: hide(userId) });
    },

    countAdded: (userId, people) => countAccount('added.account', userId, people),

    userOperations: placesFor('execute', 'account', USER_OPERATIONS),
    sessionOperations: placesFor('execute', 'session', SESSION_OPERATIONS),
    userSubscriptions: placesFor('subscribe', 'account', USER_SUBSCRIPTIONS),
    addressOperations: placesFor('execute', 'address', ADDRESS_OPERATIONS),
    userConnections: placesFor('connect', 'account', USER_CONNECTIONS),
    addressSockets: placesFor('connect', 'address', ADDRESS_SOCKETS),
    connections: placesFor('connect', 'node', connections.all),
    addressConnections: placesFor('connect', 'address', connections.ofAddress),
  };
}

/** A check that throws has told nobody anything: it costs nothing. */
async function settle<T>(check: () => Promise<T | null>, giveBack: (points: number) => void): Promise<T | null> {
  try {
    const found = await check();
    if (found !== null) giveBack(REFUND);
    return found;
  } catch (error) {
    giveBack(GUESS);
    throw error;
  }
}

const ENDLESS: Places = { take: () => true, giveBack() {}, isUnused: () => true };

/** For load tests, and for jobs that nobody sends. */
export const UNLIMITED: RateLimits = {
  countAddress: async () => {},
  guessLogin: (_email, _address, check) => check(),
  guessProviderToken: (_address, check) => check(),
  guessAgain: (_sessionId, check) => check(),
  countRefresh: async () => {},
  countSearch: async () => {},
  countGroup: async () => {},
  countWriting: async () => {},
  countRewritten: async () => {},
  countAdded: async () => {},
  userOperations: ENDLESS,
  sessionOperations: ENDLESS,
  userSubscriptions: ENDLESS,
  addressOperations: ENDLESS,
  userConnections: ENDLESS,
  addressSockets: ENDLESS,
  connections: ENDLESS,
  addressConnections: ENDLESS,
};
