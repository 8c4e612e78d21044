import { createHmac, generateKeyPairSync, sign as signBytes } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { createLocalJWKSet, jwtVerify } from 'jose';
import type { JWK } from 'jose';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createAccessTokens } from '../../src/auth/access-tokens.ts';
import { privateKey, secretKey } from '../../src/auth/signing-keys.ts';
import { UnauthenticatedError } from '../../src/errors.ts';

const SECRET = new TextEncoder().encode('a secret for tests, of 32 bytes or more');
const TTL_MS = 30 * 60_000;
const tokens = createAccessTokens({ key: secretKey(SECRET), ttlMs: TTL_MS });

const WHO = {
  userId: '0193514e-7d5a-7c3e-9f21-0123456789ab',
  sessionId: '0193514e-7d5a-7c3e-9f21-ba9876543210',
  generation: 3,
};
const NEXT_YEAR = () => new Date(Date.now() + 365 * 86_400_000);
const now = () => Math.floor(Date.now() / 1000);

type Part = Record<string, unknown>;
type Sign = (input: string) => Buffer;

const encode = (part: unknown) => Buffer.from(JSON.stringify(part)).toString('base64url');
const decode = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Part;
const hmac =
  (hash: string, secret: Uint8Array = SECRET): Sign =>
  (input) =>
    createHmac(hash, secret).update(input).digest();

const issue = async () => (await tokens.issue(WHO, NEXT_YEAR())).token;

/** A token of ours with parts of it changed (undefined: left out), and signed as it should be, or otherwise. */
async function forge({ header, payload, sign }: { header?: Part; payload?: Part; sign?: Sign } = {}) {
  const [ownHeader, ownPayload] = (await issue()).split('.') as [string, string];
  const input = `${encode({ ...decode(ownHeader), ...header })}.${encode({ ...decode(ownPayload), ...payload })}`;
  return `${input}.${(sign ?? hmac('sha256'))(input).toString('base64url')}`;
}

async function refusalOf(token: string): Promise<unknown> {
  const error: unknown = await tokens.verify(token).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(UnauthenticatedError);
  return (error as UnauthenticatedError).extensions.reason;
}

afterEach(() => {
  vi.useRealTimers();
});

describe('an access token', () => {
  it('says who it was issued to, and until when', async () => {
    const { token, expiresAt } = await tokens.issue(WHO, NEXT_YEAR());
    expect(await tokens.verify(token)).toEqual({ ...WHO, expiresAt: expiresAt.getTime() });
    expect(Math.abs(expiresAt.getTime() - Date.now() - TTL_MS)).toBeLessThanOrEqual(2_000);
  });

  it('never outlives the session', async () => {
    const end = new Date((now() + 60) * 1000);
    expect((await tokens.issue(WHO, end)).expiresAt).toEqual(end);
  });

  it('is another one each time', async () => {
    expect(await issue()).not.toBe(await issue());
  });

  it('counts on every node that has the key', async () => {
    const elsewhere = createAccessTokens({ key: secretKey(SECRET), ttlMs: 1_000 });
    expect(await elsewhere.verify(await issue())).toMatchObject(WHO);
  });

  it('counts until it expires, and then says that it has', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const { token, expiresAt } = await tokens.issue(WHO, NEXT_YEAR());
    vi.setSystemTime(expiresAt.getTime() - 1_000);
    expect(await tokens.verify(token)).toMatchObject(WHO);
    vi.setSystemTime(expiresAt);
    expect(await refusalOf(token)).toBe('TOKEN_EXPIRED');
  });

  it('is bad when it was never issued, and not because its time is over', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const onBadToken = vi.fn<() => void>();
    const watched = createAccessTokens({ key: secretKey(SECRET), ttlMs: TTL_MS, onBadToken });
    const { token, expiresAt } = await watched.issue(WHO, NEXT_YEAR());
    await watched.verify(token);
    vi.setSystemTime(expiresAt);
    await expect(watched.verify(token)).rejects.toBeInstanceOf(UnauthenticatedError);
    expect(onBadToken).not.toHaveBeenCalled();
    await expect(watched.verify(await forge({ sign: () => Buffer.alloc(32) }))).rejects.toBeInstanceOf(
      UnauthenticatedError,
    );
    expect(onBadToken).toHaveBeenCalledTimes(1);
  });

  it.each<[string, Part]>([
    ['as it is', {}],
    ['with a time before which it does not count, and which is past', { nbf: now() - 60 }],
    ['with a claim that nobody knows', { scope: 'everything' }],
    ['for several audiences, of which we are one', { aud: ['others', 'parley'] }],
  ])('counts %s', async (_what, payload) => {
    expect(await tokens.verify(await forge({ payload }))).toMatchObject(WHO);
  });
});

