import type { Client } from '../../auth/client.ts';
import type { ProviderClaims, ProviderTokens } from '../../auth/provider-tokens.ts';
import type { Viewer } from '../../auth/viewer.ts';
import { AppError, ForbiddenError } from '../../errors.ts';
import type { Logger } from '../../logger.ts';
import type { RateLimits } from '../../rate-limits/rate-limits.ts';
import type { UserService } from '../users/user-service.ts';
import { readDeviceName, wrongPassword } from './session-service.ts';
import type { SessionService, SignedIn } from './session-service.ts';

export interface ProviderLogin {
  idToken: string;
  deviceName?: string | null;
  /** Of an account that has the e-mail already. */
  separate?: boolean | null;
}

export interface ProviderServiceOptions {
  /** Undefined: nobody signs in elsewhere. */
  tokens: ProviderTokens | undefined;
  users: UserService;
  sessions: Pick<SessionService, 'open' | 'assertPassword'>;
  rateLimits: Pick<RateLimits, 'guessProviderToken' | 'guessAgain'>;
  logger: Logger;
}

/** Whoever is to be sure that it is them signs in there anew, and not with what lay about. */
const FRESH_MS = 5 * 60_000;

export type ProviderService = ReturnType<typeof createProviderService>;

/**
 * People who sign in elsewhere: an ID token of the provider is exchanged for a session, which is like any other from
 * then on. A token counts until it expires, also a second time.
 */
export function createProviderService({ tokens, users, sessions, rateLimits, logger }: ProviderServiceOptions) {
  function configured(): ProviderTokens {
    if (!tokens) throw new ForbiddenError('This server has no identity provider.');
    return tokens;
  }

  /** Counted against the session. */
  async function verifyAgain(
    { sessionId }: Viewer,
    idToken: string,
    mayCount: (claims: ProviderClaims) => Promise<boolean>,
  ): Promise<ProviderClaims> {
    const provider = configured();
    const claims = await rateLimits.guessAgain(sessionId, async () => {
      const found = await provider.verify(idToken);
      return found && (await mayCount(found)) ? found : null;
    });
    if (!claims) throw notCounting();
    return claims;
  }

  return {
    /** An account is made at the first time. @throws ConflictError as `users.findOrCreate`. */
    async login(input: ProviderLogin, client: Client): Promise<SignedIn> {
      const provider = configured();
      const deviceName = readDeviceName(input.deviceName, client.userAgent);
      const claims = await rateLimits.guessProviderToken(client.address, () => provider.verify(input.idToken));
      if (!claims) throw notCounting();
      return sessions.open(await users.findOrCreate(claims, input.separate ?? false), claims, deviceName);
    },

    /**
     * From now on the viewer signs in by the provider as well.
     *
     * @throws AppError INVALID_CREDENTIALS unless the token was issued just now.
     * @throws ConflictError when somebody else does, or the viewer is somebody else there already.
     */
    async link(viewer: Viewer, input: { idToken: string; password: string }): Promise<void> {
      configured();
      const passwordHash = await sessions.assertPassword(viewer, 'input.password', input.password);
      const claims = await verifyAgain(viewer, input.idToken, async (found) => isFresh(found));
      const isNew = await users.link(viewer.userId, passwordHash, claims);
      // Changed while the token was looked at: whoever has the old one does not come in by another door.
      if (isNew === null) throw wrongPassword('input.password');
      if (isNew) logger.info({ event: 'security.provider_linked', userId: viewer.userId }, 'an account was linked');
    },

    /** From now on the viewer signs in by password alone. @throws ForbiddenError when they have none. */
    async unlink(viewer: Viewer, password: string): Promise<void> {
      const passwordHash = await sessions.assertPassword(viewer, 'password', password);
      const count = await users.unlink(viewer.userId, passwordHash);
      if (count === null) throw wrongPassword('password');
      if (count > 0)
        logger.info({ event: 'security.provider_unlinked', userId: viewer.userId, count }, 'an account was unlinked');
    },

    /** @throws AppError INVALID_CREDENTIALS unless the token was issued to the viewer, and just now. */
    async assertIdentity(viewer: Viewer, idToken: string): Promise<void> {
      await verifyAgain(
        viewer,
        idToken,
        async (claims) => isFresh(claims) && (await users.findByIdentity(claims))?.id === viewer.userId,
      );
    },
  };
}

const isFresh = ({ issuedAt }: ProviderClaims): boolean => Date.now() - issuedAt <= FRESH_MS;

function notCounting(): AppError {
  return new AppError('INVALID_CREDENTIALS', 'The token of the identity provider does not count. Sign in there again.');
}
