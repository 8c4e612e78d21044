import { createHash, createPublicKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';

/** What access tokens are signed with: one algorithm to a key (RFC 8725, section 3.1), told by its `kid`. */
export interface SigningKey {
  readonly kid: string;
  readonly algorithm: 'HS256' | 'EdDSA' | 'ES256';
  readonly signWith: Uint8Array | KeyObject;
  readonly verifyWith: Uint8Array | KeyObject;
  /** As others may have it (RFC 7517); null: it is a secret. */
  readonly publicJwk: Readonly<Record<string, unknown>> | null;
}

const KID_LENGTH = 8;

const kidOf = (material: Uint8Array) => createHash('sha256').update(material).digest('base64url').slice(0, KID_LENGTH);

/** @param secret 32 bytes or more. */
export function secretKey(secret: Uint8Array): SigningKey {
  return { kid: kidOf(secret), algorithm: 'HS256', signWith: secret, verifyWith: secret, publicJwk: null };
}

/** Null when the key is neither Ed25519 (RFC 8037) nor P-256. */
export function privateKey(key: KeyObject): SigningKey | null {
  const algorithm = algorithmOf(key);
  if (!algorithm) return null;
  const publicKey = createPublicKey(key);
  const kid = kidOf(publicKey.export({ type: 'spki', format: 'der' }));
  const publicJwk = { ...publicKey.export({ format: 'jwk' }), kid, alg: algorithm, use: 'sig' };
  return { kid, algorithm, signWith: key, verifyWith: publicKey, publicJwk };
}

function algorithmOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): 'EdDSA' | 'ES256' | null {
  if (asymmetricKeyType === 'ed25519') return 'EdDSA';
  return asymmetricKeyDetails?.namedCurve === 'prime256v1' ? 'ES256' : null;
}
