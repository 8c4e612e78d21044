import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createClient, openSocket } from '../support/client.ts';
import { backend, startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { claimsOf, deviceOf, renew, signIn } from '../support/devices.ts';
import type { Device } from '../support/devices.ts';
import { graphql } from '../support/generated/index.ts';
import { openDirectChat, openGroup, registerPerson, send } from '../support/people.ts';
import type { Person } from '../support/people.ts';
import { eventually, within } from '../support/wait.ts';

const Sessions = graphql(/* GraphQL */ `
  query SessionsOfViewer {
    sessions {
      id
      deviceName
      createdAt
      lastUsedAt
      isCurrent
    }
  }
`);

const WhoAmI = graphql(/* GraphQL */ `
  query WhoseSession {
    me {
      id
    }
  }
`);

const Logout = graphql(/* GraphQL */ `
  mutation Logout {
    logout
  }
`);

const Revoke = graphql(/* GraphQL */ `
  mutation RevokeSessions($id: ID) {
    revokeSessions(id: $id)
  }
`);

const ChangePassword = graphql(/* GraphQL */ `
  mutation ChangePassword($currentPassword: String!, $newPassword: String!) {
    changePassword(currentPassword: $currentPassword, newPassword: $newPassword)
  }
`);

const Added = graphql(/* GraphQL */ `
  subscription AddedToSessions($chatId: ID!, $afterSeq: Int) {
    messageAdded(chatId: $chatId, afterSeq: $afterSeq) {
      seq
      body
    }
  }
`);

const REVOKED = { code: 4401, reason: 'Session revoked' };
const SESSION_REVOKED = {
  kind: 'error',
  errors: [{ extensions: { code: 'UNAUTHENTICATED', reason: 'SESSION_REVOKED' } }],
};
const ABSENT_ID = '01890000-0000-7000-8000-000000000000';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster();
});
afterAll(() => cluster?.stop());

const nobody = () => createClient(cluster.node(0));

/** The session that somebody signed up with. */
const deviceWith = (person: Person) => deviceOf(cluster, person);

/** Everything that a device has open, on the node where nothing else happens. */
async function goLive(device: Device, chat: { id: string }) {
  const socket = await device.client(1).openSocket();
  const stream = socket.subscribe(Added, { chatId: chat.id, afterSeq: 0 });
  const events = await device.client(1).subscribe(Added, { chatId: chat.id, afterSeq: 0 }, { transport: 'sse' });
  await Promise.all([stream.next(), events.next()]);
  await device.client(1).request(WhoAmI);
  return { socket, stream, events };
}

type Live = Awaited<ReturnType<typeof goLive>>;

/** Within two seconds, on every node, for every transport. */
async function expectEnded(device: Device, { socket, stream, events }: Live) {
  const ends = Promise.all([socket.closed, stream.end, events.end]);
  const [closed, streamEnd, eventsEnd] = await within(ends, 2_000, 'the end of what the session had open');
  expect(closed).toEqual(REVOKED);
  expect(streamEnd).toMatchObject(SESSION_REVOKED);
  expect(eventsEnd).toMatchObject(SESSION_REVOKED);
  await eventually(
    async () => {
      for (const nodeIndex of [0, 1])
        await expect(device.client(nodeIndex).request(WhoAmI)).rejects.toMatchObject({
          code: 'UNAUTHENTICATED',
          status: 401,
          extensions: { reason: 'SESSION_REVOKED' },
        });
    },
    { deadlineMs: 2_000 },
  );
  await expect(device.client(1).openSocket()).rejects.toMatchObject({ code: 4401 });
  for (const nodeIndex of [0, 1])
    await expect(renew(cluster, device.refreshToken, nodeIndex)).rejects.toMatchObject({
      code: 'INVALID_REFRESH_TOKEN',
    });
}

/** What it has open goes on: it gets what is said now. */
async function expectUnharmed(device: Device, { socket, stream, events }: Live, speaker: Person, chat: { id: string }) {
  const { seq, body } = await send(speaker, chat, `still here, ${device.sessionId}?`);
  for (const live of [stream, events]) {
    let newest = await live.next();
    while (newest.messageAdded.seq < seq) newest = await live.next();
    expect(newest.messageAdded).toEqual({ seq, body });
  }
  await Promise.all([stream.close(), events.close()]);
  await socket.close();
  expect((await socket.closed).code).toBe(1000);
  const renewed = await renew(cluster, device.refreshToken);
  device.accessToken = renewed.accessToken;
  device.refreshToken = renewed.refreshToken;
  expect((await device.client(1).request(WhoAmI)).me.id).toBe(renewed.user.id);
}

