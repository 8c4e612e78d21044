import { randomUUID } from 'node:crypto';
import { SignJWT, jwtVerify, errors } from 'jose';
import type { JWTHeaderParameters } from 'jose';
import { z } from 'zod';
import { UnauthenticatedError } from '../errors.ts';
import type { SigningKey } from './signing-keys.ts';

const ISSUER = 'parley';
const AUDIENCE = 'parley';
/** RFC 9068, section 2.1. */
const TYPE = 'at+jwt';

export interface AccessClaims {
  readonly userId: string;
  readonly sessionId: string;
  /** The session's generation that this token was issued with. */
  readonly generation: number;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

export interface AccessTokens {
  /** Lives `ttlMs`, but never past `notAfter`. */
  issue(claims: Omit<AccessClaims, 'expiresAt'>, notAfter: Date): Promise<{ token: string; expiresAt: Date }>;
  /** @throws UnauthenticatedError when the token is not ours, is not an access token, or has expired. */
  verify(token: string): Promise<AccessClaims>;
  /** What `verify` answers, where it has nothing to check any more; null: it has. */
  recall(token: string): AccessClaims | null;
}

const payloadShape = z.object({ sub: z.uuid(), sid: z.uuid(), gen: z.int().min(0), exp: z.int() });

/** Far above any token of ours; keeps a hostile one from costing anything. */
const MAX_TOKEN_LENGTH = 2048;

/** A client sends the same token with each request: of so many, the signature is not checked again. */
const REMEMBERED_TOKENS = 5_000;

export interface AccessTokensOptions {
  key: SigningKey;
  /** Keys that signed until this process was started. For the lifetime of one token their tokens still count. */
  formerKeys?: readonly SigningKey[];
  ttlMs: number;
  /** One was shown that we never issued, or not for this. */
  onBadToken?: () => void;
}

/** JSON Web Tokens (RFC 7519), verified as RFC 8725 asks: one algorithm for each key, explicit type. */
export function createAccessTokens({ key, formerKeys = [], ttlMs, onBadToken }: AccessTokensOptions): AccessTokens {
  const formerUntil = Date.now() + ttlMs;
  const known = new Map([...formerKeys, key].map((one) => [one.kid, one]));
  /** Verified ones, what they say, and until when they count; the oldest first. */
  const remembered = new Map<string, { claims: AccessClaims; until: number }>();

  function remember(token: string, claims: AccessClaims, signedBy: SigningKey) {
    const until = signedBy === key ? claims.expiresAt : Math.min(claims.expiresAt, formerUntil);
    remembered.set(token, { claims, until });
    if (remembered.size > REMEMBERED_TOKENS) remembered.delete(remembered.keys().next().value!);
  }

  function invalid(): UnauthenticatedError {
    onBadToken?.();
    return new UnauthenticatedError('INVALID_TOKEN');
  }

  function findKey({ kid, alg }: JWTHeaderParameters): SigningKey {
    const found = known.get(kid ?? '');
    const counts = found && found.algorithm === alg && (found === key || Date.now() < formerUntil);
    if (!counts) throw new UnauthenticatedError('INVALID_TOKEN');
    return found;
  }

  function recall(token: string): AccessClaims | null {
    const standing = remembered.get(token);
    return standing && Date.now() < standing.until ? standing.claims : null;
  }

  return {
    recall,

    async issue(claims, notAfter) {
      const now = Math.floor(Date.now() / 1000);
      const exp = Math.min(now + Math.ceil(ttlMs / 1000), Math.ceil(notAfter.getTime() / 1000));
      const token = await new SignJWT({ sid: claims.sessionId, gen: claims.generation })
        .setProtectedHeader({ alg: key.algorithm, kid: key.kid, typ: TYPE })
        .setIssuer(ISSUER)
        .setAudience(AUDIENCE)
        .setSubject(claims.userId)
        .setJti(randomUUID())
        .setIssuedAt(now)
        .setExpirationTime(exp)
        .sign(key.signWith);
      return { token, expiresAt: new Date(exp * 1000) };
    },

    async verify(token) {
      const recalled = recall(token);
      if (recalled) return recalled;
      remembered.delete(token);
      if (token.length > MAX_TOKEN_LENGTH) throw invalid();
      try {
        const { payload, protectedHeader } = await jwtVerify(token, (header) => findKey(header).verifyWith, {
          issuer: ISSUER,
          audience: AUDIENCE,
          typ: TYPE,
          requiredClaims: ['sub', 'sid', 'jti', 'iat', 'exp'],
        });
        const { sub: userId, sid: sessionId, gen: generation, exp } = payloadShape.parse(payload);
        const claims = { userId, sessionId, generation, expiresAt: exp * 1000 };
        remember(token, claims, findKey(protectedHeader));
        return claims;
      } catch (error) {
        throw error instanceof errors.JWTExpired ? new UnauthenticatedError('TOKEN_EXPIRED') : invalid();
      }
    },
  };
}
