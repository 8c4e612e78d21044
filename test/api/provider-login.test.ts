import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createClient } from '../support/client.ts';
import { backend, startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { renew } from '../support/devices.ts';
import { toParams } from '../support/document.ts';
import { graphql } from '../support/generated/index.ts';
import { makeKey, now, startIdentityProvider } from '../support/identity-provider.ts';
import type { IdentityProvider } from '../support/identity-provider.ts';
import { openDirectChat, registerPerson, send, signInPerson } from '../support/people.ts';
import type { Person } from '../support/people.ts';
import { signInWithProvider } from '../support/provider-devices.ts';
import type { ProviderDevice } from '../support/provider-devices.ts';
import { CONFLICT, nobody, refusal, SIGN_IN_FIRST } from '../support/refusals.ts';
import { eventually, within } from '../support/wait.ts';

const Link = graphql(/* GraphQL */ `
  mutation LinkProvider($input: LinkProviderInput!) {
    linkProvider(input: $input)
  }
`);

const DeleteWithProvider = graphql(/* GraphQL */ `
  mutation DeleteWithProvider($idToken: String!) {
    deleteAccountWithProvider(idToken: $idToken)
  }
`);

const Found = graphql(/* GraphQL */ `
  query FoundByName($search: String!) {
    users(search: $search) {
      edges {
        node {
          id
        }
      }
    }
  }
`);

const Heard = graphql(/* GraphQL */ `
  subscription HeardBySomebodyFromElsewhere($chatId: ID!) {
    messageAdded(chatId: $chatId, afterSeq: 0) {
      body
    }
  }
`);

const WHO = '{ me { id email } }';
/** Promise 5. */
const SILENCED_MS = 2_000;
const REFUSED = { code: 'INVALID_CREDENTIALS' };

let cluster: Cluster;
let provider: IdentityProvider;
beforeAll(async () => {
  provider = await startIdentityProvider();
  provider.keys.push(makeKey('EdDSA'), makeKey('RS256'), makeKey('PS256'));
  cluster = await startCluster({ env: provider.env });
});
afterAll(async () => {
  await cluster?.stop();
  await provider?.close();
});

const newEmail = () => `someone-${randomUUID()}@example.test`;
/** Letters alone, so that it is one word to be found by. */
const newName = () => randomUUID().replace(/[-0-9]/g, '');
const issue = (claims: Record<string, unknown> = {}) => provider.issue({ claims });
const signIn = (claims: Record<string, unknown> = {}, nodeIndex = 0) =>
  signInWithProvider(cluster, issue(claims), { nodeIndex });
const signInApart = (claims: Record<string, unknown>, nodeIndex = 0) =>
  signInWithProvider(cluster, issue(claims), { nodeIndex, separate: true });
const vouched = (email: string) => ({ email, email_verified: true });
const link = (person: Person, idToken: string, password = person.password) =>
  person.client().request(Link, { input: { idToken, password } });
const deleteWith = (device: Pick<ProviderDevice, 'client'>, idToken: string) =>
  device.client().request(DeleteWithProvider, { idToken });

const IDENTITIES = '{ identities { issuer linkedAt } }';
const identitiesOf = async (person: Person) => {
  const { identities } = (await person.client(1).request(IDENTITIES)) as {
    identities: Array<{ issuer: string; linkedAt: string }>;
  };
  return identities;
};
const unlink = (person: Person, password = person.password) =>
  person.client().request('mutation ($password: String!) { unlinkProvider(password: $password) }', { password });

/** On every node. */
const expectOver = (device: Pick<ProviderDevice, 'client'>) =>
  eventually(
    async () => {
      for (const nodeIndex of [0, 1])
        expect(await refusal(device.client(nodeIndex).request(WHO))).toMatchObject({ code: 'UNAUTHENTICATED' });
    },
    { deadlineMs: SILENCED_MS },
  );

describe('somebody whom the provider vouches for', () => {
  it('gets an account at the first time and finds it ever after, on every node', async () => {
    const email = newEmail();
    const claims = { sub: randomUUID(), given_name: 'Grace', family_name: 'Hopper', ...vouched(email.toUpperCase()) };
    const first = await signIn(claims);
    expect(first.user).toEqual({ id: expect.any(String), email, firstName: 'Grace', lastName: 'Hopper' });
    const second = await signIn(claims, 1);
    expect(second.user).toEqual(first.user);
    expect(second.sessionId).not.toBe(first.sessionId);
    for (const device of [first, second])
      expect(await device.client(1).request(WHO)).toEqual({ me: { id: first.user.id, email } });
  });

  it('is found by the subject, to the letter, whatever else the token says by now', async () => {
    const sub = `abc|${randomUUID()}`;
    const { user } = await signIn({ sub, name: 'Ann Lee', ...vouched(newEmail()) });
    expect((await signIn({ sub, name: 'Another Name', ...vouched(newEmail()) })).user).toEqual(user);
    expect((await signIn({ sub: sub.toUpperCase() })).user.id).not.toBe(user.id);
    expect((await signIn({ sub: `${sub} ` })).user.id).not.toBe(user.id);
  });

  it.each([0, 1, 2, 3])('counts with key %i of the provider’s', async (index) => {
    const key = provider.keys[index]!;
    const { user } = await signInWithProvider(cluster, provider.issue({ key, claims: { name: key.algorithm } }));
    expect(user.firstName).toBe(key.algorithm);
  });

  it('is kept without an e-mail that was not verified, or is none', async () => {
    for (const claims of [
      {},
      { email: newEmail() },
      { email: newEmail(), email_verified: false },
      { email: newEmail(), email_verified: 'yes' },
      { email: newEmail(), email_verified: 1 },
      { email: 'no address', email_verified: true },
      { email: ['a@example.test'], email_verified: true },
      { email_verified: true },
    ])
      expect((await signIn(claims)).user.email, JSON.stringify(claims)).toBeNull();
    const email = newEmail();
    expect((await signIn({ email, email_verified: 'true' })).user.email).toBe(email);
  });

  it('has names that keep the rules, and may change them', async () => {
    const named = await signIn({ given_name: `  Gra\u0000ce\n${'x'.repeat(80)}`, family_name: '\u200b' });
    expect(named.user).toMatchObject({ firstName: `Gra ce ${'x'.repeat(53)}`, lastName: '–' });
    const nameless = await signIn({ given_name: 7, name: {} });
    expect(nameless.user).toMatchObject({ firstName: 'New', lastName: 'Member' });
    const rename = 'mutation { updateProfile(input: { firstName: "Ann" }) { firstName lastName } }';
    for (const device of [named, nameless]) await device.client().request(rename);
  });

  it('takes part like anybody, found by name', async () => {
    const [ann, name] = [await registerPerson(cluster), newName()];
    const bob = await signIn({ name: `Bob ${name}` });
    const found = await ann.client().request(Found, { search: name });
    expect(found.users.edges.map(({ node }) => node.id)).toEqual([bob.user.id]);
    const { id: chatId } = await openDirectChat(ann, { ...ann, id: bob.user.id });
    const stream = await bob.client(1).subscribe(Heard, { chatId });
    await send(ann, { id: chatId }, 'welcome');
    expect(await stream.next()).toEqual({ messageAdded: { body: 'welcome' } });
    await stream.close();
  });

  it('may call the device by a name, which keeps the rules for one', async () => {
    const device = await signInWithProvider(cluster, issue(), { deviceName: ' Ann’s phone ' });
    expect(await device.client().request('{ sessions { deviceName } }')).toEqual({
      sessions: [{ deviceName: 'Ann’s phone' }],
    });
    await expect(signInWithProvider(cluster, issue(), { deviceName: 'a\nb' })).rejects.toMatchObject({
      code: 'BAD_USER_INPUT',
      extensions: { field: 'input.deviceName' },
    });
  });
});

describe('an e-mail that an account has', () => {
  it.each([
    ['by password', async (email: string) => (await registerPerson(cluster, { email })).id],
    ['by the provider', async (email: string) => (await signIn(vouched(email))).user.id],
  ])('opens no account that somebody made %s, and keeps nobody out', async (_how, make) => {
    const email = newEmail();
    const first = await make(email);
    for (const written of [email, ` ${email.toUpperCase()} `]) {
      const claims = { sub: randomUUID(), ...vouched(written) };
      expect(await refusal(signIn(claims))).toEqual(CONFLICT);
      const { user } = await signInApart(claims);
      expect(user.id).not.toBe(first);
      expect(user.email).toBeNull();
      expect((await signIn(claims, 1)).user).toEqual(user);
      expect((await signInApart(claims)).user).toEqual(user);
    }
  });

  it('does not come off the account of whoever asks for a separate one and need not', async () => {
    const email = newEmail();
    const claims = { sub: randomUUID(), ...vouched(email) };
    const { user } = await signInApart(claims);
    expect(user.email).toBe(email);
    expect((await signIn(claims)).user).toEqual(user);
  });

  it('leaves nothing behind that would keep its owner out', async () => {
    const { email } = await registerPerson(cluster);
    const sub = randomUUID();
    expect(await refusal(signIn({ sub, ...vouched(email) }, 1))).toEqual(CONFLICT);
    expect((await signIn({ sub })).user.email).toBeNull();
  });

  it('that is not verified is nobody’s', async () => {
    const ann = await registerPerson(cluster);
    const { user } = await signIn({ email: ann.email, email_verified: false });
    expect(user.id).not.toBe(ann.id);
    expect(user.email).toBeNull();
  });

  it('stays taken for those who sign up', async () => {
    const email = newEmail();
    await signIn(vouched(email));
    expect(await refusal(registerPerson(cluster, { email }))).toEqual(CONFLICT);
  });
});

describe('twenty first times at once', () => {
  it.each([
    ['with an e-mail', async () => vouched(newEmail())],
    ['with one that somebody has', async () => vouched((await registerPerson(cluster)).email)],
    ['without one', async () => ({})],
  ])('make one account, %s', async (_what, more) => {
    const name = newName();
    const claims = { sub: randomUUID(), name: `Ann ${name}`, ...(await more()) };
    const devices = await Promise.all(Array.from({ length: 20 }, (_, nth) => signInApart(claims, nth % 2)));
    const ids = new Set(devices.map(({ user }) => user.id));
    expect(ids.size).toBe(1);
    expect(new Set(devices.map(({ sessionId }) => sessionId)).size).toBe(20);
    const found = await (await registerPerson(cluster)).client().request(Found, { search: name });
    expect(found.users.edges.map(({ node }) => node.id)).toEqual([...ids]);
    for (const device of devices)
      expect(await device.client().request('{ me { id } }')).toEqual({ me: { id: [...ids][0] } });
  });
});

describe('the session', () => {
  it('ends by logout, for its tokens and its listeners', async () => {
    const [ann, bob] = [await registerPerson(cluster), await signIn()];
    const { id: chatId } = await openDirectChat(ann, { ...ann, id: bob.user.id });
    await send(ann, { id: chatId }, 'hello');
    const stream = await bob.client(1).subscribe(Heard, { chatId });
    expect(await stream.next()).toEqual({ messageAdded: { body: 'hello' } });
    await bob.client().request('mutation { logout }');
    expect(await within(stream.end, SILENCED_MS, 'the end of the subscription')).toMatchObject({
      kind: 'error',
      errors: [{ extensions: { code: 'UNAUTHENTICATED' } }],
    });
    await expectOver(bob);
    expect(await refusal(renew(cluster, bob.refreshToken))).toEqual({ code: 'INVALID_REFRESH_TOKEN' });
  });

  it('is ended from another device, and no other with it', async () => {
    const claims = { sub: randomUUID() };
    const [lost, own] = [await signIn(claims), await signIn(claims)];
    const revoke = 'mutation ($id: ID) { revokeSessions(id: $id) }';
    expect(await own.client(1).request(revoke, { id: lost.sessionId })).toEqual({ revokeSessions: 1 });
    await expectOver(lost);
    await own.client().request(WHO);
  });

  it('refreshes as any other does, and ends when a used token comes back', async () => {
    const device = await signIn();
    const { refreshToken } = await renew(cluster, device.refreshToken);
    await renew(cluster, refreshToken, 1);
    expect(await refusal(renew(cluster, device.refreshToken))).toEqual({ code: 'REFRESH_TOKEN_REUSED' });
  });
});

describe('an account without a password', () => {
  it('is opened by none, in the very words of a wrong one', async () => {
    const email = newEmail();
    await signIn(vouched(email));
    const login = async (email: string, password: string) => {
      const query = 'mutation ($input: LoginInput!) { login(input: $input) { accessToken } }';
      const { status, text } = await nobody(cluster).raw({
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(toParams(query, { input: { email, password } })),
      });
      expect(text).toContain('"code":"INVALID_CREDENTIALS"');
      return { status, text };
    };
    const unknown = await login(newEmail(), 'violet harbour');
    for (const password of ['', 'null', 'undefined', 'no account has this password', 'violet harbour'])
      expect(await login(email, password), password).toEqual(unknown);
  });

  it('is told that it has none where one is asked for', async () => {
    const device = await signIn();
    for (const ask of [
      'mutation { changePassword(currentPassword: "", newPassword: "copper lantern 7") }',
      'mutation { deleteAccount(password: "") }',
      'mutation { unlinkProvider(password: "") }',
      `mutation { linkProvider(input: { idToken: "${issue()}", password: "" }) }`,
    ])
      expect(await refusal(device.client().request(ask))).toEqual({ code: 'FORBIDDEN' });
    await device.client().request(WHO);
  });

  it('is deleted with a fresh token of the provider, on every device', async () => {
    const claims = { sub: randomUUID(), ...vouched(newEmail()) };
    const [device, other] = [await signIn(claims), await signIn(claims, 1)];
    expect(await deleteWith(device, issue(claims))).toEqual({ deleteAccountWithProvider: true });
    for (const one of [device, other]) await expectOver(one);
    const again = await signIn(claims);
    expect(again.user.id).not.toBe(device.user.id);
    expect(again.user.email).toBe(claims.email);
  });

  it('is not deleted with any other token', async () => {
    const claims = { sub: randomUUID() };
    const device = await signIn(claims);
    const stranger = { sub: randomUUID() };
    await signIn(stranger);
    for (const idToken of [
      issue(stranger),
      issue({ sub: randomUUID() }),
      issue({ ...claims, iat: now() - 360 }),
      issue({ ...claims, exp: now() - 60 }),
      provider.issue({ claims, sign: () => Buffer.alloc(64) }),
      device.accessToken,
      '',
    ])
      expect(await refusal(deleteWith(device, idToken))).toEqual(REFUSED);
    expect(await device.client().request('{ me { id } }')).toEqual({ me: { id: device.user.id } });
    expect(await refusal(nobody(cluster).request(DeleteWithProvider, { idToken: issue(claims) }))).toEqual(
      SIGN_IN_FIRST,
    );
  });
});

/** What comes of an attempt that waits for a transaction, which commits. */
async function attemptDuring<T>(statement: string, { id }: Person, attempt: () => Promise<T>, waiting: string) {
  const other = new pg.Client({ connectionString: cluster.databaseUrl! });
  await other.connect();
  try {
    await other.query('BEGIN');
    await other.query(statement, [id]);
    const outcome = attempt();
    await eventually(async () => {
      const rows = await cluster.sql(
        `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE $1`,
        [`%${waiting}%`],
      );
      expect(rows).toHaveLength(1);
    });
    await other.query('COMMIT');
    return await outcome;
  } finally {
    await other.end();
  }
}

describe('an account that is linked', () => {
  it('is opened by the provider and by its password', async () => {
    const ann = await registerPerson(cluster);
    const claims = { sub: randomUUID(), ...vouched(ann.email) };
    expect(await link(ann, issue(claims))).toEqual({ linkProvider: true });
    expect(await link(ann, issue(claims))).toEqual({ linkProvider: true });
    expect((await signIn(claims, 1)).user).toMatchObject({ id: ann.id, email: ann.email, firstName: ann.firstName });
    expect((await signInPerson(cluster, ann)).id).toBe(ann.id);
  });

  const change = (person: Person, keepIdentities?: boolean) =>
    person.client().request(
      `mutation ($old: String!, $keep: Boolean) {
        changePassword(currentPassword: $old, newPassword: "copper lantern 7", keepIdentities: $keep)
      }`,
      { old: person.password, ...(keepIdentities !== undefined && { keep: keepIdentities }) },
    );

  it('is opened by the new password alone when that is changed, and its sessions end', async () => {
    const ann = await registerPerson(cluster);
    const claims = { sub: randomUUID() };
    await link(ann, issue(claims));
    const device = await signIn(claims);
    await change(ann);
    await expectOver(device);
    expect(await identitiesOf(ann)).toEqual([]);
    expect((await signIn(claims)).user.id).not.toBe(ann.id);
    expect((await signInPerson(cluster, { ...ann, password: 'copper lantern 7' })).id).toBe(ann.id);
  });

  it('goes on being opened by the provider where its owner says so', async () => {
    const ann = await registerPerson(cluster);
    const claims = { sub: randomUUID() };
    await link(ann, issue(claims));
    const device = await signIn(claims);
    await change(ann, true);
    await expectOver(device);
    expect((await signIn(claims)).user.id).toBe(ann.id);
  });

  it('shows its owner what it is linked to, and nobody else', async () => {
    const [ann, bob] = [await registerPerson(cluster), await registerPerson(cluster)];
    expect(await identitiesOf(ann)).toEqual([]);
    const before = Date.now();
    await link(ann, issue());
    const [identity, ...others] = await identitiesOf(ann);
    expect(others).toEqual([]);
    expect(identity!.issuer).toBe(provider.issuer);
    // Of this machine, as the database's clock is.
    expect(Math.abs(Date.parse(identity!.linkedAt) - before)).toBeLessThan(60_000);
    expect(await identitiesOf(bob)).toEqual([]);
    expect(await refusal(nobody(cluster).request(IDENTITIES))).toEqual(SIGN_IN_FIRST);
    const cem = await signIn();
    expect(await cem.client(1).request(IDENTITIES)).toMatchObject({ identities: [{ issuer: provider.issuer }] });
  });

  it('is unlinked with the password, after which the provider opens it no longer', async () => {
    const ann = await registerPerson(cluster);
    const claims = { sub: randomUUID() };
    await link(ann, issue(claims));
    const device = await signIn(claims);
    expect(await refusal(unlink(ann, 'not the password'))).toEqual({ ...REFUSED, field: 'password' });
    expect(await identitiesOf(ann)).toHaveLength(1);
    expect(await unlink(ann)).toEqual({ unlinkProvider: true });
    expect(await unlink(ann)).toEqual({ unlinkProvider: true });
    expect(await identitiesOf(ann)).toEqual([]);
    // What is signed in stays so.
    await device.client(1).request(WHO);
    expect((await signIn(claims)).user.id).not.toBe(ann.id);
    expect((await signInPerson(cluster, ann)).id).toBe(ann.id);
    const told = cluster.nodes
      .flatMap(({ logs }) => logs)
      .filter((line) => line.includes('security.provider_unlinked') && line.includes(ann.id));
    expect(told).toHaveLength(1);
  });

  it.runIf(backend === 'distributed')('is not unlinked with a password that is just being changed', async () => {
    const ann = await registerPerson(cluster);
    await link(ann, issue());
    const change = `UPDATE app_user SET password_hash = 'another' WHERE id = $1`;
    const attempt = () => refusal(unlink(ann));
    expect(await attemptDuring(change, ann, attempt, 'DELETE FROM app_user_identity')).toEqual({
      ...REFUSED,
      field: 'password',
    });
    expect(await identitiesOf(ann)).toHaveLength(1);
  });

  it('may be linked when whoever signed in apart from it has let go of the account that this made', async () => {
    const ann = await registerPerson(cluster);
    const claims = { sub: randomUUID(), ...vouched(ann.email) };
    const device = await signInApart(claims);
    expect(await refusal(link(ann, issue(claims)))).toEqual(CONFLICT);
    await deleteWith(device, issue(claims));
    await link(ann, issue(claims));
    expect((await signIn(claims)).user).toMatchObject({ id: ann.id, email: ann.email });
  });

  it('has one identity of a provider at most, and another once that is gone', async () => {
    const ann = await registerPerson(cluster);
    const [first, second] = [{ sub: randomUUID() }, { sub: randomUUID() }];
    await link(ann, issue(first));
    expect(await refusal(link(ann, issue(second)))).toEqual(CONFLICT);
    expect(await identitiesOf(ann)).toHaveLength(1);
    expect((await signIn(first)).user.id).toBe(ann.id);
    await unlink(ann);
    await link(ann, issue(second));
    expect((await signIn(second)).user.id).toBe(ann.id);
  });

  it.runIf(backend === 'distributed')('is not linked with a password that is just being changed', async () => {
    const ann = await registerPerson(cluster);
    const attempt = () => refusal(link(ann, issue()));
    const change = `UPDATE app_user SET password_hash = 'another' WHERE id = $1`;
    expect(await attemptDuring(change, ann, attempt, 'INSERT INTO app_user_identity')).toEqual({
      ...REFUSED,
      field: 'input.password',
    });
  });

  it('is linked with a token that was issued just now', async () => {
    const ann = await registerPerson(cluster);
    expect(await refusal(link(ann, issue({ iat: now() - 360 })))).toEqual(REFUSED);
    expect(await identitiesOf(ann)).toEqual([]);
    await link(ann, issue({ iat: now() - 240 }));
  });

  it.runIf(backend === 'distributed').each([
    ['unlinked', 'DELETE FROM app_user_identity WHERE user_id = $1'],
    ['deleted', 'DELETE FROM app_user WHERE id = $1'],
  ])('that is being %s opens for nobody who has shown the token already', async (_how, removal) => {
    const ann = await registerPerson(cluster);
    const claims = { sub: randomUUID() };
    await link(ann, issue(claims));
    const attempt = () => refusal(signIn(claims));
    expect(await attemptDuring(removal, ann, attempt, 'INSERT INTO session')).toEqual(REFUSED);
  });

  it('needs the password, and a token that counts', async () => {
    const ann = await registerPerson(cluster);
    const claims = { sub: randomUUID() };
    expect(await refusal(link(ann, issue(claims), 'not the password'))).toEqual({
      ...REFUSED,
      field: 'input.password',
    });
    expect(await refusal(link(ann, issue({ ...claims, aud: 'others' })))).toEqual(REFUSED);
    expect(await refusal(link(ann, ''))).toEqual(REFUSED);
    expect((await signIn(claims)).user.id).not.toBe(ann.id);
  });

  it('is never somebody else’s', async () => {
    const [ann, bob] = [await registerPerson(cluster), await registerPerson(cluster)];
    const claims = { sub: randomUUID() };
    await link(ann, issue(claims));
    expect(await refusal(link(bob, issue(claims)))).toEqual(CONFLICT);
    expect((await signIn(claims)).user.id).toBe(ann.id);
    const claimsOfCem = { sub: randomUUID() };
    const cem = await signIn(claimsOfCem);
    expect(await refusal(link(bob, issue(claimsOfCem)))).toEqual(CONFLICT);
    expect((await signIn(claimsOfCem)).user.id).toBe(cem.user.id);
  });

  it('takes its identities with it', async () => {
    const ann = await registerPerson(cluster);
    const claims = { sub: randomUUID() };
    await link(ann, issue(claims));
    await ann.client().request('mutation ($password: String!) { deleteAccount(password: $password) }', ann);
    expect((await signIn(claims)).user.id).not.toBe(ann.id);
  });
});

it.runIf(backend === 'distributed')('a server without a provider says so, and asks nobody', async () => {
  const node = await cluster.startNode({ OIDC_ISSUER: '', OIDC_AUDIENCE: '', OIDC_JWKS_URL: '' });
  const before = provider.requests.length;
  const ann = await registerPerson(cluster);
  const idToken = issue();
  const asks: Array<[who: string | undefined, ask: string]> = [
    [undefined, `mutation { loginWithProvider(input: { idToken: "${idToken}" }) { accessToken } }`],
    [ann.accessToken, `mutation { linkProvider(input: { idToken: "${idToken}", password: "${ann.password}" }) }`],
    [ann.accessToken, `mutation { deleteAccountWithProvider(idToken: "${idToken}") }`],
  ];
  for (const [token, ask] of asks)
    expect(await refusal(createClient(node, token === undefined ? {} : { token }).request(ask))).toEqual({
      code: 'FORBIDDEN',
    });
  expect(provider.requests.length).toBe(before);
});
