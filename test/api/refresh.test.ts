import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createClient, openSocket } from '../support/client.ts';
import { backend, startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { claimsOf, renew, signIn } from '../support/devices.ts';
import type { Tokens } from '../support/devices.ts';
import { graphql } from '../support/generated/index.ts';
import { openDirectChat, registerPerson, send } from '../support/people.ts';
import type { Person } from '../support/people.ts';
import { eventually, within } from '../support/wait.ts';

const WhoAmI = graphql(/* GraphQL */ `
  query WhoRefreshed {
    me {
      id
    }
  }
`);

const Sessions = graphql(/* GraphQL */ `
  query SessionsAfterRefresh {
    sessions {
      id
    }
  }
`);

const Added = graphql(/* GraphQL */ `
  subscription AddedWhileRefreshing($chatId: ID!, $afterSeq: Int) {
    messageAdded(chatId: $chatId, afterSeq: $afterSeq) {
      seq
      body
    }
  }
`);

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster();
});
afterAll(() => cluster?.stop());

const whoIs = async (accessToken: string, nodeIndex = 0) =>
  (await createClient(cluster.node(nodeIndex), { token: accessToken }).request(WhoAmI)).me.id;

const sessionIdsOf = async (person: Person) =>
  (await person.client().request(Sessions)).sessions.map(({ id }) => id).toSorted();

/** On any node, so far. */
const linesAboutReuse = (sessionId: string) =>
  cluster.nodes
    .flatMap((node) => node.logs)
    .filter((line) => line.includes('refresh_token.reused') && line.includes(sessionId));

/** Long-lived access tokens: only the end of their session can have them refused. */
async function expectSessionGone(tokens: Tokens) {
  for (const nodeIndex of [0, 1])
    await expect(renew(cluster, tokens.refreshToken, nodeIndex)).rejects.toMatchObject({
      code: 'INVALID_REFRESH_TOKEN',
      status: 200,
    });
  await eventually(
    async () => {
      for (const nodeIndex of [0, 1])
        await expect(whoIs(tokens.accessToken, nodeIndex)).rejects.toMatchObject({
          code: 'UNAUTHENTICATED',
          status: 401,
          extensions: { reason: 'SESSION_REVOKED' },
        });
    },
    { deadlineMs: 2_000 },
  );
}

describe('refresh', () => {
  it('trades a token for new ones of the same session', async () => {
    const ada = await registerPerson(cluster);
    const renewed = await renew(cluster, ada.refreshToken, 1);
    expect(renewed.user).toEqual({ id: ada.id, email: ada.email });
    expect(renewed.refreshToken).not.toBe(ada.refreshToken);
    expect(renewed.accessToken).not.toBe(ada.accessToken);
    expect(claimsOf(renewed.accessToken).sid).toBe(claimsOf(ada.accessToken).sid);
    for (const nodeIndex of [0, 1]) expect(await whoIs(renewed.accessToken, nodeIndex)).toBe(ada.id);
    const again = await renew(cluster, renewed.refreshToken);
    expect(await whoIs(again.accessToken, 1)).toBe(ada.id);
    expect(await sessionIdsOf(ada)).toEqual([claimsOf(ada.accessToken).sid]);
  });

  it('leaves the access token that is out there good', async () => {
    const ada = await registerPerson(cluster);
    await renew(cluster, ada.refreshToken);
    for (const nodeIndex of [0, 1]) expect(await whoIs(ada.accessToken, nodeIndex)).toBe(ada.id);
    // Which tells nothing about the successor.
    await renew(cluster, ada.refreshToken);
  });

  it('answers a repeated request with the very same successor', async () => {
    const ada = await registerPerson(cluster);
    const lost = await renew(cluster, ada.refreshToken);
    for (const nodeIndex of [0, 1, 0, 1, 0]) {
      const repeated = await renew(cluster, ada.refreshToken, nodeIndex);
      expect(repeated.refreshToken).toBe(lost.refreshToken);
      expect(repeated.refreshTokenExpiresAt).toBe(lost.refreshTokenExpiresAt);
    }
    const next = await renew(cluster, lost.refreshToken);
    expect(next.refreshToken).not.toBe(lost.refreshToken);
    expect(await whoIs(next.accessToken)).toBe(ada.id);
  });

  it('answers parallel requests with one successor, and they stay one session', async () => {
    const ada = await registerPerson(cluster);
    for (let round = 0; round < 5; round += 1) {
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, index) => renew(cluster, ada.refreshToken, index % 2)),
      );
      const successors = new Set(answers.map(({ refreshToken }) => refreshToken));
      expect(successors.size).toBe(1);
      ada.refreshToken = answers[0]!.refreshToken;
    }
    const last = await renew(cluster, ada.refreshToken);
    expect(await whoIs(last.accessToken, 1)).toBe(ada.id);
    expect(await sessionIdsOf(ada)).toEqual([claimsOf(ada.accessToken).sid]);
  });

  it('is for whoever holds the token: nobody needs to be signed in', async () => {
    const [ada, bob] = [await registerPerson(cluster), await registerPerson(cluster)];
    const { user } = await renew(cluster, bob.refreshToken);
    expect(user.id).toBe(bob.id);
    expect(await whoIs(ada.accessToken)).toBe(ada.id);
  });
});