/** Ann with three devices, and Bob, in a chat where something was said. */
async function people() {
  const [ann, bob] = [await registerPerson(cluster), await registerPerson(cluster, { firstName: 'Bob' })];
  const chat = await openDirectChat(ann, bob);
  await send(bob, chat, 'hello');
  const devices = [deviceWith(ann), await signIn(cluster, ann), await signIn(cluster, ann)] as const;
  const lives = await Promise.all(devices.map((device) => goLive(device, chat)));
  const [phone, tablet, laptop] = devices.map((device, index) => ({ device, live: lives[index]! })) as [
    Signed,
    Signed,
    Signed,
  ];
  return { ann, bob, chat, phone, tablet, laptop };
}

interface Signed {
  device: Device;
  live: Live;
}

const idsOf = async (device: Device) =>
  (await device.client(1).request(Sessions)).sessions.map(({ id }) => id).toSorted();

describe('sessions', () => {
  it('are the viewer’s devices, the last used first', async () => {
    const ann = await registerPerson(cluster, { deviceName: 'Phone' });
    await registerPerson(cluster, { deviceName: 'Somebody else’s' });
    const phone = deviceWith(ann);
    const tablet = await signIn(cluster, ann, { deviceName: 'Tablet', nodeIndex: 1 });
    const laptop = await signIn(cluster, ann, { deviceName: 'Laptop' });
    const { sessions } = await tablet.client().request(Sessions);
    expect(sessions.map(({ id, deviceName, isCurrent }) => ({ id, deviceName, isCurrent }))).toEqual([
      { id: laptop.sessionId, deviceName: 'Laptop', isCurrent: false },
      { id: tablet.sessionId, deviceName: 'Tablet', isCurrent: true },
      { id: phone.sessionId, deviceName: 'Phone', isCurrent: false },
    ]);
    for (const { createdAt, lastUsedAt } of sessions) expect(lastUsedAt).toBe(createdAt);

    await renew(cluster, phone.refreshToken, 1);
    const renewed = (await phone.client(1).request(Sessions)).sessions;
    expect(renewed.map(({ deviceName, isCurrent }) => [deviceName, isCurrent])).toEqual([
      ['Phone', true],
      ['Laptop', false],
      ['Tablet', false],
    ]);
    expect(Date.parse(renewed[0]!.lastUsedAt)).toBeGreaterThan(Date.parse(renewed[1]!.lastUsedAt));
    expect(renewed[0]!.createdAt).toBe(sessions[2]!.createdAt);
  });

  it.runIf(backend === 'distributed')('are shown as far as anybody reads', async () => {
    const ann = await registerPerson(cluster);
    await cluster.sql(
      `INSERT INTO session (id, user_id, device_name, last_used_at, expires_at, current_hash)
        SELECT gen_random_uuid(), $1, 'device ' || n, now() - n * interval '1 hour', now() + interval '1 day', '\\x00'
        FROM generate_series(1, 300) n`,
      [ann.id],
    );
    const { sessions } = await ann.client().request(Sessions);
    expect(sessions.map(({ deviceName }) => deviceName).slice(1)).toEqual(
      Array.from({ length: 199 }, (_, nth) => `device ${nth + 1}`),
    );
    expect(sessions[0]!.isCurrent).toBe(true);
    expect(await ann.client().request(Revoke, {})).toEqual({ revokeSessions: 300 });
  });

  it('are for who is signed in', async () => {
    await expect(nobody().request(Sessions)).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
      status: 200,
      extensions: { reason: 'MISSING' },
    });
  });
});

