import { errors, jwtVerify } from 'jose';
import type { JWTHeaderParameters, JWTVerifyGetKey } from 'jose';
import { z } from 'zod';
import { ServiceUnavailableError } from '../errors.ts';

export interface ProviderSettings {
  /** Its `iss`, to the letter. */
  issuer: string;
  /** The client ids of the apps. */
  audiences: readonly string[];
  /** Where it publishes its keys. */
  keysUrl: URL;
}

/** Whom a provider vouched for. Names are as it has them: any text. */
export interface ProviderClaims {
  issuer: string;
  /** Never given to somebody else by this issuer. */
  subject: string;
  /** Milliseconds since 1970. */
  issuedAt: number;
  /** One that the provider has verified, or null. */
  email: string | null;
  givenName: string | null;
  familyName: string | null;
  name: string | null;
}

export interface ProviderTokens {
  /**
   * Null when the token does not count.
   *
   * @throws ServiceUnavailableError when the provider's keys cannot be had.
   */
  verify(idToken: string): Promise<ProviderClaims | null>;
}

/** Why a token does not count: a code of jose's, and which claim it is about. Nothing that the token says. */
export interface ProviderTokenRefusal {
  reason: string;
  claim?: string;
}

export interface ProviderTokensOptions extends Pick<ProviderSettings, 'issuer' | 'audiences'> {
  findKey: JWTVerifyGetKey;
  onRefused: (refusal: ProviderTokenRefusal) => void;
}

/** Of public keys alone: with HS256, whoever knows one could sign. */
const ALGORITHMS = ['EdDSA', 'ES256', 'RS256', 'PS256'];
/** Providers put groups and roles in. */
const MAX_TOKEN_LENGTH = 16_384;
/** What clocks may differ by, in seconds. */
const TOLERANCE = 30;
/** However long it says that it lives. */
const MAX_AGE = '24h';

const text = z.string().nullish().catch(null);

const payloadShape = z.object({
  // OpenID Connect Core 1.0, section 2: at most 255 ASCII characters.
  sub: z.string().regex(/^[\x20-\x7e]{1,255}$/),
  aud: z.union([z.string().transform((one) => [one]), z.array(z.string())]),
  azp: z.string().optional(),
  iat: z.number(),
  email: text,
  email_verified: z.unknown().optional(),
  given_name: text,
  family_name: text,
  name: text,
});

/** ID tokens, verified as OpenID Connect Core 1.0, section 3.1.3.7, and RFC 8725 ask. */
export function createProviderTokens(options: ProviderTokensOptions): ProviderTokens {
  const { issuer, audiences, findKey, onRefused } = options;

  async function read(idToken: string): Promise<ProviderClaims> {
    if (idToken.length > MAX_TOKEN_LENGTH) throw new errors.JWTInvalid('too long');
    const { payload } = await jwtVerify(idToken, (header, token) => findKey(assertPlain(header), token), {
      algorithms: ALGORITHMS,
      issuer,
      audience: [...audiences],
      requiredClaims: ['sub', 'exp', 'iat'],
      maxTokenAge: MAX_AGE,
      clockTolerance: TOLERANCE,
    });
    const claims = payloadShape.safeParse(payload);
    if (!claims.success)
      throw new errors.JWTClaimValidationFailed('not as it should be', payload, claimOf(claims.error));
    const { sub, aud, azp, iat, email, email_verified: verified, ...names } = claims.data;
    if (!aud.every((one) => audiences.includes(one)))
      throw new errors.JWTClaimValidationFailed('for others, too', payload, 'aud');
    if (aud.length > 1 && (azp === undefined || !audiences.includes(azp)))
      throw new errors.JWTClaimValidationFailed('issued to another', payload, 'azp');
    return {
      issuer,
      subject: sub,
      issuedAt: iat * 1000,
      // Some write it as text.
      email: verified === true || verified === 'true' ? (email ?? null) : null,
      givenName: names.given_name ?? null,
      familyName: names.family_name ?? null,
      name: names.name ?? null,
    };
  }

  return {
    async verify(idToken) {
      try {
        return await read(idToken);
      } catch (error) {
        if (error instanceof ServiceUnavailableError) throw error;
        onRefused(refusalOf(error));
        return null;
      }
    },
  };
}

/** Before a key is looked for. An access token or a logout token of the same provider says so in `typ`. */
function assertPlain(header: JWTHeaderParameters): JWTHeaderParameters {
  if (header.crit !== undefined || !/^JWT$/i.test(header.typ ?? 'JWT')) throw new errors.JWSInvalid('not an ID token');
  return header;
}

const claimOf = (error: z.ZodError): string => String(error.issues[0]!.path[0]);

function refusalOf(error: unknown): ProviderTokenRefusal {
  if (error instanceof errors.JWTClaimValidationFailed) return { reason: error.code, claim: error.claim };
  // A key that is too short to be one is of no kind of jose's.
  return { reason: error instanceof errors.JOSEError ? error.code : 'UNUSABLE' };
}