describe('a refresh token whose successor was used', () => {
  const uses: Array<[how: string, use: (successor: Tokens) => Promise<unknown>]> = [
    ['by refresh', (successor) => renew(cluster, successor.refreshToken, 1)],
    ['by its access token over HTTP', (successor) => whoIs(successor.accessToken, 1)],
    [
      'by its access token on a WebSocket',
      async (successor) => {
        const socket = await openSocket(cluster.node(1), { authorization: `Bearer ${successor.accessToken}` });
        await socket.close();
      },
    ],
  ];

  it.each(uses)('ends its session, and no other (%s)', async (_how, use) => {
    const [ada, bob] = [await registerPerson(cluster), await registerPerson(cluster)];
    const chat = await openDirectChat(ada, bob);
    const tablet = await signIn(cluster, ada);
    const neighbour = await tablet.client(1).subscribe(Added, { chatId: chat.id, afterSeq: 0 });
    const socket = await ada.client(1).openSocket();

    const successor = await renew(cluster, ada.refreshToken);
    await use(successor);
    await expect(renew(cluster, ada.refreshToken, 0)).rejects.toMatchObject({
      code: 'REFRESH_TOKEN_REUSED',
      status: 200,
    });

    expect(await within(socket.closed, 2_000, 'the close of the live socket')).toEqual({
      code: 4401,
      reason: 'Session revoked',
    });
    await expectSessionGone(successor);
    await expectSessionGone(ada);
    const sessionId = claimsOf(ada.accessToken).sid;
    expect(linesAboutReuse(sessionId)).toHaveLength(1);
    expect(JSON.parse(linesAboutReuse(sessionId)[0]!)).toMatchObject({ level: 40, userId: ada.id });

    await send(bob, chat, 'are you there?', { nodeIndex: 1 });
    expect((await neighbour.next()).messageAdded.body).toBe('are you there?');
    const renewed = await renew(cluster, tablet.refreshToken);
    expect(await whoIs(renewed.accessToken, 1)).toBe(ada.id);
    expect(await sessionIdsOf({ ...ada, client: tablet.client })).toEqual([tablet.sessionId]);
    await neighbour.close();
  });

  it('is told of once, also when it comes back many times at once', async () => {
    for (let round = 0; round < 5; round += 1) {
      const ada = await registerPerson(cluster);
      const successor = await renew(cluster, ada.refreshToken);
      await whoIs(successor.accessToken);
      const codes = await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          renew(cluster, ada.refreshToken, index % 2).then(
            () => 'answered',
            (error: { code: string }) => error.code,
          ),
        ),
      );
      expect(codes).toContain('REFRESH_TOKEN_REUSED');
      expect(codes.filter((code) => !['REFRESH_TOKEN_REUSED', 'INVALID_REFRESH_TOKEN'].includes(code))).toEqual([]);
      await eventually(() => expect(linesAboutReuse(claimsOf(ada.accessToken).sid)).toHaveLength(1));
    }
  });

  it('is reused at once when it is older than the parent', async () => {
    const ada = await registerPerson(cluster);
    const second = await renew(cluster, ada.refreshToken);
    const third = await renew(cluster, second.refreshToken);
    // The parent of the newest may be asked with; its own parent may not.
    expect((await renew(cluster, second.refreshToken, 1)).refreshToken).toBe(third.refreshToken);
    await expect(renew(cluster, ada.refreshToken, 1)).rejects.toMatchObject({ code: 'REFRESH_TOKEN_REUSED' });
    await expectSessionGone(third);
    await expectSessionGone(second);
  });
});

