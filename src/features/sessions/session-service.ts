import { timingSafeEqual } from 'node:crypto';
import type { AccessTokens } from '../../auth/access-tokens.ts';
import type { Client } from '../../auth/client.ts';
import type { Passwords } from '../../auth/passwords.ts';
import type { RefreshToken, RefreshTokens } from '../../auth/refresh-tokens.ts';
import type { Viewer } from '../../auth/viewer.ts';
import type { Cancellation } from '../../cancellation.ts';
import { AppError, BadUserInputError, ForbiddenError, NotFoundError } from '../../errors.ts';
import { LIMITS, readEmail, readId, readLine, readNewPassword } from '../../input-rules.ts';
import type { Logger } from '../../logger.ts';
import { inTransaction } from '../../persistence/transaction.ts';
import type { Transaction } from '../../persistence/transaction.ts';
import type { PrismaClient } from '../../generated/prisma/client.ts';
import type { RateLimits } from '../../rate-limits/rate-limits.ts';
import type { Identity, UserRow } from '../users/user-store.ts';
import { readNames } from '../users/user-service.ts';
import type { UserService } from '../users/user-service.ts';
import type { LiveSessions } from './live-sessions.ts';
import type { Proof, SessionRow, SessionStore } from './session-store.ts';

/** What a device is handed when it signs in or refreshes. */
export interface SignedIn {
  accessToken: string;
  accessTokenExpiresAt: Date;
  refreshToken: string;
  refreshTokenExpiresAt: Date;
  user: UserRow;
}

export interface Credentials {
  email: string;
  password: string;
  deviceName?: string | null;
}

export interface Registration extends Credentials {
  firstName: string;
  lastName: string;
}

export interface SessionServiceOptions {
  prisma: PrismaClient;
  store: SessionStore;
  users: UserService;
  liveSessions: LiveSessions;
  passwords: Passwords;
  accessTokens: AccessTokens;
  refreshTokens: RefreshTokens;
  rateLimits: RateLimits;
  refreshTokenTtlMs: number;
  /** A refresh token was shown that we never issued. */
  onBadToken: () => void;
  logger: Logger;
}

/** Nobody has as many devices: a client that signs in each time it starts leaves more sessions than anybody reads. */
const SESSIONS_SHOWN = 200;

export type SessionService = ReturnType<typeof createSessionService>;