describe('logout', () => {
  it('ends the session that asks, on every node, and no other', async () => {
    const { bob, chat, phone, tablet, laptop } = await people();
    expect(await phone.device.client(0).request(Logout)).toEqual({ logout: true });
    await expectEnded(phone.device, phone.live);
    await expectUnharmed(tablet.device, tablet.live, bob, chat);
    await expectUnharmed(laptop.device, laptop.live, bob, chat);
    expect(await idsOf(tablet.device)).toEqual([tablet.device.sessionId, laptop.device.sessionId].toSorted());
  });

  it('works over the very socket that it closes', async () => {
    const { phone } = await people();
    const stream = phone.live.socket.subscribe(Logout);
    expect(await stream.next()).toEqual({ logout: true });
    await expectEnded(phone.device, phone.live);
  });

  it('takes no arguments', async () => {
    const ann = await registerPerson(cluster);
    await expect(ann.client().request(`mutation { logout(id: "${ABSENT_ID}") }`)).rejects.toMatchObject({
      code: 'GRAPHQL_VALIDATION_FAILED',
      status: 400,
    });
    expect((await ann.client().request(WhoAmI)).me.id).toBe(ann.id);
  });

  it('is for who is signed in', async () => {
    await expect(nobody().request(Logout)).rejects.toMatchObject({ code: 'UNAUTHENTICATED', status: 200 });
  });

  it('is not for a session that has ended', async () => {
    const ann = await registerPerson(cluster);
    await ann.client().request(Logout);
    await expect(ann.client().request(Logout)).rejects.toMatchObject({ code: 'UNAUTHENTICATED', status: 401 });
  });
});

describe('revokeSessions', () => {
  it('ends one of the viewer’s sessions, on every node, and no other', async () => {
    const { bob, chat, phone, tablet, laptop } = await people();
    const id = tablet.device.sessionId.toUpperCase();
    expect(await phone.device.client(0).request(Revoke, { id })).toEqual({ revokeSessions: 1 });
    await expectEnded(tablet.device, tablet.live);
    await expectUnharmed(phone.device, phone.live, bob, chat);
    await expectUnharmed(laptop.device, laptop.live, bob, chat);
    expect(await idsOf(phone.device)).toEqual([phone.device.sessionId, laptop.device.sessionId].toSorted());
  });

  it('ends all others without an id', async () => {
    const { bob, chat, phone, tablet, laptop } = await people();
    const neighbour = await goLive(deviceWith(bob), chat);
    expect(await phone.device.client(0).request(Revoke, {})).toEqual({ revokeSessions: 2 });
    await Promise.all([tablet, laptop].map(({ device, live }) => expectEnded(device, live)));
    await expectUnharmed(phone.device, phone.live, bob, chat);
    await expectUnharmed(deviceWith(bob), neighbour, bob, chat);
    expect(await idsOf(phone.device)).toEqual([phone.device.sessionId]);
    expect(await phone.device.client(1).request(Revoke, {})).toEqual({ revokeSessions: 0 });
  });

  it('ends the session that asks, by its id', async () => {
    const { phone } = await people();
    expect(await phone.device.client(0).request(Revoke, { id: phone.device.sessionId })).toEqual({ revokeSessions: 1 });
    await expectEnded(phone.device, phone.live);
  });

  it('tells nothing of other people’s sessions, and leaves them alone', async () => {
    const [ann, bob] = [await registerPerson(cluster), await registerPerson(cluster)];
    const refusalOf = (id: string) =>
      ann
        .client()
        .request(Revoke, { id })
        .then(String, (error: unknown) => error);
    const foreign = await refusalOf(claimsOf(bob.accessToken).sid);
    expect(foreign).toMatchObject({ code: 'NOT_FOUND', status: 200 });
    const absent = await refusalOf(ABSENT_ID);
    expect(JSON.stringify(foreign)).toBe(JSON.stringify(absent));
    for (const nodeIndex of [0, 1]) expect((await bob.client(nodeIndex).request(WhoAmI)).me.id).toBe(bob.id);
    expect((await renew(cluster, bob.refreshToken)).user.id).toBe(bob.id);
  });

  it.each(['', 'nonsense', '1', `${ABSENT_ID} `, `${ABSENT_ID}' OR true --`, '\u0000'])(
    'refuses the id %j',
    async (id) => {
      const ann = await registerPerson(cluster);
      await expect(ann.client().request(Revoke, { id })).rejects.toMatchObject({
        code: 'BAD_USER_INPUT',
        status: 200,
        extensions: { field: 'id' },
      });
    },
  );

  it('is for who is signed in', async () => {
    const ann = await registerPerson(cluster);
    for (const variables of [{}, { id: claimsOf(ann.accessToken).sid }])
      await expect(nobody().request(Revoke, variables)).rejects.toMatchObject({ code: 'UNAUTHENTICATED', status: 200 });
    expect((await ann.client().request(WhoAmI)).me.id).toBe(ann.id);
  });
});