describe('what is no refresh token', () => {
  const bytesOf = (token: string) => Buffer.from(token.slice('prt_'.length), 'base64url');
  const tokenOf = (bytes: Buffer) => `prt_${bytes.toString('base64url')}`;
  function changed(token: string, at: number): string {
    const bytes = bytesOf(token);
    bytes[at]! ^= 1;
    return tokenOf(bytes);
  }

  it.each<[what: string, make: (token: string) => string]>([
    ['nothing', () => ''],
    ['garbage', () => 'garbage'],
    ['its prefix', () => 'prt_'],
    ['90 KB', () => `prt_${'A'.repeat(90_000)}`],
    ['NUL', () => 'prt_\u0000'],
    ['half a surrogate pair', () => 'prt_\ud800'],
    ['cut short', (token) => token.slice(0, -1)],
    ['cut to its first half', (token) => token.slice(0, 40)],
    ['with something behind it', (token) => `${token}A`],
    ['padded', (token) => `${token}==`],
    ['without its prefix', (token) => token.slice('prt_'.length)],
    ['with another session’s id', (token) => changed(token, 0)],
    ['with a changed secret', (token) => changed(token, 20)],
    ['with a changed tag', (token) => changed(token, 60)],
    [
      'with a secret of the thief’s',
      (token) => tokenOf(Buffer.concat([bytesOf(token).subarray(0, 16), randomBytes(48)])),
    ],
  ])('%s is refused, and costs nobody the session', async (_what, make) => {
    const ada = await registerPerson(cluster);
    const socket = await ada.client(1).openSocket();
    await expect(renew(cluster, make(ada.refreshToken))).rejects.toMatchObject({
      code: 'INVALID_REFRESH_TOKEN',
      status: 200,
    });
    expect(await whoIs(ada.accessToken, 1)).toBe(ada.id);
    expect((await renew(cluster, ada.refreshToken)).user.id).toBe(ada.id);
    await socket.close();
    expect((await socket.closed).code).toBe(1000);
  });

  it('an access token is refused, and a refresh token opens nothing', async () => {
    const ada = await registerPerson(cluster);
    await expect(renew(cluster, ada.accessToken)).rejects.toMatchObject({ code: 'INVALID_REFRESH_TOKEN' });
    await expect(whoIs(ada.refreshToken)).rejects.toMatchObject({ code: 'UNAUTHENTICATED', status: 401 });
    await expect(openSocket(cluster.node(1), { authorization: `Bearer ${ada.refreshToken}` })).rejects.toMatchObject({
      code: 4403,
    });
    expect((await renew(cluster, ada.refreshToken)).user.id).toBe(ada.id);
  });

  it('a variable that is missing is bad input', async () => {
    await expect(renew(cluster, null as unknown as string)).rejects.toMatchObject({
      code: 'BAD_USER_INPUT',
      status: 400,
    });
  });
});

