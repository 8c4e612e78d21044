import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createClient, openSocket, rawSocket } from '../support/client.ts';
import { backend, startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { renew } from '../support/devices.ts';
import { inspect, INSPECTABLE, INSPECTOR_LINES } from '../support/inspector.ts';
import { openGroup, registerPerson, send, signInPerson } from '../support/people.ts';
import type { Person } from '../support/people.ts';
import { startPrivateRedis } from '../support/redis.ts';
import { nobody, refusal } from '../support/refusals.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import type { TcpProxy } from '../support/tcp-proxy.ts';
import { eventually, within } from '../support/wait.ts';

/*
 * Whatever is asked, and however the database refuses it: nothing that somebody wrote, and nothing that signs somebody
 * in, comes into the log. What is logged of an error is what kind it is and where it arose.
 */

/** Something that can be told from all else, and whose traces are looked for. */
const mark = (what: string) => `${what}-${randomBytes(6).toString('hex')}`;

const CHANGE = 'mutation ($old: String!, $new: String!) { changePassword(currentPassword: $old, newPassword: $new) }';
const RENAME =
  'mutation ($firstName: String!) { updateProfile(input: { firstName: $firstName, lastName: "Moss" }) { id } }';
const SEARCH = 'query ($search: String!) { users(search: $search) { edges { node { id } } } }';
const EDIT = 'mutation ($input: EditMessageInput!) { editMessage(input: $input) { id } }';
const HEADERS = { 'content-type': 'application/json', accept: 'application/graphql-response+json' };

describe.each(['trace', 'debug'])('the log at %s', (level) => {
  let cluster: Cluster;
  let proxy: TcpProxy | undefined;
  let ann: Person;
  let chat: { id: string };
  const secrets = new Set<string>();
  const jwtSecret = mark('a-secret-of-32-bytes-or-more-to-sign-with');

  const keep = <Text extends string>(secret: Text): Text => {
    secrets.add(secret);
    return secret;
  };

  beforeAll(async () => {
    // Each failure is logged, once; what with is what this is about.
    const options = { nodes: 1, allowErrors: [/"msg":"unexpected error"/] };
    const env = { LOG_LEVEL: level, JWT_SECRET: keep(jwtSecret) };
    cluster = await startCluster({ ...options, env });
    if (cluster.databaseUrl) {
      const url = new URL(cluster.databaseUrl);
      proxy = await startTcpProxy({ host: url.hostname, port: Number(url.port) });
      url.host = `127.0.0.1:${proxy.port}`;
      keep(url.password);
      await cluster.node(0).stop();
      await cluster.startNode({ DATABASE_URL: url.href });
    }
    ann = await enter();
    chat = await openGroup(ann, [await enter()]);
  });
  afterAll(async () => {
    await cluster?.stop();
    await proxy?.close();
  });

  async function enter(): Promise<Person> {
    const person = await registerPerson(cluster, {
      email: keep(`${mark('somebody')}@example.test`),
      password: keep(mark('violet harbour')),
    });
    keepTokens(person);
    return person;
  }

  function keepTokens({ accessToken, refreshToken }: { accessToken: string; refreshToken: string }) {
    keep(accessToken);
    keep(accessToken.split('.').at(-1)!);
    keep(refreshToken);
  }

  function expectNoSecret() {
    const { logs, output } = cluster.node(0);
    const text = [output, ...logs].join('\n');
    for (const secret of secrets) expect(text).not.toContain(secret);
    // Nor in another form of it.
    expect(text).not.toMatch(/@example|\$argon2|eyJ|prt_/);
  }

  it('holds nothing of how people sign in, or fail to', async () => {
    const { email, password } = ann;
    keepTokens(await signInPerson(cluster, { email, password }));
    await refusal(signInPerson(cluster, { email, password: keep(mark('a wrong password')) }));
    await refusal(signInPerson(cluster, { email: keep(`${mark('nobody')}@example.test`), password }));
    const bob = await enter();
    const first = await renew(cluster, bob.refreshToken);
    keepTokens(first);
    keepTokens(await renew(cluster, first.refreshToken));
    expect(await refusal(renew(cluster, bob.refreshToken))).toMatchObject({ code: 'REFRESH_TOKEN_REUSED' });
    await refusal(renew(cluster, keep(mark('prt_'))));
    const cy = await enter();
    await cy.client().request(CHANGE, { old: cy.password, new: keep(mark('copper lantern')) });
    await refusal(
      cy.client().request(CHANGE, { old: keep(mark('no such lantern')), new: keep(mark('brass lantern')) }),
    );
    const taken = { email, password: keep(mark('iron lantern')), firstName: 'Ann', lastName: 'Lee' };
    await Promise.allSettled([1, 2, 3].map(() => registerPerson(cluster, taken)));
    // At once: the one that comes second is refused by the database.
    const race = { ...taken, email: keep(`${mark('racer')}@example.test`) };
    await Promise.allSettled([1, 2, 3].map(() => registerPerson(cluster, race)));
    expectNoSecret();
  });

  it('holds nothing of what people write, and look for', async () => {
    const body = keep(mark('a body'));
    const { id } = await send(ann, chat, body, {
      extraData: { note: keep(mark('extra')) },
      clientId: keep(mark('id')),
    });
    await ann.client().request(EDIT, { input: { messageId: id, body: keep(mark('another body')) } });
    await ann.client().request(SEARCH, { search: keep(mark('searched')) });
    await ann.client().request(RENAME, { firstName: keep(mark('Name')) });
    await refusal(send(ann, chat, keep(mark('too long')).repeat(1_000)));
    expectNoSecret();
  });

  it('holds nothing of requests and sockets that are malformed', async () => {
    const raw = nobody(cluster).raw;
    const token = keep(mark('a.token'));
    const { accessToken } = ann;
    await raw({ method: 'GET', path: `/graphql?access_token=${accessToken}&query=${keep(mark('query'))}` });
    await raw({ method: 'GET', path: `/elsewhere?access_token=${accessToken}` });
    await raw({ headers: HEADERS, path: `/graphql?access_token=${accessToken}`, body: keep(mark('{not JSON')) });
    await raw({ headers: { ...HEADERS, authorization: `Bearer ${token}` }, body: '{"query":"{ me { id } }"}' });
    await raw({ headers: { ...HEADERS, authorization: keep(mark('Basic')) }, body: '{"query":"{ me { id } }"}' });
    await raw({
      headers: HEADERS,
      body: JSON.stringify({ query: `mutation { login(input: { email: "${keep(mark('e'))}" }) { id } }` }),
    });
    await raw({
      headers: HEADERS,
      body: JSON.stringify({
        query: 'mutation ($input: LoginInput!) { login(input: $input) { accessToken } }',
        variables: { input: { email: ann.email, password: { is: keep(mark('not text')) } } },
      }),
    });
    const wrong = [{ authorization: `Bearer ${token}` }, { authorization: token }, { password: token }];
    for (const params of wrong) await openSocket(cluster.node(0), params).catch(() => {});
    for (const frame of [keep(mark('{not JSON')), { type: 'connection_init', payload: token }, Buffer.from(token)]) {
      const socket = await rawSocket(cluster.node(0), { path: `/graphql?access_token=${accessToken}` });
      socket.send(frame);
      await socket.closed;
    }
    const socket = await ann.client().openSocket();
    await socket.subscribe(`mutation { login(input: { email: "${keep(mark('e'))}" }) { id } }`).end;
    await socket.close();
    expectNoSecret();
  });

  describe.runIf(backend === 'distributed')('when the database', () => {
    /** Each of them is refused by a statement that has what somebody wrote. */
    const acts: Array<[what: string, table: string, act: () => Promise<unknown>]> = [
      [
        'register',
        'app_user',
        () =>
          registerPerson(cluster, { email: keep(`${mark('new')}@example.test`), password: keep(mark('fresh one')) }),
      ],
      ['login', 'session', () => signInPerson(cluster, ann)],
      ['refresh', 'session', () => renew(cluster, ann.refreshToken)],
      [
        'changePassword',
        'app_user',
        () => ann.client().request(CHANGE, { old: ann.password, new: keep(mark('silver lantern')) }),
      ],
      ['updateProfile', 'app_user', () => ann.client().request(RENAME, { firstName: keep(mark('Other')) })],
      [
        'sendMessage',
        'message',
        () => send(ann, chat, keep(mark('refused')), { extraData: { note: keep(mark('refused extra')) } }),
      ],
    ];

    it.each(acts)('refuses a row of %s, whose values its error tells', async (what, table, act) => {
      const { logs } = cluster.node(0);
      const before = logs.length;
      await cluster.sql(`ALTER TABLE ${table} ADD CONSTRAINT refused CHECK (false) NOT VALID`);
      try {
        expect(await refusal(act()), what).toMatchObject({ code: 'INTERNAL_SERVER_ERROR' });
      } finally {
        await cluster.sql(`ALTER TABLE ${table} DROP CONSTRAINT refused`);
      }
      // Enough to find out what it was.
      const line = await eventually(() => logs.slice(before).find((one) => one.includes('unexpected error')) ?? fail());
      const { err, requestId } = JSON.parse(line) as { requestId: string; err: Record<string, unknown> };
      expect(requestId).toMatch(/./);
      expect(err).toMatchObject({ type: expect.stringMatching(/Error$/), stack: expect.stringContaining('at ') });
      expect(JSON.stringify(err)).toContain('23514');
      expect(JSON.stringify(err)).toContain('check constraint');
      expectNoSecret();
    });

    it.each(acts)('hangs up in the middle of %s', async (_what, _table, act) => {
      const wasCut = proxy!.cutBefore('up', (chunk) => /INSERT|UPDATE|SELECT|Bind|B\0/.test(chunk.toString('latin1')));
      const outcome = await act().catch((error: unknown) => error);
      await wasCut;
      expect(outcome).toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
      expectNoSecret();
    });

    it('is away', async () => {
      proxy!.reset();
      proxy!.set({ kind: 'drop' });
      await Promise.all(acts.map(([, , act]) => act().catch(() => {})));
      proxy!.set({ kind: 'pass' });
      proxy!.reset();
      await eventually(() => createClient(cluster.node(0)).request('{ __typename }'));
      expectNoSecret();
    });
  });
});

describe('the log of a process', () => {
  it('tells of what ends it where that arose, and not with what it holds', async () => {
    const cluster = await startCluster({
      nodes: 1,
      env: INSPECTABLE,
      allowErrors: [INSPECTOR_LINES, /^Waiting for the debugger/, /"msg":"uncaughtException"/],
      allowExitCode: 1,
    });
    const inspector = await inspect(cluster.node(0));
    const secret = mark('a secret');
    const thrown = `Object.assign(new Error('it was "${secret}"'), { detail: '${secret}' })`;
    await inspector.evaluate(`void setTimeout(() => { throw ${thrown} }, 0)`);
    // Node waits for whoever looks into it.
    await inspector.detach();
    expect(await within(cluster.node(0).exited, 10_000, 'the exit')).toEqual({ code: 1, signal: null });
    const text = cluster.node(0).logs.join('\n');
    expect(text).toContain('"type":"Error","message":"it was \\"…\\"","stack":"Error: it was');
    expect(text).not.toContain(secret);
    await cluster.stop();
  });

  it.runIf(backend === 'distributed')('tells that Redis refuses it, and not with which password', async () => {
    const redis = await startPrivateRedis();
    await redis.command('CONFIG', 'SET', 'requirepass', mark('the right one'));
    const password = mark('a-password');
    const url = new URL(redis.url);
    url.password = password;
    const cluster = await startCluster({
      nodes: 1,
      env: { REDIS_URL: url.href, RATE_LIMIT: 'on', LOG_LEVEL: 'trace' },
    });
    await registerPerson(cluster);
    const { logs, output } = cluster.node(0);
    await eventually(() => expect(logs.join('\n')).toMatch(/Redis is away.*\n(.*\n)*.*Redis is away/));
    expect([output, ...logs].join('\n')).not.toContain(password);
    await cluster.stop();
    await redis.remove();
  });
});

function fail(): never {
  throw new Error('nothing was logged of it');
}