describe('changePassword', () => {
  it('leaves no session to whoever signs in with the old password meanwhile', async () => {
    for (let round = 0; round < 4; round += 1) {
      const ann = await registerPerson(cluster);
      const newPassword = `copper-lantern-${round}`;
      // Before and behind the change, and in the middle of it.
      const signingIn = Array.from({ length: 6 }, (_, nodeIndex) => signIn(cluster, ann, { nodeIndex }));
      const changing = ann.client(1).request(ChangePassword, { currentPassword: ann.password, newPassword });
      const [devices] = await Promise.all([Promise.allSettled(signingIn), changing]);
      for (const device of devices) {
        if (device.status === 'rejected') expect(device.reason).toMatchObject({ code: 'INVALID_CREDENTIALS' });
        else
          await expect(renew(cluster, device.value.refreshToken)).rejects.toMatchObject({
            code: 'INVALID_REFRESH_TOKEN',
          });
      }
    }
  });

  it('is done by one of two who have the old one', async () => {
    for (let round = 0; round < 4; round += 1) {
      const ann = await registerPerson(cluster);
      const passwords = ['copper-lantern-1', 'copper-lantern-2'];
      const outcomes = await Promise.allSettled(
        passwords.map((newPassword, nodeIndex) =>
          ann.client(nodeIndex).request(ChangePassword, { currentPassword: ann.password, newPassword }),
        ),
      );
      const nth = outcomes.findIndex(({ status }) => status === 'fulfilled');
      expect(outcomes[1 - nth]).toMatchObject({
        reason: { code: 'INVALID_CREDENTIALS', extensions: { field: 'currentPassword' } },
      });
      await signIn(cluster, { email: ann.email, password: passwords[nth]! });
    }
  });

  const newPassword = 'copper-lighthouse-91';

  it('has every other device sign in again, with the new one', async () => {
    const { ann, bob, chat, phone, tablet, laptop } = await people();
    const neighbour = await goLive(deviceWith(bob), chat);
    const variables = { currentPassword: ann.password, newPassword };
    expect(await phone.device.client(0).request(ChangePassword, variables)).toEqual({ changePassword: true });
    await Promise.all([tablet, laptop].map(({ device, live }) => expectEnded(device, live)));
    await expectUnharmed(phone.device, phone.live, bob, chat);
    await expectUnharmed(deviceWith(bob), neighbour, bob, chat);
    for (const nodeIndex of [0, 1])
      await expect(signIn(cluster, ann, { nodeIndex })).rejects.toMatchObject({ code: 'INVALID_CREDENTIALS' });
    const back = await signIn(cluster, { email: ann.email, password: newPassword }, { nodeIndex: 1 });
    expect((await back.client().request(WhoAmI)).me.id).toBe(ann.id);
  });

  it.each(['', 'wrong-lighthouse-91', 'x'.repeat(9_000), '\u0000', '\ud800'])(
    'refuses %j in place of the current one, and changes nothing',
    async (currentPassword) => {
      const ann = await registerPerson(cluster);
      const other = await signIn(cluster, ann);
      await expect(ann.client().request(ChangePassword, { currentPassword, newPassword })).rejects.toMatchObject({
        code: 'INVALID_CREDENTIALS',
        status: 200,
        extensions: { field: 'currentPassword' },
      });
      expect((await other.client(1).request(WhoAmI)).me.id).toBe(ann.id);
      expect((await renew(cluster, other.refreshToken)).user.id).toBe(ann.id);
      await signIn(cluster, ann);
    },
  );

  it.each(['', 'q7#Lm2z', 'password123', `violet-${'x'.repeat(122)}`, 'violet\ud800harbour', 'violet\u0000harbour'])(
    'refuses the new one %j',
    async (weak) => {
      const ann = await registerPerson(cluster);
      const variables = { currentPassword: ann.password, newPassword: weak };
      await expect(ann.client().request(ChangePassword, variables)).rejects.toMatchObject({
        code: 'BAD_USER_INPUT',
        status: 200,
        extensions: { field: 'newPassword' },
      });
      await signIn(cluster, ann);
    },
  );

  it('refuses the one that stands', async () => {
    const ann = await registerPerson(cluster);
    const variables = { currentPassword: ann.password, newPassword: ann.password };
    await expect(ann.client().request(ChangePassword, variables)).rejects.toMatchObject({
      code: 'BAD_USER_INPUT',
      extensions: { field: 'newPassword' },
    });
  });

  it('is for who is signed in', async () => {
    const ann = await registerPerson(cluster);
    const variables = { currentPassword: ann.password, newPassword };
    await expect(nobody().request(ChangePassword, variables)).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
      status: 200,
    });
  });

  it('is the viewer’s own: another’s password does not do', async () => {
    const [ann, bob] = [await registerPerson(cluster), await registerPerson(cluster)];
    const variables = { currentPassword: bob.password, newPassword };
    await expect(ann.client().request(ChangePassword, variables)).rejects.toMatchObject({
      code: 'INVALID_CREDENTIALS',
    });
    await Promise.all([signIn(cluster, ann), signIn(cluster, bob)]);
  });
});

