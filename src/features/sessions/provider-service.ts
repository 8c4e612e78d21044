import type { Client } from '../../auth/client.ts';
import type { ProviderClaims, ProviderTokens } from '../../auth/provider-tokens.ts';
import type { Viewer } from '../../auth/viewer.ts';
import { AppError, ForbiddenError } from '../../errors.ts';
import type { Logger } from '../../logger.ts';
import type { RateLimits } from '../../rate-limits/rate-limits.ts';
import type { UserService } from '../users/user-service.ts';
import { readDeviceName } from './session-service.ts';
import type { SessionService, SignedIn } from './session-service.ts';

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
    mayCount: (claims: ProviderClaims) => Promise<boolean> = async () => true,
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
    /** An account is made at the first time. @throws ConflictError when another account has the e-mail. */
    async login(input: { idToken: string; deviceName?: string | null }, client: Client): Promise<SignedIn> {
      const provider = configured();
      const deviceName = readDeviceName(input.deviceName, client.userAgent);
      const claims = await rateLimits.guessProviderToken(client.address, () => provider.verify(input.idToken));
      if (!claims) throw notCounting();
      return sessions.open(await users.findOrCreate(claims), deviceName);
    },

    /** From now on the viewer signs in by the provider as well. @throws ConflictError when somebody else does. */
    async link(viewer: Viewer, input: { idToken: string; password: string }): Promise<void> {
      configured();
      await sessions.assertPassword(viewer, 'input.password', input.password);
      const isNew = await users.link(viewer.userId, await verifyAgain(viewer, input.idToken));
      if (isNew) logger.info({ event: 'security.provider_linked', userId: viewer.userId }, 'an account was linked');
    },

    /** @throws AppError INVALID_CREDENTIALS unless the token was issued to the viewer, and just now. */
    async assertIdentity(viewer: Viewer, idToken: string): Promise<void> {
      await verifyAgain(viewer, idToken, async (claims) => {
        if (Date.now() - claims.issuedAt > FRESH_MS) return false;
        return (await users.findByIdentity(claims))?.id === viewer.userId;
      });
    },
  };
}

function notCounting(): AppError {
  return new AppError('INVALID_CREDENTIALS', 'The token of the identity provider does not count. Sign in there again.');
}