export function createSessionService(options: SessionServiceOptions) {
  const { store, users, liveSessions, passwords, accessTokens, refreshTokens, rateLimits, logger } = options;

  async function signIn(user: UserRow, proof: Proof, deviceName: string | null): Promise<SignedIn> {
    const token = refreshTokens.first(store.newId());
    const session = await store.insert({
      id: token.sessionId,
      userId: user.id,
      proof,
      deviceName,
      hash: refreshTokens.hash(token),
      ttlMs: options.refreshTokenTtlMs,
    });
    // The account went, its password was changed, or its identity unlinked, while the old one was being checked.
    if (!session) throw invalidCredentials();
    return handOut(user, session, token);
  }

  async function handOut(user: UserRow, session: SessionRow, token: RefreshToken): Promise<SignedIn> {
    const access = await accessTokens.issue(
      { userId: user.id, sessionId: session.id, generation: session.generation },
      session.expiresAt,
    );
    return {
      accessToken: access.token,
      accessTokenExpiresAt: access.expiresAt,
      refreshToken: refreshTokens.encode(token),
      refreshTokenExpiresAt: session.expiresAt,
      user,
    };
  }

  /** An unknown e-mail takes as long as a wrong password. */
  async function findByPassword(email: string, password: string): Promise<{ user: UserRow; proof: Proof } | null> {
    const plausible = email.length <= LIMITS.email && email.isWellFormed() && !email.includes('\0');
    const user = plausible ? await users.findByEmail(email) : null;
    const passwordHash = user?.passwordHash ?? null;
    if (!(await passwords.verify(passwordHash, cut(password)))) return null;
    return user && passwordHash !== null ? { user, proof: { passwordHash } } : null;
  }

  /**
   * Answers its hash.
   *
   * @throws AppError INVALID_CREDENTIALS when the password is not the viewer's.
   * @throws ForbiddenError when the viewer has none.
   */
  async function assertPassword(viewer: Viewer, field: string, password: string): Promise<string> {
    const { passwordHash } = await users.get(viewer.userId);
    if (passwordHash === null)
      throw new ForbiddenError('This account has no password: it signs in by its identity provider.');
    const check = async () => ((await passwords.verify(passwordHash, cut(password))) ? passwordHash : null);
    if ((await rateLimits.guessAgain(viewer.sessionId, check)) === null) throw wrongPassword(field);
    return passwordHash;
  }

  /** The session as the rotation of this very token left it; any other old token ends it. */
  async function repeatRotation(sessionId: string, hash: Buffer): Promise<SessionRow> {
    const session = await store.findLive(sessionId);
    if (!session) throw invalidRefreshToken();
    if (mayRepeat(session, hash)) return session;
    const ended = await store.delete(session.userId, { id: session.id });
    liveSessions.ended(ended);
    // Of many that come back at once, one is told of.
    if (ended.length > 0)
      logger.warn(
        { event: 'refresh_token.reused', userId: session.userId, sessionId },
        'a used refresh token came back',
      );
    throw new AppError('REFRESH_TOKEN_REUSED', 'This refresh token was used before. The session has ended.');
  }

  return {
    async register(input: Registration, { userAgent }: Client): Promise<SignedIn> {
      const email = readEmail('input.email', input.email);
      const names = readNames(input);
      const deviceName = readDeviceName(input.deviceName, userAgent);
      const password = await readNewPassword('input.password', input.password);
      const passwordHash = await passwords.hash(password);
      const user = await users.create({ ...names, email, passwordHash });
      return signIn(user, { passwordHash }, deviceName);
    },

    /** An unknown e-mail and a wrong password are answered alike, in words and in time. */
    async login(input: Credentials, client: Client): Promise<SignedIn> {
      const deviceName = readDeviceName(input.deviceName, client.userAgent);
      const email = input.email.trim().toLowerCase();
      const found = await rateLimits.guessLogin(email, client.address, () => findByPassword(email, input.password));
      if (!found) throw invalidCredentials();
      return signIn(found.user, found.proof, deviceName);
    },

    /** A session of somebody whom their identity provider vouched for. */
    open: (user: UserRow, identity: Identity, deviceName: string | null): Promise<SignedIn> =>
      signIn(user, { identity }, deviceName),

    /**
     * Rotates the refresh token (RFC 9700, section 4.14). The token that was just rotated answers the very same
     * successor until that one, or its access token, is used: a lost reply and parallel refreshes sign nobody out.
     * Any older token is in the wrong hands, and ends the session.
     */
    async refresh(text: string): Promise<SignedIn> {
      const token = refreshTokens.decode(text);
      if (!token) {
        options.onBadToken();
        throw invalidRefreshToken();
      }
      await rateLimits.countRefresh(token.sessionId);
      const hash = refreshTokens.hash(token);
      const next = refreshTokens.successor(token);
      const session =
        (await store.rotate(token.sessionId, hash, refreshTokens.hash(next))) ??
        (await repeatRotation(token.sessionId, hash));
      return handOut(await users.get(session.userId), session, next);
    },

    /** True or false, without a reason. */
    async verifyToken(text: string, cancellation?: Cancellation): Promise<boolean> {
      const token = refreshTokens.decode(text);
      if (token) {
        const session = await store.findLive(token.sessionId, cancellation);
        const hash = refreshTokens.hash(token);
        if (!session) return false;
        return timingSafeEqual(session.currentHash, hash) || mayRepeat(session, hash);
      }
      try {
        const claims = await accessTokens.verify(text);
        return (await liveSessions.find(claims.sessionId))?.userId === claims.userId;
      } catch (error) {
        if (error instanceof AppError && error.code === 'UNAUTHENTICATED') return false;
        throw error;
      }
    },

    list: (viewer: Viewer, cancellation?: Cancellation): Promise<SessionRow[]> =>
      store.listByUser(viewer.userId, SESSIONS_SHOWN, cancellation),

    async logout(viewer: Viewer): Promise<void> {
      liveSessions.ended(await store.delete(viewer.userId, { id: viewer.sessionId }));
    },

    /** Answers how many ended. @throws NotFoundError when the viewer has no session with the id. */
    async revoke(viewer: Viewer, id: string | null): Promise<number> {
      const which = id === null ? { allBut: viewer.sessionId } : { id: readId('id', id) };
      const ended = await store.delete(viewer.userId, which);
      if (id !== null && ended.length === 0) throw new NotFoundError();
      liveSessions.ended(ended);
      if (ended.length > 0)
        logger.info(
          { event: 'security.sessions_revoked', userId: viewer.userId, count: ended.length },
          'somebody ended sessions of theirs',
        );
      return ended.length;
    },

    /**
     * Every other device has to sign in again, by the new password: whoever had the old one may have linked an identity of
     * their own. `keepIdentities`: the linked ones stay.
     */
    async changePassword(viewer: Viewer, current: string, next: string, keepIdentities: boolean): Promise<void> {
      const currentHash = await assertPassword(viewer, 'currentPassword', current);
      const password = await readNewPassword('newPassword', next);
      if (password === current) throw new BadUserInputError('newPassword', 'This is the password that you have now.');
      const passwordHash = await passwords.hash(password);
      const { ended, identitiesRemoved } = await inTransaction(options.prisma, async ({ db }) => {
        const hashes = { from: currentHash, to: passwordHash };
        // Changed while it was looked at, or the account went: of two who have the old one, one comes through.
        if (!(await users.changePasswordHash(viewer.userId, hashes, db))) throw wrongPassword('currentPassword');
        const identitiesRemoved = keepIdentities ? 0 : await users.unlink(viewer.userId, passwordHash, db);
        return { ended: await store.delete(viewer.userId, { allBut: viewer.sessionId }, db), identitiesRemoved };
      });
      liveSessions.ended(ended);
      logger.info(
        { event: 'security.password_changed', userId: viewer.userId, sessionsEnded: ended.length, identitiesRemoved },
        'a password was changed',
      );
    },

    assertPassword,

    /** Answers how many rows of sessions that ended by themselves were removed. */
    deleteExpired: (): Promise<number> => store.deleteExpired(),

    /** On every device. Answers how many ended. */
    async endAll(userId: string, tx?: Transaction): Promise<number> {
      const ended = await store.delete(userId, { allBut: null }, tx?.db);
      if (tx) tx.afterCommit(() => liveSessions.ended(ended));
      else liveSessions.ended(ended);
      return ended.length;
    },

    /** To be called once the account's row is gone. */
    accountDeleted(userId: string, sessionsEnded: number): void {
      logger.info({ event: 'security.account_deleted', userId, sessionsEnded }, 'an account was deleted');
    },
  };
}

/** Whether the token is the one that was rotated last, and nobody has used its successor yet. */
function mayRepeat(session: SessionRow, hash: Buffer): boolean {
  const isParent = session.parentHash !== null && timingSafeEqual(session.parentHash, hash);
  return isParent && session.confirmedGeneration < session.generation;
}

/** A flood of text is not worth hashing. One code unit beyond the longest password is enough to differ from it. */
function cut(password: string): string {
  return password.slice(0, LIMITS.password.max * 2 + 1);
}

function invalidCredentials(): AppError {
  return new AppError('INVALID_CREDENTIALS', 'The e-mail or the password is not right.');
}

export function wrongPassword(field: string): AppError {
  return new AppError('INVALID_CREDENTIALS', 'The password is not right.', { field });
}

function invalidRefreshToken(): AppError {
  return new AppError('INVALID_REFRESH_TOKEN', 'This refresh token is not valid.');
}

/** As the client calls itself, else by its User-Agent. */
export function readDeviceName(name: string | null | undefined, userAgent: string | null): string | null {
  if (name !== null && name !== undefined) return readLine('input.deviceName', name, LIMITS.deviceName);
  return userAgent === null ? null : [...userAgent.toWellFormed()].slice(0, LIMITS.deviceName).join('') || null;
}
