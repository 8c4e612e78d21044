import { createHmac, generateKeyPairSync, randomBytes } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { EncryptJWT, SignJWT } from 'jose';
import type { JWTPayload } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createClient, openSocket } from '../support/client.ts';
import { backend, startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { toParams } from '../support/document.ts';
import { claimsOf, headerOf, renew, signIn } from '../support/devices.ts';
import { graphql } from '../support/generated/index.ts';
import type { RegisterInput } from '../support/generated/graphql.ts';
import { registerPerson } from '../support/people.ts';
import { eventually } from '../support/wait.ts';

const Register = graphql(/* GraphQL */ `
  mutation RegisterAccount($input: RegisterInput!) {
    register(input: $input) {
      accessToken
      accessTokenExpiresAt
      refreshToken
      refreshTokenExpiresAt
      user {
        id
        email
        firstName
        lastName
        avatarUrl
        createdAt
      }
    }
  }
`);

const Login = graphql(/* GraphQL */ `
  mutation LoginAccount($input: LoginInput!) {
    login(input: $input) {
      accessToken
      refreshToken
      user {
        id
        email
      }
    }
  }
`);

const WhoAmI = graphql(/* GraphQL */ `
  query WhoSignedIn {
    me {
      id
    }
  }
`);

const DeviceNames = graphql(/* GraphQL */ `
  query DeviceNames {
    sessions {
      deviceName
      isCurrent
    }
  }
`);

const Verify = graphql(/* GraphQL */ `
  query VerifyAnyToken($token: String!) {
    verifyToken(token: $token)
  }
`);

const Logout = graphql(/* GraphQL */ `
  mutation LogoutToVerify {
    logout
  }
`);

const secret = randomBytes(32).toString('hex');

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ env: { JWT_SECRET: secret } });
});
afterAll(() => cluster?.stop());

const nobody = (nodeIndex = 0) => createClient(cluster.node(nodeIndex));

function newAccount(overrides: Partial<RegisterInput> = {}): RegisterInput {
  return {
    email: `someone-${randomBytes(6).toString('hex')}@example.test`,
    password: `amber-lantern-${randomBytes(4).toString('hex')}`,
    firstName: 'Grace',
    lastName: 'Hopper',
    ...overrides,
  };
}

const register = async (input: RegisterInput, nodeIndex = 0) =>
  (await nobody(nodeIndex).request(Register, { input })).register;

const login = async (input: { email: string; password: string; deviceName?: string }, nodeIndex = 0) =>
  (await nobody(nodeIndex).request(Login, { input })).login;

const loginOf = ({ email, password }: { email: string; password: string }) => ({ email, password });

const verify = async (token: string, nodeIndex = 0) => (await nobody(nodeIndex).request(Verify, { token })).verifyToken;