describe('an access token that expires', () => {
  let shortLived: Cluster;
  beforeAll(async () => {
    shortLived = await startCluster({ env: { ACCESS_TOKEN_TTL: '3s' } });
  });
  afterAll(() => shortLived?.stop());

  async function refreshed(person: Person) {
    const { accessToken, refreshToken } = await renew(shortLived, person.refreshToken);
    Object.assign(person, { accessToken, refreshToken });
    return person;
  }

  it.each(['ws', 'sse'] as const)(
    'ends what is live, and what comes back has missed nothing (%s)',
    async (transport) => {
      const [ann, bob] = [await registerPerson(shortLived), await registerPerson(shortLived)];
      const chat = await openGroup(ann, [bob]);
      const say = async (body: string) => send(await refreshed(bob), chat, body);
      const spoken = [await say('one'), await say('two')];

      await refreshed(ann);
      const expiresAt = claimsOf(ann.accessToken).exp * 1_000;
      const socket = await ann.client(1).openSocket();
      const stream =
        transport === 'ws'
          ? socket.subscribe(Added, { chatId: chat.id, afterSeq: 0 })
          : await ann.client(1).subscribe(Added, { chatId: chat.id, afterSeq: 0 }, { transport });
      await stream.take(2);
      spoken.push(await say('three'));
      expect((await stream.next()).messageAdded.body).toBe('three');

      const ends = Promise.all([stream.end, socket.closed]);
      const [end, closed] = await within(ends, expiresAt + 2_000 - Date.now(), 'the end of what was live');
      expect(Date.now()).toBeGreaterThanOrEqual(expiresAt);
      // A stock client would take an error over the socket as the end, and not come back: there the close says it.
      expect(end).toMatchObject(
        transport === 'ws'
          ? { kind: 'closed', code: 4403 }
          : { kind: 'error', errors: [{ extensions: { code: 'UNAUTHENTICATED', reason: 'TOKEN_EXPIRED' } }] },
      );
      expect(closed).toEqual({ code: 4403, reason: 'Token expired' });
      const seen = stream.collected.at(-1)!.messageAdded.seq;

      spoken.push(await say('four'), await say('five'));
      expect(stream.collected).toHaveLength(3);
      await expect(
        openSocket(shortLived.node(1), { authorization: `Bearer ${ann.accessToken}` }),
      ).rejects.toMatchObject({
        code: 4403,
      });
      await expect(ann.client(1).request(WhoAmI)).rejects.toMatchObject({
        code: 'UNAUTHENTICATED',
        status: 401,
        extensions: { reason: 'TOKEN_EXPIRED' },
      });

      await refreshed(ann);
      const back = await ann.client(0).subscribe(Added, { chatId: chat.id, afterSeq: seen }, { transport });
      const missed = await back.take(2);
      spoken.push(await say('six'));
      const got = [...stream.collected, ...missed, await back.next()].map(({ messageAdded }) => messageAdded);
      expect(got).toEqual(spoken.map(({ seq, body }) => ({ seq, body })));
      await back.close();
    },
  );

  it('leaves the session alone', async () => {
    const ann = await registerPerson(shortLived);
    const expiresAt = claimsOf(ann.accessToken).exp * 1_000;
    await eventually(
      () => expect(ann.client().request(WhoAmI)).rejects.toMatchObject({ extensions: { reason: 'TOKEN_EXPIRED' } }),
      { deadlineMs: expiresAt + 2_000 - Date.now() },
    );
    await refreshed(ann);
    const { sessions } = await ann.client(1).request(Sessions);
    expect(sessions).toMatchObject([{ id: claimsOf(ann.accessToken).sid, isCurrent: true }]);
  });
});
