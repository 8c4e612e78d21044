import { randomBytes, randomInt } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createClient, openSocket, rawSocket } from '../support/client.ts';
import type { Client } from '../support/client.ts';
import { backend, startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { renew, signIn } from '../support/devices.ts';
import { GraphQLRequestError } from '../support/document.ts';
import { graphql } from '../support/generated/index.ts';
import { startIdentityProvider } from '../support/identity-provider.ts';
import type { IdentityProvider } from '../support/identity-provider.ts';
import { openDirectChat, openGroup, registerPerson } from '../support/people.ts';
import { absentId } from '../support/refusals.ts';
import type { Person } from '../support/people.ts';
import { startPrivateRedis } from '../support/redis.ts';
import type { PrivateRedis } from '../support/redis.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import type { TcpProxy } from '../support/tcp-proxy.ts';
import { eventually, within } from '../support/wait.ts';

const Login = graphql(/* GraphQL */ `
  mutation LoginLimited($input: LoginInput!) {
    login(input: $input) {
      accessToken
      user {
        id
      }
    }
  }
`);

const Register = graphql(/* GraphQL */ `
  mutation RegisterLimited($input: RegisterInput!) {
    register(input: $input) {
      accessToken
    }
  }
`);

const Search = graphql(/* GraphQL */ `
  query SearchLimited($search: String!) {
    users(search: $search) {
      edges {
        node {
          id
        }
      }
    }
  }
`);

const WhoAmI = graphql(/* GraphQL */ `
  query WhoIsLimited {
    me {
      id
    }
  }
`);

const ChangePassword = graphql(/* GraphQL */ `
  mutation ChangePasswordLimited($currentPassword: String!, $newPassword: String!) {
    changePassword(currentPassword: $currentPassword, newPassword: $newPassword)
  }
`);

const ChatChanges = graphql(/* GraphQL */ `
  subscription ChatChangesBesideLimited {
    chatUpdated {
      id
    }
  }
`);

const LIMITED = { code: 'RATE_LIMITED' };
const WRONG = { code: 'INVALID_CREDENTIALS' };

const newAddress = () => `10.${randomInt(256)}.${randomInt(256)}.${randomInt(256)}`;
const newEmail = () => `nobody-${randomBytes(6).toString('hex')}@example.test`;

/** As the proxy in front says it. */
const from = (cluster: Cluster, address: string, nodeIndex = 0): Client =>
  createClient(cluster.node(nodeIndex), { headers: { 'x-forwarded-for': address } });

const login = async (client: Client, email: string, password: string) =>
  (await client.request(Login, { input: { email, password } })).login;

/** The error that the attempt ends with. Fails when it does not. */
async function refusalOf(attempt: Promise<unknown>): Promise<GraphQLRequestError> {
  const outcome = await attempt.then(
    (data) => new Error(`it was not refused: ${JSON.stringify(data)}`),
    (error: Error) => error,
  );
  if (!(outcome instanceof GraphQLRequestError)) throw outcome;
  return outcome;
}

/** So many times one after the other, every one wrong. */
async function guess(times: number, attempt: (index: number) => Promise<unknown>) {
  for (let index = 0; index < times; index += 1) expect(await refusalOf(attempt(index))).toMatchObject(WRONG);
}

function retryAfterOf({ extensions }: GraphQLRequestError, windowSeconds: number): number {
  const { retryAfter } = extensions as { retryAfter: number };
  expect(Number.isInteger(retryAfter)).toBe(true);
  expect(retryAfter).toBeGreaterThan(0);
  expect(retryAfter).toBeLessThanOrEqual(windowSeconds);
  return retryAfter;
}

const FIFTEEN_MINUTES = 15 * 60;

describe('with rate limits', () => {
  let cluster: Cluster;
  let provider: IdentityProvider;
  let ann: Person;
  beforeAll(async () => {
    provider = await startIdentityProvider();
    cluster = await startCluster({ env: { RATE_LIMIT: 'on', TRUST_PROXY: '1', ...provider.env } });
    ann = await registerPerson(cluster);
  });
  afterAll(async () => {
    await cluster?.stop();
    await provider?.close();
  });

  /** Of an event, on any node, so far. */
  const securityLines = (event: string, holds: object) =>
    cluster.nodes
      .flatMap((node) => node.logs)
      .filter((line) => line.includes(event))
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter((line) => Object.entries(holds).every(([name, value]) => line[name] === value));

  describe('a password', () => {
    it('is guessed ten times from one address, on whatever node; elsewhere its owner gets in', async () => {
      const address = newAddress();
      const before = securityLines('security.rate_limited', { operation: 'login', by: 'pair' }).length;
      await guess(10, (n) => login(from(cluster, address, n % 2), ann.email, 'a wrong one'));
      for (const [email, nodeIndex] of [ann.email, ` ${ann.email.toUpperCase()} `].flatMap(
        (e) =>
          [
            [e, 0],
            [e, 1],
          ] as const,
      )) {
        const refusal = await refusalOf(login(from(cluster, address, nodeIndex), email, ann.password));
        expect(refusal).toMatchObject({ ...LIMITED, status: 200, data: null });
        expect(refusal.errors[0]!.path).toEqual(['login']);
        retryAfterOf(refusal, FIFTEEN_MINUTES);
      }
      expect((await login(from(cluster, newAddress()), ann.email, ann.password)).user.id).toBe(ann.id);
      await eventually(() => {
        const lines = securityLines('security.rate_limited', { operation: 'login', by: 'pair' }).slice(before);
        expect(lines).toEqual([
          expect.objectContaining({
            account: expect.stringMatching(/^[\w-]{22}$/),
            address: expect.stringMatching(/^[\w-]{22}$/),
          }),
        ]);
      });
      const logs = cluster.nodes.flatMap((node) => node.logs).join('\n');
      expect(logs).not.toContain(ann.email);
      expect(logs).not.toContain(address);
    });

    it('is not guessed more often by many at once', async () => {
      const [address, email] = [newAddress(), newEmail()];
      const attempts = Array.from({ length: 30 }, (_, n) =>
        refusalOf(login(from(cluster, address, n % 2), email, 'wrong')),
      );
      const codes = (await Promise.all(attempts)).map(({ code }) => code);
      expect(codes.filter((code) => code === WRONG.code)).toHaveLength(10);
      expect(codes.filter((code) => code === LIMITED.code)).toHaveLength(20);
    });

    it('of nobody is refused in the same bytes', async () => {
      const attempt = async (email: string, address: string) => {
        const { status, text, headers } = await from(cluster, address).raw({
          headers: { 'content-type': 'application/json', 'x-forwarded-for': address },
          body: JSON.stringify({ query: LOGIN_TEXT, variables: { input: { email, password: 'a wrong one' } } }),
        });
        return { status, text: text.replace(/"retryAfter":\d+/, '"retryAfter":n'), retryAfter: headers['retry-after'] };
      };
      const [known, unknown] = [newAddress(), newAddress()];
      const [person, email] = [await registerPerson(cluster), newEmail()];
      for (let n = 0; n < 12; n += 1)
        expect(await attempt(person.email, known), `attempt ${n + 1}`).toEqual(await attempt(email, unknown));
      expect((await attempt(email, unknown)).text).toContain('"retryAfter":n,"code":"RATE_LIMITED"');
    });

    it('that is right gives no more guesses', async () => {
      const [address, person] = [newAddress(), await registerPerson(cluster)];
      for (let round = 0; round < 2; round += 1) {
        await guess(4, () => login(from(cluster, address), person.email, 'a wrong one'));
        await login(from(cluster, address), person.email, person.password);
      }
      await guess(1, () => login(from(cluster, address), person.email, 'a wrong one'));
      // Nine wrong ones and two right ones: less is left than a guess costs.
      expect(await refusalOf(login(from(cluster, address), person.email, 'a wrong one'))).toMatchObject(LIMITED);
    });

    it('is guessed 20 times from everywhere, which does not keep its owner from the usual places', async () => {
      const home = newAddress();
      const person = await registerPerson(cluster);
      await login(from(cluster, home), person.email, person.password);
      const refusals = await Promise.all(
        Array.from({ length: 24 }, (_, n) =>
          refusalOf(login(from(cluster, newAddress(), n % 2), person.email, 'a wrong one')),
        ),
      );
      // The login from home was one point of a hundred, and a guess is five.
      expect(refusals.filter(({ code }) => code === WRONG.code)).toHaveLength(19);
      expect(await refusalOf(login(from(cluster, newAddress()), person.email, person.password))).toMatchObject(LIMITED);
      for (const nodeIndex of [0, 1])
        expect((await login(from(cluster, home, nodeIndex), person.email, person.password)).user.id).toBe(person.id);
    });

    it('that must be shown again is guessed ten times by one session', async () => {
      const person = await registerPerson(cluster);
      const thief = await signIn(cluster, person);
      const newPassword = 'copper-lantern-31';
      const change = (client: Client, currentPassword: string) =>
        client.request(ChangePassword, { currentPassword, newPassword });
      await guess(10, (n) => change(thief.client(n % 2), 'a wrong one'));
      expect(await refusalOf(change(thief.client(), person.password))).toMatchObject({ ...LIMITED, status: 200 });
      expect(await change(person.client(), person.password)).toEqual({ changePassword: true });
    });

    it('or a token of the identity provider is asked for again ten times in a session', async () => {
      const [person, thief] = [await registerPerson(cluster), await registerPerson(cluster)];
      const remove = (who: Person, nodeIndex = 0) =>
        who.client(nodeIndex).request('mutation { deleteAccountWithProvider(idToken: "none") }');
      await guess(10, (n) => remove(thief, n % 2));
      expect(await refusalOf(remove(thief))).toMatchObject({ ...LIMITED, status: 200 });
      await guess(1, () => remove(person));
    });

    it.runIf(backend === 'distributed')('counts again when the time is over that the refusal named', async () => {
      const [address, person] = [newAddress(), await registerPerson(cluster)];
      await guess(10, () => login(from(cluster, address), person.email, 'a wrong one'));
      const redis = new Redis(cluster.redisUrl!);
      try {
        const seen = await redis.keys(`${cluster.redisPrefix}limit:login.pair:*`);
        const attempt = () => login(from(cluster, address), person.email, person.password);
        const retryAfter = retryAfterOf(await refusalOf(attempt()), FIFTEEN_MINUTES);
        const lives = await Promise.all(seen.map((key) => redis.pttl(key)));
        expect(lives.some((ms) => Math.abs(ms / 1000 - retryAfter) < 5)).toBe(true);
        // A quarter of an hour goes by, but for three seconds.
        for (const key of await redis.keys(`${cluster.redisPrefix}limit:login.*`))
          if ((await redis.pttl(key)) < FIFTEEN_MINUTES * 1000) await redis.pexpire(key, 3_000);
        const soon = retryAfterOf(await refusalOf(attempt()), 3);
        await delay(soon * 1000);
        expect((await attempt()).user.id).toBe(person.id);
      } finally {
        redis.disconnect();
      }
    });
  });

  describe('an address', () => {
    const LONG_WAY = { other: null };
    const refreshes = (count: number) =>
      `mutation { ${Array.from({ length: count }, (_, n) => `r${n}: refresh(refreshToken: "none") { accessToken }`).join(' ')} }`;

    const post = (address: string, params: object, nodeIndex = 0, accept = 'application/json') =>
      from(cluster, address, nodeIndex).raw({
        headers: { 'content-type': 'application/json', accept, 'x-forwarded-for': address },
        body: JSON.stringify(params),
      });

    /** 600 refreshes a minute, 15 in each document. */
    async function exhaust(address: string) {
      const answers = await Promise.all(
        Array.from({ length: 40 }, (_, n) => post(address, { query: refreshes(15) }, n % 2)),
      );
      for (const { json } of answers) expect(json.errors[0].extensions.code).toBe('INVALID_REFRESH_TOKEN');
    }

    it('has each alias counted, and is refused as a whole, with a status, on both ways and every node', async () => {
      const address = newAddress();
      await exhaust(address);
      for (const [nodeIndex, extra, accept] of [
        [0, {}, 'application/json'],
        [1, {}, 'application/graphql-response+json'],
        [0, LONG_WAY, 'application/json'],
        [1, LONG_WAY, 'application/graphql-response+json'],
      ] as const) {
        const { status, headers, json } = await post(address, { query: refreshes(1), ...extra }, nodeIndex, accept);
        expect(status).toBe(429);
        expect(json).not.toHaveProperty('data');
        const { code, retryAfter } = json.errors[0].extensions;
        expect(code).toBe('RATE_LIMITED');
        expect(headers['retry-after']).toBe(String(retryAfter));
        expect(retryAfter).toBeLessThanOrEqual(60);
      }
      expect(securityLines('security.rate_limited', { operation: 'refresh', by: 'address' })).toHaveLength(1);
      const streamed = await post(address, { query: refreshes(1) }, 0, 'text/event-stream');
      expect(streamed).toMatchObject({ status: 429, headers: { 'retry-after': expect.stringMatching(/^\d+$/) } });
      // What is not counted is not refused, and nobody else is.
      expect((await post(address, { query: '{ __typename }' })).status).toBe(200);
      expect((await post(newAddress(), { query: refreshes(1) })).status).toBe(200);
    });

    it('is the one that the proxy saw, whatever a client writes before it', async () => {
      const address = newAddress();
      await exhaust(address);
      for (const forwarded of [`${newAddress()}, ${address}`, `${newAddress()},${newAddress()},${address}`])
        expect((await post(forwarded, { query: refreshes(1) })).status).toBe(429);
    });

    it('is counted over a socket, whose other operations go on', async () => {
      const address = newAddress();
      const socket = await rawSocket(cluster.node(1), { headers: { 'x-forwarded-for': address } });
      socket.send({ type: 'connection_init', payload: { authorization: `Bearer ${ann.accessToken}` } });
      expect(await socket.nextMessage()).toMatchObject({ type: 'connection_ack' });
      for (let n = 0; n < 40; n += 1) {
        socket.send({ type: 'subscribe', id: `${n}`, payload: { query: refreshes(15) } });
        expect(await socket.nextMessage()).toMatchObject({ id: `${n}`, type: 'next' });
        expect(await socket.nextMessage()).toMatchObject({ id: `${n}`, type: 'complete' });
      }
      socket.send({ type: 'subscribe', id: 'beyond', payload: { query: refreshes(1) } });
      expect(await socket.nextMessage()).toEqual({
        id: 'beyond',
        type: 'error',
        payload: [
          {
            message: expect.any(String),
            extensions: { code: 'RATE_LIMITED', retryAfter: expect.any(Number) },
          },
        ],
      });
      socket.send({ type: 'subscribe', id: 'other', payload: { query: '{ me { id } }' } });
      expect(await socket.nextMessage()).toMatchObject({ id: 'other', payload: { data: { me: { id: ann.id } } } });
      expect((await post(address, { query: refreshes(1) })).status).toBe(429);
      socket.close();
    });

    it('signs 30 people up in an hour', async () => {
      const client = from(cluster, newAddress());
      const input = { email: newEmail(), password: 'short', firstName: 'Grace', lastName: 'Hopper' };
      for (let n = 0; n < 30; n += 1)
        expect(await refusalOf(client.request(Register, { input }))).toMatchObject({ code: 'BAD_USER_INPUT' });
      const refusal = await refusalOf(client.request(Register, { input: { ...input, password: 'violet-harbour-1' } }));
      expect(refusal).toMatchObject({ ...LIMITED, status: 429 });
      retryAfterOf(refusal, 3600);
    });

    it('shows 100 tokens of the identity provider that do not count, and more that do', async () => {
      const client = from(cluster, newAddress());
      const logins = (idTokens: string[]) =>
        `mutation { ${idTokens.map((token, n) => `l${n}: loginWithProvider(input: { idToken: "${token}" }) { user { id } }`).join(' ')} }`;
      // Ten at a time: good ones cost a fifth.
      for (let n = 0; n < 12; n += 1)
        await client.request(logins(Array.from({ length: 10 }, () => provider.issue({ claims: { sub: 'ann' } }))));
      for (let n = 0; n < 7; n += 1)
        expect(await refusalOf(client.request(logins(Array<string>(10).fill('bad'))))).toMatchObject(WRONG);
      const good = logins([provider.issue()]);
      const refusal = await refusalOf(client.request(logins(Array<string>(10).fill('bad'))));
      expect(refusal).toMatchObject({ ...LIMITED, status: 429 });
      retryAfterOf(refusal, FIFTEEN_MINUTES);
      expect(await refusalOf(client.request(good))).toMatchObject(LIMITED);
      await from(cluster, newAddress()).request(good);
    });

    it('guesses 100 passwords of different people', { timeout: 60_000 }, async () => {
      const client = from(cluster, newAddress());
      await Promise.all(
        Array.from({ length: 100 }, async () => {
          expect(await refusalOf(login(client, newEmail(), 'a wrong one'))).toMatchObject(WRONG);
        }),
      );
      const refusal = await refusalOf(login(client, ann.email, ann.password));
      expect(refusal).toMatchObject({ ...LIMITED, status: 429 });
      retryAfterOf(refusal, FIFTEEN_MINUTES);
    });
  });

  describe('a search', () => {
    it('is asked 30 times in ten seconds, and again when these are over', async () => {
      const person = await registerPerson(cluster);
      const search = (nodeIndex: number) => person.client(nodeIndex).request(Search, { search: 'grace' });
      const began = performance.now();
      for (let n = 0; n < 30; n += 1) await search(n % 2);
      const refusal = await refusalOf(search(0));
      expect(refusal).toMatchObject({ ...LIMITED, status: 200 });
      expect(refusal.errors[0]!.path).toEqual(['users']);
      const retryAfter = retryAfterOf(refusal, 10);
      // Nobody is told to wait for longer than the window lasts.
      expect(performance.now() - began + retryAfter * 1000).toBeLessThan(10_000 + 2_000);
      expect((await ann.client().request(Search, { search: 'grace' })).users).toBeDefined();
      await delay(retryAfter * 1000);
      expect((await search(1)).users).toBeDefined();
    });
  });

  describe('a group', () => {
    it('is made 300 times an hour by one person; direct chats are not counted, nor is what others make', async () => {
      const [person, other] = [await registerPerson(cluster), await registerPerson(cluster)];
      const make = (n: number) => openGroup(person, [other], `Berth ${n}`);
      for (let n = 0; n < 300; n += 15) await Promise.all(Array.from({ length: 15 }, (_, k) => make(n + k)));
      const refusal = await refusalOf(make(300));
      expect(refusal).toMatchObject({ ...LIMITED, status: 200 });
      expect(refusal.errors[0]!.path).toEqual(['createChat']);
      retryAfterOf(refusal, 60 * 60);
      expect((await openDirectChat(person, other)).kind).toBe('DIRECT');
      expect((await openGroup(other, [person])).kind).toBe('GROUP');
    });
  });

  describe('a group’s members', () => {
    const AddMembers = 'mutation ($id: ID!, $ids: [ID!]!) { addMembers(chatId: $id, userIds: $ids) { id } }';

    it('are put in 5,000 times an hour by one person, into new groups or others, whoever they are', async () => {
      const [person, other] = [await registerPerson(cluster), await registerPerson(cluster)];
      const chat = await openGroup(person, []);
      const add = (count: number, nodeIndex = 0) =>
        person.client(nodeIndex).request(AddMembers, { id: chat.id, ids: Array.from({ length: count }, absentId) });
      for (let n = 0; n < 4; n += 1) expect(await refusalOf(add(1_000, n % 2))).toMatchObject({ code: 'NOT_FOUND' });
      expect(await refusalOf(add(998))).toMatchObject({ code: 'NOT_FOUND' });
      await openGroup(person, [other]);
      await person.client(1).request(AddMembers, { id: chat.id, ids: [other.id] });
      for (const attempt of [() => add(1), () => openGroup(person, [other])]) {
        const refusal = await refusalOf(attempt());
        expect(refusal).toMatchObject({ ...LIMITED, status: 200 });
        retryAfterOf(refusal, 60 * 60);
      }
      expect((await openDirectChat(person, other)).kind).toBe('DIRECT');
      expect((await openGroup(person, [])).kind).toBe('GROUP');
    });
  });

  describe('a session', () => {
    it('is refreshed 120 times a minute; what is refused ends nothing', async () => {
      const person = await registerPerson(cluster);
      const renewMany = () =>
        Promise.all(Array.from({ length: 15 }, (_, n) => renew(cluster, person.refreshToken, n % 2)));
      const [renewed] = await renewMany();
      for (let n = 0; n < 7; n += 1) await renewMany();
      const refusal = await refusalOf(renew(cluster, person.refreshToken, 1));
      expect(refusal).toMatchObject({ ...LIMITED, status: 200 });
      retryAfterOf(refusal, 60);
      person.accessToken = renewed!.accessToken;
      expect((await person.client().request(WhoAmI)).me.id).toBe(person.id);
    });
  });

  describe('a user', () => {
    it('has 50 live connections to a node; the next is told to come later, and comes when one is gone', async () => {
      const person = await registerPerson(cluster);
      const authorization = `Bearer ${person.accessToken}`;
      const open = () => openSocket(cluster.node(0), { authorization });
      const stream = await person.client().subscribe(ChatChanges, {}, { transport: 'sse' });
      const sockets = await Promise.all(Array.from({ length: 49 }, open));
      for (let n = 0; n < 3; n += 1) await expect(open()).rejects.toMatchObject({ code: 1013 });
      await expect(
        person
          .client()
          .subscribe(ChatChanges, {}, { transport: 'sse' })
          .then((s) => s.next()),
      ).rejects.toMatchObject(LIMITED);
      // Nobody else is refused, and those that stand go on.
      await (await openSocket(cluster.node(0), { authorization: `Bearer ${ann.accessToken}` })).close();
      expect(await sockets[0]!.subscribe(WhoAmI).next()).toEqual({ me: { id: person.id } });
      expect(securityLines('security.rate_limited', { operation: 'connect', by: 'account' })).toHaveLength(1);
      await sockets.pop()!.close();
      const last = await eventually(open);
      await Promise.all([...sockets, last].map((socket) => socket.close()));
      await stream.close();
    });
  });
});

const LOGIN_TEXT = 'mutation ($input: LoginInput!) { login(input: $input) { accessToken } }';

/** The limits go on without it, each node for itself, and nobody waits. */
describe.runIf(backend === 'distributed')('a Redis that does not answer', () => {
  let redis: PrivateRedis;
  let proxy: TcpProxy;
  let cluster: Cluster;
  let ann: Person;
  beforeAll(async () => {
    redis = await startPrivateRedis();
    const url = new URL(redis.url);
    proxy = await startTcpProxy({ port: Number(url.port) });
    url.port = String(proxy.port);
    cluster = await startCluster({ env: { RATE_LIMIT: 'on', TRUST_PROXY: '1', REDIS_URL: url.href } });
    ann = await registerPerson(cluster);
  });
  afterAll(async () => {
    await cluster?.stop();
    await proxy?.close();
    await redis?.remove();
  });

  /** Were each of them to wait for Redis, it would take far longer. */
  const expectLimitsHere = () => within(tryLimitsHere(), 15_000, 'the logins');

  async function tryLimitsHere() {
    const address = newAddress();
    const email = newEmail();
    expect((await login(from(cluster, address), ann.email, ann.password)).user.id).toBe(ann.id);
    await guess(10, () => login(from(cluster, address), email, 'a wrong one'));
    expect(await refusalOf(login(from(cluster, address), email, 'a wrong one'))).toMatchObject(LIMITED);
  }

  async function expectLimitsEverywhere() {
    await eventually(
      async () => {
        const [address, email] = [newAddress(), newEmail()];
        await guess(10, (n) => login(from(cluster, address, n % 2), email, 'a wrong one'));
        for (const nodeIndex of [0, 1])
          expect(await refusalOf(login(from(cluster, address, nodeIndex), email, 'wrong'))).toMatchObject(LIMITED);
      },
      { deadlineMs: 20_000 },
    );
  }

  it.each([
    ['is late', { kind: 'delay', ms: 600 }],
    ['is in a black hole', { kind: 'drop' }],
  ] as const)('because it %s', { timeout: 60_000 }, async (_what, weather) => {
    await expectLimitsEverywhere();
    proxy.set(weather);
    await expectLimitsHere();
    proxy.set({ kind: 'pass' });
    await expectLimitsEverywhere();
  });

  it('because it is paused', { timeout: 60_000 }, async () => {
    await expectLimitsEverywhere();
    redis.pause();
    await expectLimitsHere();
    redis.resume();
    await expectLimitsEverywhere();
  });

  it('because it was killed', { timeout: 60_000 }, async () => {
    await redis.kill();
    await expectLimitsHere();
    await redis.start();
    await expectLimitsEverywhere();
  });
});