describe('a token does not count', () => {
  it.each<[string, { header?: Part; payload?: Part; sign?: Sign }]>([
    ['without a signature, by its own word', { header: { alg: 'none' }, sign: () => Buffer.alloc(0) }],
    ['that says none and is signed', { header: { alg: 'none' } }],
    ['that says None', { header: { alg: 'None' }, sign: () => Buffer.alloc(0) }],
    ['with an empty signature', { sign: () => Buffer.alloc(0) }],
    ['with a signature cut short', { sign: (input) => hmac('sha256')(input).subarray(0, 16) }],
    ['with one bit of the signature changed', { sign: (input) => flipped(hmac('sha256')(input)) }],
    ['signed with another key', { sign: hmac('sha256', Buffer.from('another secret for tests, of 32 bytes')) }],
    ['signed with an empty key', { sign: hmac('sha256', Buffer.alloc(0)) }],
    ['of HS512, with our key', { header: { alg: 'HS512' }, sign: hmac('sha512') }],
    ['of HS384, with our key', { header: { alg: 'HS384' }, sign: hmac('sha384') }],
    ['that says RS256, signed with our key', { header: { alg: 'RS256' } }],
    ['without an algorithm', { header: { alg: undefined } }],
    ['with another key’s name', { header: { kid: 'other' } }],
    ['without a key’s name', { header: { kid: undefined } }],
    ['whose key’s name is a path', { header: { kid: '../../dev/null' } }],
    ['that brings its own key', { header: { jwk: { kty: 'oct', k: 'AAAA' } }, sign: hmac('sha256', Buffer.alloc(3)) }],
    ['of type JWT', { header: { typ: 'JWT' } }],
    ['of no type', { header: { typ: undefined } }],
    ['with a critical header that we do not know', { header: { crit: ['exp2'], exp2: 1 } }],
    ['of another issuer', { payload: { iss: 'somebody' } }],
    ['of no issuer', { payload: { iss: undefined } }],
    ['for another audience', { payload: { aud: 'somebody' } }],
    ['for no audience', { payload: { aud: undefined } }],
    ['without an end', { payload: { exp: undefined } }],
    ['whose end is text', { payload: { exp: '9999999999' } }],
    ['whose end is no whole second', { payload: { exp: now() + 60.5 } }],
    ['that does not count yet', { payload: { nbf: now() + 600 } }],
    ['without its time of issue', { payload: { iat: undefined } }],
    ['without an id', { payload: { jti: undefined } }],
    ['of nobody', { payload: { sub: undefined } }],
    ['of somebody who is no id', { payload: { sub: 'admin' } }],
    ['of several people', { payload: { sub: [WHO.userId] } }],
    ['without a session', { payload: { sid: undefined } }],
    ['whose session is no id', { payload: { sid: "' OR true --" } }],
    ['without a generation', { payload: { gen: undefined } }],
    ['of a negative generation', { payload: { gen: -1 } }],
    ['of half a generation', { payload: { gen: 1.5 } }],
    ['of a generation that is text', { payload: { gen: '3' } }],
  ])('%s', async (_what, change) => {
    expect(await refusalOf(await forge(change))).toBe('INVALID_TOKEN');
  });

  it('that has expired, and says so only to who has a genuine one', async () => {
    const payload = { exp: now() - 1 };
    expect(await refusalOf(await forge({ payload }))).toBe('TOKEN_EXPIRED');
    expect(await refusalOf(await forge({ payload, sign: hmac('sha256', Buffer.alloc(32)) }))).toBe('INVALID_TOKEN');
  });

  it.each([
    ['nothing', ''],
    ['dots', '..'],
    ['one part', 'eyJhbGciOiJIUzI1NiJ9'],
    ['words', 'let me in'],
    ['what is no base64', '***.***.***'],
    ['what is no JSON', 'e30x.e30x.AAAA'],
    ['JSON that is no object', `${encode([])}.${encode(null)}.AAAA`],
    ['five parts, as of an encrypted one', 'a.b.c.d.e'],
    ['other characters', '\0\u2028🌱.é.ü'],
    ['100 KB', 'A'.repeat(100_000)],
  ])('that is %s', async (_what, text) => {
    expect(await refusalOf(text)).toBe('INVALID_TOKEN');
  });

  it('that is ours but for its size', async () => {
    const padding = (length: number) => forge({ payload: { padding: 'x'.repeat(length) } });
    expect(await tokens.verify(await padding(100))).toMatchObject(WHO);
    expect(await refusalOf(await padding(100_000))).toBe('INVALID_TOKEN');
  });

  it('that is ours but for something in front of it or behind it', async () => {
    const token = await issue();
    for (const text of [` ${token}`, `.${token}`, `${token}.`, `${token}.${token}`, `Bearer ${token}`])
      expect(await refusalOf(text), text).toBe('INVALID_TOKEN');
  });
});