describe('register', () => {
  it('makes an account and signs in, on every node', async () => {
    const input = newAccount({ firstName: '  Grace ', lastName: ' Brewster Hopper  ' });
    const startedAt = Date.now();
    const grace = await register(input);
    expect(grace.user).toMatchObject({
      email: input.email,
      firstName: 'Grace',
      lastName: 'Brewster Hopper',
      avatarUrl: null,
    });
    expect(Math.abs(Date.parse(grace.user.createdAt) - startedAt)).toBeLessThan(10_000);
    for (const node of cluster.nodes)
      expect((await createClient(node, { token: grace.accessToken }).request(WhoAmI)).me.id).toBe(grace.user.id);
  });

  it('says when the tokens end: after 30 minutes, and after 180 days', async () => {
    const startedAt = Date.now();
    const grace = await register(newAccount());
    const accessMs = Date.parse(grace.accessTokenExpiresAt) - startedAt;
    const refreshMs = Date.parse(grace.refreshTokenExpiresAt) - startedAt;
    expect(Math.abs(accessMs - 30 * 60_000)).toBeLessThan(10_000);
    expect(Math.abs(refreshMs - 180 * 86_400_000)).toBeLessThan(10_000);
  });

  it('refuses an e-mail that has an account, in whatever case and on whatever node', async () => {
    const input = newAccount();
    await register(input);
    const again = newAccount({ email: ` ${input.email.toUpperCase()} ` });
    await expect(register(again, 1)).rejects.toMatchObject({ code: 'CONFLICT', status: 200 });
    await expect(login({ email: input.email, password: again.password })).rejects.toMatchObject({
      code: 'INVALID_CREDENTIALS',
    });
  });

  it('gives an e-mail that many want at once to one of them', async () => {
    const email = newAccount().email;
    const attempts = await Promise.allSettled(
      Array.from({ length: 6 }, (_, index) => register(newAccount({ email }), index % 2)),
    );
    expect(attempts.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const codes = attempts.flatMap((attempt) =>
      attempt.status === 'rejected' ? [(attempt.reason as { code: string }).code] : [],
    );
    expect(codes).toEqual(Array(5).fill('CONFLICT'));
  });

  it.each([
    ['email', ''],
    ['email', 'grace'],
    ['email', 'grace@'],
    ['email', 'gr ace@example.test'],
    ['email', 'grace\u0000@example.test'],
    ['email', `${'g'.repeat(250)}@example.test`],
    ['firstName', ''],
    ['firstName', ' \t '],
    ['firstName', '\u200b\u2060'],
    ['firstName', 'Gra\nce'],
    ['firstName', 'Gra\u0000ce'],
    ['firstName', 'Gra\ud800ce'],
    ['firstName', 'x'.repeat(61)],
    ['lastName', '   '],
    ['lastName', '🦜'.repeat(61)],
    ['password', ''],
    ['password', 'q7#Lm2z'],
    ['password', 'ж'.repeat(7)],
    ['password', `violet-${'x'.repeat(122)}`],
    ['password', 'password123'],
    ['password', 'PassWord123'],
    ['password', 'violet\ud800harbour'],
    ['deviceName', ' '],
    ['deviceName', 'x'.repeat(121)],
  ] as const)('refuses %s %j', async (field, value) => {
    await expect(register(newAccount({ [field]: value }))).rejects.toMatchObject({
      code: 'BAD_USER_INPUT',
      status: 200,
      extensions: { field: `input.${field}` },
    });
  });

  it.each([
    ['8 characters', 'q7#Lm2z!'],
    ['128 characters', `violet-${'x'.repeat(121)}`],
    ['128 characters outside the basic plane', '🦜'.repeat(128)],
    ['any script', 'гавань 港口 ميناء'],
    ['space at its ends', '  amber lantern  '],
  ])('takes a password of %s, and every character of it counts', async (_what, password) => {
    const input = newAccount({ password });
    const { user } = await register(input);
    expect((await login({ email: input.email, password })).user.id).toBe(user.id);
    const allButTheLast = [...password].slice(0, -1).join('');
    for (const wrong of [allButTheLast, `${allButTheLast}~`, `${password}~`])
      await expect(login({ email: input.email, password: wrong })).rejects.toMatchObject({
        code: 'INVALID_CREDENTIALS',
      });
  });

  it('takes names of 60 characters in any script', async () => {
    const { user } = await register(newAccount({ firstName: '🦜'.repeat(60), lastName: '李' }));
    expect(user).toMatchObject({ firstName: '🦜'.repeat(60), lastName: '李' });
  });

  it('needs no token, and none that is bad', async () => {
    const input = newAccount();
    const stranger = createClient(cluster.node(0), { token: 'nonsense' });
    await expect(stranger.request(Register, { input })).rejects.toMatchObject({ code: 'UNAUTHENTICATED', status: 401 });
    expect((await register(input)).user.email).toBe(input.email);
  });

  it.runIf(backend === 'distributed')('keeps the password as argon2id alone', async () => {
    const input = newAccount();
    const { user } = await register(input);
    const [row] = await cluster.sql<{ text: string }>('SELECT u::text AS text FROM app_user u WHERE id = $1', [
      user.id,
    ]);
    expect(row!.text).toContain('$argon2id$v=19$m=19456,t=2,p=1$');
    expect(row!.text).not.toContain(input.password);
  });
});

describe('login', () => {
  it('opens a session of its own each time, on any node', async () => {
    const grace = await registerPerson(cluster);
    const phone = await login(loginOf(grace));
    const tablet = await login(loginOf(grace), 1);
    expect(new Set([grace, phone, tablet].map(({ accessToken }) => claimsOf(accessToken).sid)).size).toBe(3);
    expect(phone.user).toEqual({ id: grace.id, email: grace.email });
    for (const token of [grace.accessToken, phone.accessToken, tablet.accessToken])
      expect((await createClient(cluster.node(1), { token }).request(WhoAmI)).me.id).toBe(grace.id);
  });

  it('takes the e-mail in any case', async () => {
    const email = `Grace.${randomBytes(6).toString('hex')}@Example.TEST`;
    const grace = await registerPerson(cluster, { email });
    for (const written of [email, email.toLowerCase(), email.toUpperCase(), ` ${email} `]) {
      const { user } = await login({ email: written, password: grace.password });
      expect(user).toEqual({ id: grace.id, email: email.toLowerCase() });
    }
  });

  it('answers a wrong password and an unknown e-mail alike, to the byte', async () => {
    const grace = await registerPerson(cluster);
    const attempt = async (input: { email: string; password: string }) => {
      const { status, text, json } = await nobody().raw({
        headers: { 'content-type': 'application/json', accept: 'application/json' },
        body: JSON.stringify(toParams(Login, { input })),
      });
      expect(json.errors[0].extensions.code).toBe('INVALID_CREDENTIALS');
      return { status, text };
    };
    const wrong = await attempt({ email: grace.email, password: 'not the password' });
    expect(wrong.status).toBe(200);
    for (const email of ['nobody@example.test', 'no address', '', 'a\u0000b@example.test', 'x'.repeat(9_000), '\ud800'])
      expect(await attempt({ email, password: grace.password }), email.slice(0, 40)).toEqual(wrong);
    for (const password of ['', 'x'.repeat(9_000), '\u0000', '\ud800', grace.password.toUpperCase()])
      expect(await attempt({ email: grace.email, password }), password.slice(0, 40)).toEqual(wrong);
  });

  it('refuses a name for the device that is none', async () => {
    const grace = await registerPerson(cluster);
    for (const deviceName of ['', '\u200b', 'a\nb', 'x'.repeat(121)])
      await expect(login({ ...loginOf(grace), deviceName })).rejects.toMatchObject({
        code: 'BAD_USER_INPUT',
        extensions: { field: 'input.deviceName' },
      });
  });

  it('refuses input that is incomplete', async () => {
    const input = { email: 'grace@example.test' } as { email: string; password: string };
    await expect(login(input)).rejects.toMatchObject({ code: 'BAD_USER_INPUT', status: 400 });
  });

  it('calls the device what it calls itself, else by its User-Agent', async () => {
    const grace = await registerPerson(cluster);
    const as = (userAgent: string) => createClient(cluster.node(0), { headers: { 'user-agent': userAgent } });
    const current = async (accessToken: string) => {
      const { sessions } = await createClient(cluster.node(1), { token: accessToken }).request(DeviceNames);
      return sessions.find(({ isCurrent }) => isCurrent)!.deviceName;
    };
    const named = await as('Browser/1').request(Login, { input: { ...loginOf(grace), deviceName: ' Grace’s phone ' } });
    expect(await current(named.login.accessToken)).toBe('Grace’s phone');
    const unnamed = await as('Browser/2').request(Login, { input: loginOf(grace) });
    expect(await current(unnamed.login.accessToken)).toBe('Browser/2');
    const verbose = await as(`Browser/3 ${'x'.repeat(300)}`).request(Login, { input: loginOf(grace) });
    expect(await current(verbose.login.accessToken)).toBe(`Browser/3 ${'x'.repeat(110)}`);
    const registered = await as('Browser/4').request(Register, { input: newAccount() });
    expect(await current(registered.register.accessToken)).toBe('Browser/4');
  });
});

describe('the access token', () => {
  it('is a JSON Web Token with what it needs and nothing else', async () => {
    const startedAt = Math.floor(Date.now() / 1000);
    const grace = await registerPerson(cluster);
    const kid = headerOf(grace.accessToken).kid;
    expect(headerOf(grace.accessToken)).toEqual({
      alg: 'HS256',
      kid: expect.stringMatching(/^[\w-]+$/),
      typ: 'at+jwt',
    });
    const claims = claimsOf(grace.accessToken);
    expect(claims).toEqual({
      iss: 'parley',
      aud: 'parley',
      sub: grace.id,
      sid: expect.stringMatching(/^[0-9a-f-]{36}$/),
      jti: expect.stringMatching(/^[0-9a-f-]{36}$/),
      iat: expect.any(Number),
      exp: claims.iat + 30 * 60,
      gen: 0,
    });
    expect(claims.iat).toBeGreaterThanOrEqual(startedAt);
    expect(claims.iat).toBeLessThanOrEqual(Math.ceil(Date.now() / 1000));
    const [header, payload, signature] = grace.accessToken.split('.');
    expect(signature).toBe(createHmac('sha256', secret).update(`${header}.${payload}`).digest('base64url'));

    const elsewhere = await signIn(cluster, grace, { nodeIndex: 1 });
    expect(headerOf(elsewhere.accessToken).kid).toBe(kid);
    expect(claimsOf(elsewhere.accessToken).jti).not.toBe(claims.jti);
  });
});

/** Signed with the servers' own key, with whatever is to be wrong. */
function craft(
  accessToken: string,
  { header, payload, key = secret }: { header?: object; payload?: object; key?: string } = {},
): string {
  const encode = (part: unknown) =>
    Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url');
  const content = `${encode({ ...headerOf(accessToken), ...header })}.${encode({ ...claimsOf(accessToken), ...payload })}`;
  return `${content}.${createHmac('sha256', key).update(content).digest('base64url')}`;
}

/** As `craft`, with a header and a payload that are any text. */
function craftText(accessToken: string, change: (header: string) => string, payload?: string): string {
  const parts = [change(JSON.stringify(headerOf(accessToken))), payload ?? JSON.stringify(claimsOf(accessToken))];
  const content = parts.map((part) => Buffer.from(part).toString('base64url')).join('.');
  return `${content}.${createHmac('sha256', secret).update(content).digest('base64url')}`;
}

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ed25519 = generateKeyPairSync('ed25519');
const elsewhere = { jku: 'https://evil.example/jwks.json', x5u: 'https://evil.example/x5u.pem' };
const unsigned = (token: string) => token.replace(/[^.]+$/, '');
const ago = (seconds: number) => Math.floor(Date.now() / 1000) - seconds;

/** Each made of a token that is good. */
const forgeries: Array<[what: string, make: (token: string) => string | Promise<string>]> = [
  ['of another key', (token) => craft(token, { key: 'x'.repeat(32) })],
  ['without a signature', unsigned],
  ['of alg none', (token) => unsigned(craft(token, { header: { alg: 'none' } }))],
  ['of alg None', (token) => unsigned(craft(token, { header: { alg: 'None' } }))],
  ['of no alg', (token) => craft(token, { header: { alg: undefined } })],
  ['of HS512', (token) => signAs(token, { alg: 'HS512' })],
  ['of RS256 in name', (token) => craft(token, { header: { alg: 'RS256' } })],
  ['of an unknown kid', (token) => craft(token, { header: { kid: 'other' } })],
  ['of a kid that climbs', (token) => craft(token, { header: { kid: '../../dev/null' } })],
  ['of a kid with SQL', (token) => craft(token, { header: { kid: `' OR 1=1 --` } })],
  ['of no kid', (token) => craft(token, { header: { kid: undefined } })],
  ['of another typ', (token) => craft(token, { header: { typ: 'JWT' } })],
  ['of no typ', (token) => craft(token, { header: { typ: undefined } })],
  ['with a crit that nobody knows', (token) => craft(token, { header: { crit: ['exp2'], exp2: 1 } })],
  ['with its payload unencoded', (token) => craft(token, { header: { b64: false, crit: ['b64'] } })],
  [
    'with a key of its own',
    (token) => craft(token, { key: 'k'.repeat(32), header: { jwk: { kty: 'oct', k: btoa('k'.repeat(32)) } } }),
  ],
  ['that says where its key is', (token) => craft(token, { key: 'k'.repeat(32), header: elsewhere })],
  ['of RS256, signed by somebody', (token) => signAs(token, { alg: 'RS256' }, rsa.privateKey)],
  ['of EdDSA, signed by somebody', (token) => signAs(token, { alg: 'EdDSA' }, ed25519.privateKey)],
  ['of a kid without end', (token) => craft(token, { header: { kid: 'k'.repeat(1_000) } })],
  ['that names its algorithm twice', (token) => craftText(token, (header) => header.replace('}', ',"alg":"none"}'))],
  ['that is encrypted', encrypt],
  ['that holds another', (token) => craftText(token, (header) => header, token)],
  ['of another issuer', (token) => craft(token, { payload: { iss: 'other' } })],
  ['for another audience', (token) => craft(token, { payload: { aud: 'other' } })],
  ['without exp', (token) => craft(token, { payload: { exp: undefined } })],
  ['with exp as text', (token) => craft(token, { payload: { exp: '4102444800' } })],
  ['with a broken exp', (token) => craft(token, { payload: { exp: 4102444800.5 } })],
  ['with an end beyond all time', (token) => craft(token, { payload: { exp: 1e300 } })],
  ['not valid yet', (token) => craft(token, { payload: { nbf: ago(-60) } })],
  ['without iat', (token) => craft(token, { payload: { iat: undefined } })],
  ['without jti', (token) => craft(token, { payload: { jti: undefined } })],
  ['without sub', (token) => craft(token, { payload: { sub: undefined } })],
  ['with sub as a number', (token) => craft(token, { payload: { sub: 7 } })],
  ['with sub no id', (token) => craft(token, { payload: { sub: 'grace' } })],
  ['without sid', (token) => craft(token, { payload: { sid: undefined } })],
  ['with sid no id', (token) => craft(token, { payload: { sid: `' OR 1=1 --` } })],
  ['of a generation below zero', (token) => craft(token, { payload: { gen: -1 } })],
  ['of 3,000 characters', (token) => craft(token, { payload: { pad: 'x'.repeat(3_000) } })],
  ['with a part too many', (token) => `${token}.${token.split('.')[2]}`],
  ['with something behind it', (token) => `${token}AAAA`],
  ['with a part too few', (token) => token.split('.').slice(0, 2).join('.')],
  [
    'with a changed character',
    (token) => token.replace(/^(.{60})(.)/, (_all, head, c) => head + (c === 'A' ? 'B' : 'A')),
  ],
];

async function signAs(token: string, header: { alg: string }, key?: KeyObject): Promise<string> {
  return new SignJWT(claimsOf(token) as unknown as JWTPayload)
    .setProtectedHeader({ ...headerOf(token), ...header })
    .sign(key ?? new TextEncoder().encode(secret));
}

async function encrypt(token: string): Promise<string> {
  return new EncryptJWT(claimsOf(token) as unknown as JWTPayload)
    .setProtectedHeader({ ...headerOf(token), alg: 'dir', enc: 'A256GCM' })
    .encrypt(new TextEncoder().encode(secret).subarray(0, 32));
}

describe('verifyToken', () => {
  it('says yes to both tokens of a session, on every node, whoever asks', async () => {
    const grace = await registerPerson(cluster);
    for (const nodeIndex of [0, 1]) {
      expect(await verify(grace.accessToken, nodeIndex)).toBe(true);
      expect(await verify(grace.refreshToken, nodeIndex)).toBe(true);
    }
    const stranger = await registerPerson(cluster);
    expect((await stranger.client().request(Verify, { token: grace.accessToken })).verifyToken).toBe(true);
  });

  it('says no once the session has ended', async () => {
    const grace = await registerPerson(cluster);
    const other = await signIn(cluster, grace);
    expect(await verify(grace.accessToken, 1)).toBe(true);
    await grace.client().request(Logout);
    expect(await verify(grace.refreshToken, 1)).toBe(false);
    expect(await verify(grace.accessToken, 0)).toBe(false);
    await eventually(async () => expect(await verify(grace.accessToken, 1)).toBe(false), { deadlineMs: 2_000 });
    expect(await verify(other.accessToken, 1)).toBe(true);
  });

  it('says yes to a rotated refresh token until its successor is used', async () => {
    const grace = await registerPerson(cluster);
    const second = await renew(cluster, grace.refreshToken);
    expect(await verify(grace.refreshToken, 1)).toBe(true);
    expect(await verify(second.refreshToken, 1)).toBe(true);
    const third = await renew(cluster, second.refreshToken);
    expect(await verify(grace.refreshToken)).toBe(false);
    expect(await verify(second.refreshToken)).toBe(true);
    expect(await verify(third.refreshToken)).toBe(true);
  });

  it('says no to an expired access token', async () => {
    const grace = await registerPerson(cluster);
    expect(await verify(craft(grace.accessToken, { payload: { exp: ago(-5) } }))).toBe(true);
    const expired = craft(grace.accessToken, { payload: { exp: ago(1) } });
    expect(await verify(expired)).toBe(false);
    await expect(createClient(cluster.node(0), { token: expired }).request(WhoAmI)).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
      status: 401,
      extensions: { reason: 'TOKEN_EXPIRED' },
    });
  });

  it('says no to somebody else’s session', async () => {
    const [grace, stranger] = [await registerPerson(cluster), await registerPerson(cluster)];
    const mixed = craft(stranger.accessToken, { payload: { sub: grace.id } });
    await expect(createClient(cluster.node(0), { token: mixed }).request(WhoAmI)).rejects.toMatchObject({
      status: 401,
    });
    expect(await verify(mixed)).toBe(false);
  });

  it.each(['', ' ', 'prt_', 'nonsense', '..', 'a.b.c', '\u0000', '\ud800', 'x'.repeat(50_000), '{}'])(
    'says no to %j',
    async (token) => {
      expect(await verify(token)).toBe(false);
    },
  );

  it('refuses to be asked without a token', async () => {
    await expect(nobody().request(Verify, {} as { token: string })).rejects.toMatchObject({
      code: 'BAD_USER_INPUT',
      status: 400,
    });
  });

  describe('and every request', () => {
    let good: string;
    let refusal: string;
    beforeAll(async () => {
      good = (await registerPerson(cluster)).accessToken;
      refusal = (await ask('nonsense')).text;
    });

    const ask = (token: string) =>
      nobody().raw({
        headers: {
          'content-type': 'application/json',
          accept: 'application/json',
          authorization: `Bearer ${token}`,
        },
        body: JSON.stringify(toParams(WhoAmI)),
      });

    it('takes a token that is made as the forgeries are, but with nothing wrong', async () => {
      expect((await ask(craft(good))).status).toBe(200);
      expect(await verify(craft(good))).toBe(true);
    });

    it.each(forgeries)('refuses a token %s, in the same words', async (_what, make) => {
      const forged = await make(good);
      const { status, text, headers } = await ask(forged);
      expect(status).toBe(401);
      expect(text).toBe(refusal);
      expect(headers['www-authenticate']).toMatch(/^Bearer/);
      expect(await verify(forged)).toBe(false);
      await expect(openSocket(cluster.node(0), { authorization: `Bearer ${forged}` })).rejects.toMatchObject({
        code: 4403,
        reason: 'Bad token',
      });
    });
  });
});