describe('the end of a session', () => {
  const TTL_MS = 4_000;
  let shortLived: Cluster;
  beforeAll(async () => {
    shortLived = await startCluster({ env: { REFRESH_TOKEN_TTL: '4s', ACCESS_TOKEN_TTL: '30m' } });
  });
  afterAll(() => shortLived?.stop());

  it('comes when it was to come, however often it is refreshed', async () => {
    const startedAt = Date.now();
    const ada = await registerPerson(shortLived);
    let newest = await renew(shortLived, ada.refreshToken);
    const { refreshTokenExpiresAt } = newest;
    const endsAt = Date.parse(refreshTokenExpiresAt);
    expect(endsAt - startedAt).toBeGreaterThan(TTL_MS - 500);
    expect(endsAt).toBeLessThanOrEqual(Date.now() + TTL_MS);

    let rotations = 1;
    const refusal = await eventually(
      async () => {
        const outcome = await renew(shortLived, newest.refreshToken, rotations % 2).catch((error: unknown) => error);
        if (outcome instanceof Error) return outcome;
        newest = outcome as typeof newest;
        rotations += 1;
        expect(newest.refreshTokenExpiresAt).toBe(refreshTokenExpiresAt);
        expect(Date.parse(newest.accessTokenExpiresAt)).toBeLessThan(endsAt + 1_000);
        throw new Error('the session goes on');
      },
      { deadlineMs: TTL_MS + 5_000, everyMs: 100 },
    );
    expect(refusal).toMatchObject({ code: 'INVALID_REFRESH_TOKEN' });
    expect(Date.now()).toBeGreaterThanOrEqual(endsAt);
    expect(rotations).toBeGreaterThan(3);
    await eventually(
      async () => {
        for (const node of shortLived.nodes)
          await expect(createClient(node, { token: newest.accessToken }).request(WhoAmI)).rejects.toMatchObject({
            code: 'UNAUTHENTICATED',
            status: 401,
          });
      },
      { deadlineMs: 2_000 },
    );
  });

  it('silences what is live', async () => {
    const ada = await registerPerson(shortLived);
    const { refreshTokenExpiresAt } = await renew(shortLived, ada.refreshToken);
    const socket = await ada.client(1).openSocket();
    const { code } = await within(socket.closed, TTL_MS + 3_000, 'the close of the live socket');
    expect([4401, 4403]).toContain(code);
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(refreshTokenExpiresAt));
    expect(Date.now()).toBeLessThan(Date.parse(refreshTokenExpiresAt) + 2_500);
  });
});

describe.runIf(backend === 'distributed')('tokens at rest', () => {
  it('are nowhere in the database', async () => {
    const ada = await registerPerson(cluster);
    const tokens = [ada.refreshToken, ada.accessToken];
    for (let rotations = 0; rotations < 3; rotations += 1) {
      const { accessToken, refreshToken } = await renew(cluster, tokens[rotations * 2]!, rotations);
      tokens.push(refreshToken, accessToken);
    }

    const tables = await cluster.sql<{ name: string }>(
      `SELECT quote_ident(table_name) AS name FROM information_schema.tables WHERE table_schema = 'public'`,
    );
    const dumps = await Promise.all(
      tables.map(({ name }) => cluster.sql<{ row: string }>(`SELECT t::text AS row FROM ${name} t`)),
    );
    const dump = dumps.flatMap((rows) => rows.map(({ row }) => row)).join('\n');
    expect(tables.map(({ name }) => name)).toContain('session');

    const refreshTokens = tokens.filter((token) => token.startsWith('prt_'));
    const secretOf = (token: string) => Buffer.from(token.slice('prt_'.length), 'base64url').subarray(16, 48);
    expect(refreshTokens).toHaveLength(4);
    // What is kept is found, so that what is not would be.
    const newest = createHash('sha256')
      .update(secretOf(refreshTokens.at(-1)!))
      .digest('hex');
    expect(dump).toContain(newest);
    for (const token of refreshTokens) {
      expect(secretOf(token)).toHaveLength(32);
      for (const form of [
        token.slice(4, 40),
        ...(['hex', 'base64url', 'base64'] as const).map((encoding) => secretOf(token).toString(encoding).slice(0, 40)),
      ])
        expect(dump).not.toContain(form);
    }
    for (const text of [ada.accessToken.split('.')[2]!, ada.password]) expect(dump).not.toContain(text);
  });
});
