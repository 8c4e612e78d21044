import { createHmac } from 'node:crypto';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createAccessTokens } from '../../src/auth/access-tokens.ts';
import { UnauthenticatedError } from '../../src/errors.ts';

const SECRET = new TextEncoder().encode('a secret for tests, of 32 bytes or more');
const TTL_MS = 30 * 60_000;
const tokens = createAccessTokens({ secret: SECRET, ttlMs: TTL_MS });

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
    const elsewhere = createAccessTokens({ secret: SECRET, ttlMs: 1_000 });
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

function flipped(signature: Buffer): Buffer {
  signature[0]! ^= 1;
  return signature;
}
