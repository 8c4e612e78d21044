import { constants, generateKeyPairSync, randomUUID, sign as signBytes } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { createServer } from 'node:http';
import type { RequestListener, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Algorithm = 'EdDSA' | 'ES256' | 'RS256' | 'PS256';

/** A key that a provider signs with. */
export interface ProviderKey {
  readonly kid: string;
  readonly algorithm: Algorithm;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

export interface TokenParts {
  /** Over the usual ones; undefined: left out. */
  claims?: Record<string, unknown>;
  header?: Record<string, unknown>;
  /** Default: the provider's first key. */
  key?: ProviderKey;
  /** Default: as the key does. */
  sign?: (input: string) => Buffer;
}

/** An OpenID Connect provider, as far as a server sees of one: its keys, at one address, and what it signs. */
export interface IdentityProvider {
  readonly issuer: string;
  readonly audience: string;
  /** The settings of a server that trusts it. */
  readonly env: Record<string, string>;
  /** What it publishes; may be changed. */
  keys: ProviderKey[];
  /** Published beside them, as they are. */
  readonly otherKeys: object[];
  /** The paths that it was asked for. */
  readonly requests: readonly string[];
  /** A good ID token of somebody new, unless the parts say otherwise. */
  issue(parts?: TokenParts): string;
  /** How it answers from now on. Default: with its keys. */
  answerWith(answer: (response: ServerResponse) => void): void;
  answerWithKeys(): void;
  close(): Promise<void>;
}

export const AUDIENCE = 'parley-app';
/** Beside the first: the client ids of a second app. */
export const OTHER_AUDIENCE = 'parley-web';

const PAIRS: Record<Algorithm, () => { privateKey: KeyObject; publicKey: KeyObject }> = {
  EdDSA: () => generateKeyPairSync('ed25519'),
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  PS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
};

export function makeKey(algorithm: Algorithm, kid: string = randomUUID()): ProviderKey {
  return { kid, algorithm, ...PAIRS[algorithm]() };
}

export const now = () => Math.floor(Date.now() / 1000);

/** Starts it on a port of this machine. */
export async function startIdentityProvider(): Promise<IdentityProvider> {
  const requests: string[] = [];
  const sayKeys = (response: ServerResponse) => {
    response.setHeader('content-type', 'application/json');
    const keys = provider.keys.map(({ kid, algorithm, publicKey }) => ({
      ...publicKey.export({ format: 'jwk' }),
      kid,
      alg: algorithm,
      use: 'sig',
    }));
    response.end(JSON.stringify({ keys: [...keys, ...provider.otherKeys] }));
  };
  let answer = sayKeys;
  const server = await listen((request, response) => {
    requests.push(request.url ?? '');
    answer(response);
  });

  const issuer = server.origin;
  const provider: IdentityProvider = {
    issuer,
    audience: AUDIENCE,
    env: {
      OIDC_ISSUER: issuer,
      OIDC_AUDIENCE: `${AUDIENCE},${OTHER_AUDIENCE}`,
      OIDC_JWKS_URL: `${issuer}/keys`,
    },
    keys: [makeKey('ES256')],
    otherKeys: [],
    requests,
    issue({ claims, header, key = provider.keys[0]!, sign = signer(key) } = {}) {
      const parts = [
        { alg: key.algorithm, kid: key.kid, ...header },
        { ...usualClaims(issuer), ...claims },
      ];
      const input = parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
      return `${input}.${sign(input).toString('base64url')}`;
    },
    answerWith: (next) => (answer = next),
    answerWithKeys: () => (answer = sayKeys),
    close: server.close,
  };
  return provider;
}

/** RFC 7518, section 3, and RFC 8037. */
export function signer({ algorithm, privateKey: key }: Pick<ProviderKey, 'algorithm' | 'privateKey'>) {
  const options = {
    EdDSA: { key },
    ES256: { key, dsaEncoding: 'ieee-p1363' as const },
    RS256: { key },
    PS256: { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 },
  }[algorithm];
  return (input: string) => signBytes(algorithm === 'EdDSA' ? null : 'sha256', Buffer.from(input), options);
}

/** Of somebody new, without a name and an e-mail. */
export function usualClaims(issuer: string): Record<string, unknown> {
  return { iss: issuer, aud: AUDIENCE, sub: randomUUID(), iat: now(), exp: now() + 600 };
}

export interface Listener {
  readonly origin: string;
  close(): Promise<void>;
}

export async function listen(onRequest: RequestListener): Promise<Listener> {
  const server = createServer(onRequest);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