const ED25519 = privateKey(generateKeyPairSync('ed25519').privateKey)!;
const P256 = privateKey(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey)!;

describe.each([
  ['EdDSA', ED25519],
  ['ES256', P256],
] as const)('signed with a private key, of %s', (algorithm, key) => {
  const signed = createAccessTokens({ key, ttlMs: TTL_MS });

  it('it counts, and whoever has the public key sees that it does', async () => {
    const { token } = await signed.issue(WHO, NEXT_YEAR());
    expect(await signed.verify(token)).toMatchObject(WHO);
    const jwks = createLocalJWKSet({ keys: [key.publicJwk as JWK] });
    const { payload, protectedHeader } = await jwtVerify(token, jwks, { issuer: 'parley', audience: 'parley' });
    expect([payload.sub, protectedHeader.alg]).toEqual([WHO.userId, algorithm]);
    expect(key.publicJwk).not.toHaveProperty('d');
  });

  it('the public key is no secret that anybody could sign with', async () => {
    const [header, payload] = (await signed.issue(WHO, NEXT_YEAR())).token.split('.') as [string, string];
    const pem = (key.verifyWith as KeyObject).export({ type: 'spki', format: 'pem' });
    for (const alg of ['HS256', algorithm]) {
      const input = `${encode({ ...decode(header), alg })}.${payload}`;
      const token = `${input}.${hmac('sha256', Buffer.from(pem))(input).toString('base64url')}`;
      await expect(signed.verify(token)).rejects.toMatchObject({ extensions: { reason: 'INVALID_TOKEN' } });
    }
  });

  it('another private key’s does not count', async () => {
    const stranger = generateKeyPairSync('ed25519').privateKey;
    const [header, payload] = (await signed.issue(WHO, NEXT_YEAR())).token.split('.') as [string, string];
    const token = `${header}.${payload}.${signBytes(null, Buffer.from(`${header}.${payload}`), stranger).toString('base64url')}`;
    await expect(signed.verify(token)).rejects.toMatchObject({ extensions: { reason: 'INVALID_TOKEN' } });
  });
});

it.each([['rsa', { modulusLength: 2048 }] as const, ['ec', { namedCurve: 'P-384' }] as const, ['x25519', {}] as const])(
  'a key of %s is none to sign with',
  (type, options) => {
    const pair = (generateKeyPairSync as (type: string, options: object) => { privateKey: KeyObject })(type, options);
    expect(privateKey(pair.privateKey)).toBeNull();
  },
);

describe('when keys change', () => {
  const NEW_SECRET = new TextEncoder().encode('the next secret of tests, of 32 bytes');
  const changed = () =>
    createAccessTokens({ key: secretKey(NEW_SECRET), formerKeys: [secretKey(SECRET)], ttlMs: TTL_MS });

  it('what the former one signed counts, but new tokens are of the new one', async () => {
    const after = changed();
    expect(await after.verify(await issue())).toMatchObject(WHO);
    expect(await refusalOf((await after.issue(WHO, NEXT_YEAR())).token)).toBe('INVALID_TOKEN');
  });

  it('nodes that have not changed yet take both, if they are told of the new one first', async () => {
    const before = createAccessTokens({ key: secretKey(SECRET), formerKeys: [secretKey(NEW_SECRET)], ttlMs: TTL_MS });
    expect(await before.verify((await changed().issue(WHO, NEXT_YEAR())).token)).toMatchObject(WHO);
  });

  it('the former one counts for the lifetime of one token, whatever is written into what it signs', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const after = changed();
    const forged = await forge({ payload: { exp: now() + 10 * TTL_MS } });
    vi.setSystemTime(Date.now() + TTL_MS - 1_000);
    expect(await after.verify(forged)).toMatchObject(WHO);
    vi.setSystemTime(Date.now() + 1_000);
    await expect(after.verify(forged)).rejects.toMatchObject({ extensions: { reason: 'INVALID_TOKEN' } });
  });

  it('a secret hands over to a private key', async () => {
    const after = createAccessTokens({ key: ED25519, formerKeys: [secretKey(SECRET)], ttlMs: TTL_MS });
    expect(await after.verify(await issue())).toMatchObject(WHO);
    expect(await after.verify((await after.issue(WHO, NEXT_YEAR())).token)).toMatchObject(WHO);
  });
});

function flipped(signature: Buffer): Buffer {
  signature[0]! ^= 1;
  return signature;
}
