import { createHash, randomUUID } from 'node:crypto';
import { SignJWT, jwtVerify, errors } from 'jose';
import { z } from 'zod';
import { UnauthenticatedError } from '../errors.ts';

const ISSUER = 'parley';
const AUDIENCE = 'parley';
/** RFC 9068, section 2.1. */
const TYPE = 'at+jwt';
const ALGORITHM = 'HS256';

export interface AccessClaims {
  userId: string;
  sessionId: string;
  /** The session's generation that this token was issued with. */
  generation: number;
  /** Milliseconds since 1970. */
  expiresAt: number;
}

export interface AccessTokens {
  /** Lives `ttlMs`, but never past `notAfter`. */
  issue(claims: Omit<AccessClaims, 'expiresAt'>, notAfter: Date): Promise<{ token: string; expiresAt: Date }>;
  /** @throws UnauthenticatedError when the token is not ours, is not an access token, or has expired. */
  verify(token: string): Promise<AccessClaims>;
}

const payloadShape = z.object({ sub: z.uuid(), sid: z.uuid(), gen: z.int().min(0), exp: z.int() });

/** Far above any token of ours; keeps a hostile one from costing anything. */
const MAX_TOKEN_LENGTH = 2048;

/** HS256 JSON Web Tokens (RFC 7519), verified as RFC 8725 asks: one algorithm, one key, explicit type. */
export function createAccessTokens(options: { secret: Uint8Array; ttlMs: number }): AccessTokens {
  const kid = createHash('sha256').update(options.secret).digest('base64url').slice(0, 8);
  return {
    async issue(claims, notAfter) {
      const now = Math.floor(Date.now() / 1000);
      const exp = Math.min(now + Math.ceil(options.ttlMs / 1000), Math.ceil(notAfter.getTime() / 1000));
      const token = await new SignJWT({ sid: claims.sessionId, gen: claims.generation })
        .setProtectedHeader({ alg: ALGORITHM, kid, typ: TYPE })
        .setIssuer(ISSUER)
        .setAudience(AUDIENCE)
        .setSubject(claims.userId)
        .setJti(randomUUID())
        .setIssuedAt(now)
        .setExpirationTime(exp)
        .sign(options.secret);
      return { token, expiresAt: new Date(exp * 1000) };
    },

    async verify(token) {
      if (token.length > MAX_TOKEN_LENGTH) throw new UnauthenticatedError('INVALID_TOKEN');
      try {
        const { payload, protectedHeader } = await jwtVerify(token, options.secret, {
          algorithms: [ALGORITHM],
          issuer: ISSUER,
          audience: AUDIENCE,
          typ: TYPE,
          requiredClaims: ['sub', 'sid', 'jti', 'iat', 'exp'],
        });
        if (protectedHeader.kid !== kid) throw new UnauthenticatedError('INVALID_TOKEN');
        const claims = payloadShape.parse(payload);
        return {
          userId: claims.sub,
          sessionId: claims.sid,
          generation: claims.gen,
          expiresAt: claims.exp * 1000,
        };
      } catch (error) {
        throw new UnauthenticatedError(error instanceof errors.JWTExpired ? 'TOKEN_EXPIRED' : 'INVALID_TOKEN');
      }
    },
  };
}
