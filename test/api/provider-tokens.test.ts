import { createHmac, generateKeyPairSync, randomBytes, randomUUID, sign as signBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { toParams } from '../support/document.ts';
import {
  listen,
  makeKey,
  now,
  OTHER_AUDIENCE,
  AUDIENCE,
  signer,
  startIdentityProvider,
} from '../support/identity-provider.ts';
import type { IdentityProvider, Listener, TokenParts } from '../support/identity-provider.ts';
import { registerPerson } from '../support/people.ts';
import { signInWithProvider } from '../support/provider-devices.ts';
import { nobody } from '../support/refusals.ts';
import { eventually } from '../support/wait.ts';

/* Which ID tokens count. All that do not are answered alike. */

const LOGIN = 'mutation ($input: LoginWithProviderInput!) { loginWithProvider(input: $input) { accessToken } }';

let cluster: Cluster;
let provider: IdentityProvider;
/** What tokens point to, and nobody should ask. */
let elsewhere: Listener;
const asked: string[] = [];

const rsa = makeKey('RS256');
const stranger = makeKey('ES256');
/** Published for any algorithm; and a secret, published by mistake. */
const unbound = makeKey('RS256');
const shared = randomBytes(64);

beforeAll(async () => {
  elsewhere = await listen((request, response) => {
    asked.push(request.url ?? '');
    const jwk = { ...stranger.publicKey.export({ format: 'jwk' }), kid: stranger.kid, alg: 'ES256' };
    response.end(JSON.stringify({ keys: [jwk], jwks_uri: `${elsewhere.origin}/keys`, issuer: elsewhere.origin }));
  });
  provider = await startIdentityProvider();
  provider.keys.push(rsa);
  provider.otherKeys.push(
    { ...unbound.publicKey.export({ format: 'jwk' }), kid: unbound.kid },
    { kty: 'oct', k: shared.toString('base64url'), kid: 'shared', alg: 'HS256' },
  );
  cluster = await startCluster({ nodes: 1, env: provider.env });
});
afterAll(async () => {
  await cluster?.stop();
  await provider?.close();
  await elsewhere?.close();
});

async function answerTo(idToken: string): Promise<string> {
  const { status, text } = await nobody(cluster).raw({
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(toParams(LOGIN, { input: { idToken } })),
  });
  return `${status} ${text}`;
}

const hmac = (algorithm: string, secret: string | Buffer) => (input: string) =>
  createHmac(algorithm, secret).update(input).digest();
const pem = (type: 'spki' | 'pkcs1') => rsa.publicKey.export({ type, format: 'pem' }) as string;
const flipped = (input: string) => {
  const signature = signer(provider.keys[0]!)(input);
  signature[0]! ^= 1;
  return signature;
};
const text = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('an ID token counts', () => {
  it.each<[string, () => TokenParts]>([
    ['as it is', () => ({})],
    ['of the other app', () => ({ claims: { aud: OTHER_AUDIENCE } })],
    [
      'for both apps, issued to one of them',
      () => ({ claims: { aud: [AUDIENCE, OTHER_AUDIENCE], azp: OTHER_AUDIENCE } }),
    ],
    ['of a key that is for any algorithm', () => ({ key: unbound })],
    ['for a list of one', () => ({ claims: { aud: [AUDIENCE] } })],
    ['with a nonce, and what nobody knows', () => ({ claims: { nonce: 'n', jti: 'j', roles: ['admin'] } })],
    ['of type JWT', () => ({ header: { typ: 'jwt' } })],
    ['without the name of a key, where one key can be meant', () => ({ header: { kid: undefined } })],
    ['from a clock that is a little ahead', () => ({ claims: { iat: now() + 20, nbf: now() + 20 } })],
    ['that has just expired', () => ({ claims: { exp: now() - 10 } })],
    ['with a subject of 255 characters', () => ({ claims: { sub: 'x'.repeat(219) + randomUUID() } })],
    ['that is large', () => ({ claims: { groups: 'x'.repeat(10_000) } })],
  ])('%s', async (_what, parts) => {
    await signInWithProvider(cluster, provider.issue(parts()));
  });

  it('a second time, until it expires', async () => {
    const idToken = provider.issue();
    const [first, second] = [await signInWithProvider(cluster, idToken), await signInWithProvider(cluster, idToken)];
    expect(second.user.id).toBe(first.user.id);
  });
});

describe('an ID token does not count', () => {
  const hostile: Array<[string, () => TokenParts]> = [
    ['without a signature, by its own word', () => ({ header: { alg: 'none' }, sign: () => Buffer.alloc(0) })],
    ['that says none and is signed', () => ({ header: { alg: 'none' } })],
    ['that says None', () => ({ header: { alg: 'None' }, sign: () => Buffer.alloc(0) })],
    ['without an algorithm', () => ({ header: { alg: undefined } })],
    ['with an empty signature', () => ({ sign: () => Buffer.alloc(0) })],
    ['with a signature of zeros', () => ({ sign: () => Buffer.alloc(64) })],
    ['with one bit of the signature changed', () => ({ sign: flipped })],
    [
      'of HS256, with the public key as the secret',
      () => ({ key: rsa, header: { alg: 'HS256' }, sign: hmac('sha256', pem('spki')) }),
    ],
    [
      'of HS256, with the public key in another form',
      () => ({ key: rsa, header: { alg: 'HS256' }, sign: hmac('sha256', pem('pkcs1')) }),
    ],
    [
      'of HS512, with the public key as the secret',
      () => ({ key: rsa, header: { alg: 'HS512' }, sign: hmac('sha512', pem('spki')) }),
    ],
    [
      'of HS256, with the key’s name as the secret',
      () => ({ key: rsa, header: { alg: 'HS256' }, sign: hmac('sha256', rsa.kid) }),
    ],
    [
      'of RS384, with a key that is for any',
      () => ({
        key: unbound,
        header: { alg: 'RS384' },
        sign: (input) => signBytes('sha384', Buffer.from(input), unbound.privateKey),
      }),
    ],
    [
      'of HS256, with a secret that the provider has published',
      () => ({ header: { alg: 'HS256', kid: 'shared' }, sign: hmac('sha256', shared) }),
    ],
    [
      'of another algorithm than the key’s',
      () => ({ key: rsa, header: { alg: 'PS256' }, sign: signer({ ...rsa, algorithm: 'PS256' }) }),
    ],
    ['that names a key of another algorithm', () => ({ header: { kid: rsa.kid } })],
    ['signed with a stranger’s key, under the provider’s name for its own', () => ({ sign: signer(stranger) })],
    ['signed with a stranger’s key', () => ({ key: stranger })],
    [
      'that brings its own key',
      () => ({ key: stranger, header: { jwk: stranger.publicKey.export({ format: 'jwk' }) } }),
    ],
    [
      'that brings its own key, under the provider’s name',
      () => ({ header: { jwk: stranger.publicKey.export({ format: 'jwk' }) }, sign: signer(stranger) }),
    ],
    ['that points to keys elsewhere', () => ({ key: stranger, header: { jku: `${elsewhere.origin}/keys` } })],
    [
      'that points to keys elsewhere, under the provider’s name',
      () => ({ header: { jku: `${elsewhere.origin}/keys` }, sign: signer(stranger) }),
    ],
    ['that points to a certificate elsewhere', () => ({ key: stranger, header: { x5u: `${elsewhere.origin}/x5u` } })],
    ['whose key’s name is an address', () => ({ key: stranger, header: { kid: `${elsewhere.origin}/kid` } })],
    ['whose key’s name is a path', () => ({ header: { kid: '../../dev/null' }, sign: hmac('sha256', '') })],
    ['whose key’s name is no text', () => ({ header: { kid: { $ne: null } }, key: stranger })],
    ['with a critical header that we do not know', () => ({ header: { crit: ['exp2'], exp2: 1 } })],
    ['with a critical header that is known', () => ({ header: { crit: ['b64'], b64: true } })],
    ['of an access token’s type', () => ({ header: { typ: 'at+jwt' } })],
    ['of a logout token’s type', () => ({ header: { typ: 'logout+jwt' } })],
    ['whose type is no text', () => ({ header: { typ: 1 } })],
    ['of another issuer', () => ({ claims: { iss: elsewhere.origin } })],
    ['of the issuer with a slash', () => ({ claims: { iss: `${provider.issuer}/` } })],
    ['of the issuer among others', () => ({ claims: { iss: [provider.issuer] } })],
    ['of no issuer', () => ({ claims: { iss: undefined } })],
    ['for another app', () => ({ claims: { aud: 'others' } })],
    ['for the app in capitals', () => ({ claims: { aud: AUDIENCE.toUpperCase() } })],
    ['for both apps in one name', () => ({ claims: { aud: `${AUDIENCE},${OTHER_AUDIENCE}` } })],
    ['for nobody', () => ({ claims: { aud: undefined } })],
    ['for an empty list', () => ({ claims: { aud: [] } })],
    ['for others, too', () => ({ claims: { aud: [AUDIENCE, 'others'], azp: AUDIENCE } })],
    ['for both apps, issued to nobody', () => ({ claims: { aud: [AUDIENCE, OTHER_AUDIENCE] } })],
    ['for both apps, issued to another', () => ({ claims: { aud: [AUDIENCE, OTHER_AUDIENCE], azp: 'others' } })],
    ['without an end', () => ({ claims: { exp: undefined } })],
    ['that has expired', () => ({ claims: { exp: now() - 60 } })],
    ['whose end is text', () => ({ claims: { exp: '9999999999' } })],
    ['that does not count yet', () => ({ claims: { nbf: now() + 120 } })],
    ['without its time of issue', () => ({ claims: { iat: undefined } })],
    ['issued in time to come', () => ({ claims: { iat: now() + 120 } })],
    ['issued days ago, however long it lives', () => ({ claims: { iat: now() - 2 * 86_400, exp: now() + 86_400 } })],
    ['whose time of issue is text', () => ({ claims: { iat: String(now()) } })],
    ['of nobody', () => ({ claims: { sub: undefined } })],
    ['whose subject is empty', () => ({ claims: { sub: '' } })],
    ['whose subject is a number', () => ({ claims: { sub: 7 } })],
    ['of several people', () => ({ claims: { sub: [randomUUID()] } })],
    ['whose subject is too long', () => ({ claims: { sub: 'x'.repeat(256) } })],
    ['whose subject is not ASCII', () => ({ claims: { sub: 'zoë' } })],
    ['whose subject holds a NUL', () => ({ claims: { sub: 'a\0' } })],
    ['of 20 KB', () => ({ claims: { groups: 'x'.repeat(16_000) } })],
  ];

  it.each(hostile)('%s', async (_what, parts) => {
    const refused = await answerTo('nonsense');
    expect(refused).toContain('"code":"INVALID_CREDENTIALS"');
    expect(await answerTo(provider.issue(parts()))).toBe(refused);
  });

  it.each<[string, () => Promise<string> | string]>([
    ['nothing', () => ''],
    ['dots', () => '..'],
    ['what is no base64', () => '***.***.***'],
    ['what is no JSON', () => 'e30x.e30x.AAAA'],
    ['JSON that is no object', () => `${text([])}.${text(null)}.AAAA`],
    ['five parts, as of an encrypted one', () => 'a.b.c.d.e'],
    ['other characters', () => '\0\u2028🌱.é.\ud800'],
    ['80 KB', () => 'A'.repeat(80_000)],
    ['an access token of ours', async () => (await registerPerson(cluster)).accessToken],
    ['a refresh token of ours', async () => (await registerPerson(cluster)).refreshToken],
    ['a good one with something behind it', () => `${provider.issue()}.`],
    ['a good one with something in front of it', () => `Bearer ${provider.issue()}`],
  ])('that is %s', async (_what, make) => {
    expect(await answerTo(await make())).toBe(await answerTo('nonsense'));
  });

  it('signed with a key that is too short to be one', async () => {
    const short = { ...makeKey('RS256'), ...generateKeyPairSync('rsa', { modulusLength: 1024 }) };
    provider.keys.push(short);
    try {
      // Once the set that has it was fetched, by the name of another one that is new in it.
      await untilKnown(makeKey('ES256'));
      expect(await answerTo(provider.issue({ key: short }))).toBe(await answerTo('nonsense'));
    } finally {
      provider.keys.splice(provider.keys.indexOf(short), 1);
    }
  });

  it('as a session of ours', async () => {
    const { status, text } = await nobody(cluster).raw({
      headers: { 'content-type': 'application/json', authorization: `Bearer ${provider.issue()}` },
      body: JSON.stringify({ query: '{ me { id } }' }),
    });
    expect([status, text]).toEqual([401, expect.stringContaining('UNAUTHENTICATED')]);
  });

  it('and nobody was asked for keys but the provider, at its address for them', () => {
    expect(asked).toEqual([]);
    expect(new Set(provider.requests)).toEqual(new Set(['/keys']));
  });

  it('and the log says why, and not what was in it', async () => {
    const marked = `marked-${randomUUID()}`;
    const lines = () => cluster.node(0).logs.filter((line) => line.includes('security.provider_token_refused'));
    // A line a second at most: the first ones may be told of as held back.
    await eventually(async () => {
      await answerTo(provider.issue({ claims: { aud: marked, sub: marked, email: `${marked}@example.test` } }));
      expect(lines().map((line) => JSON.parse(line) as object)).toContainEqual(
        expect.objectContaining({ level: 30, reason: 'ERR_JWT_CLAIM_VALIDATION_FAILED', claim: 'aud' }),
      );
    });
    expect(cluster.node(0).logs.join('\n')).not.toContain(marked);
    expect(cluster.node(0).logs.join('\n')).not.toContain(provider.issuer);
  });
});

it('a key that is new at the provider counts, and one that it took out does not', async () => {
  const [old] = provider.keys;
  await signInWithProvider(cluster, provider.issue({ key: old! }));
  provider.keys = [makeKey('ES256')];
  await untilKnown(provider.keys[0]!);
  expect(await answerTo(provider.issue({ key: old! }))).toBe(await answerTo('nonsense'));
});

/** The provider publishes the key as well from now on, and the server knows. */
async function untilKnown(key: ReturnType<typeof makeKey>): Promise<void> {
  if (!provider.keys.includes(key)) provider.keys.push(key);
  await eventually(() => signInWithProvider(cluster, provider.issue({ key })), { deadlineMs: 20_000, everyMs: 250 });
}
