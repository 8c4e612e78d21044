import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createClient, rawSocket } from '../support/client.ts';
import { backend, startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { signIn } from '../support/devices.ts';
import { graphql } from '../support/generated/index.ts';
import { openGroup, registerPerson } from '../support/people.ts';
import type { Person } from '../support/people.ts';
import { eventually } from '../support/wait.ts';

const Presence = graphql(/* GraphQL */ `
  query PresenceOf($id: ID!) {
    user(id: $id) {
      isOnline
      lastSeenAt
    }
  }
`);

const MembersOnline = graphql(/* GraphQL */ `
  query MembersOnline($id: ID!) {
    chat(id: $id) {
      members {
        user {
          id
          isOnline
        }
      }
    }
  }
`);

const Added = graphql(/* GraphQL */ `
  subscription AddedWhileOnline($chatId: ID!) {
    messageAdded(chatId: $chatId) {
      seq
    }
  }
`);

const Logout = graphql(/* GraphQL */ `
  mutation LogoutWhileOnline {
    logout
  }
`);

/** Of the database's clock against this one: one machine. */
const CLOCKS_MS = 1_000;

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster();
});
afterAll(() => cluster?.stop());

/** As somebody else sees it, on every node. */
function watch(person: Person, watcher: Person) {
  const states = () =>
    Promise.all([0, 1].map(async (index) => (await watcher.client(index).request(Presence, { id: person.id })).user!));
  return {
    online: () =>
      eventually(async () => {
        for (const state of await states()) expect(state).toEqual({ isOnline: true, lastSeenAt: null });
      }),
    /** Answers when they were last seen, in milliseconds since 1970. */
    offline: (deadlineMs = 10_000) =>
      eventually(
        async () => {
          const [first, ...others] = await states();
          expect(first).toEqual({ isOnline: false, lastSeenAt: expect.any(String) });
          for (const other of others) expect(other).toEqual(first);
          return Date.parse(first!.lastSeenAt!);
        },
        { deadlineMs },
      ),
  };
}

async function people() {
  const [ann, bob] = [await registerPerson(cluster), await registerPerson(cluster, { firstName: 'Bob' })];
  return { ann, bob, seen: watch(ann, bob) };
}

describe('somebody', () => {
  it('was never seen before they connect, whatever they ask over HTTP', async () => {
    const { ann, bob } = await people();
    await openGroup(ann, [bob]);
    const { user } = await bob.client(1).request(Presence, { id: ann.id });
    expect(user).toEqual({ isOnline: false, lastSeenAt: null });
  });

  it.each([0, 1])(
    'is online everywhere while a WebSocket is open at node %i, and seen last when it closed',
    async (node) => {
      const { ann, seen } = await people();
      const socket = await ann.client(node).openSocket();
      await seen.online();
      const closedAt = Date.now();
      await socket.close();
      const lastSeenAt = await seen.offline();
      expect(lastSeenAt).toBeGreaterThanOrEqual(closedAt - CLOCKS_MS);
      expect(lastSeenAt).toBeLessThanOrEqual(Date.now() + CLOCKS_MS);

      const again = await ann.client(node).openSocket();
      await seen.online();
      await again.close();
      expect(await seen.offline()).toBeGreaterThan(lastSeenAt);
    },
  );

  it.each([0, 1])('is online everywhere while an event stream is open at node %i', async (node) => {
    const { ann, bob, seen } = await people();
    const chat = await openGroup(ann, [bob]);
    const stream = await ann.client(node).subscribe(Added, { chatId: chat.id }, { transport: 'sse' });
    await seen.online();
    const closedAt = Date.now();
    await stream.close();
    expect(await seen.offline()).toBeGreaterThanOrEqual(closedAt - CLOCKS_MS);
  });

  it('is offline when the connection breaks without a word', async () => {
    const { ann, seen } = await people();
    const line = await rawSocket(cluster.node(1));
    line.send({ type: 'connection_init', payload: { authorization: `Bearer ${ann.accessToken}` } });
    expect(await line.nextMessage()).toEqual({ type: 'connection_ack' });
    await seen.online();
    line.socket.terminate();
    await seen.offline();
  });

  it('is offline when the session ends', async () => {
    const { ann, seen } = await people();
    const socket = await ann.client(1).openSocket();
    await seen.online();
    await ann.client(0).request(Logout);
    await seen.offline();
    expect((await socket.closed).code).toBe(4401);
  });

  it.each([
    ['one node', 0, 0],
    ['two nodes', 0, 1],
  ])('is online until the last of two devices goes (%s)', async (_where, first, second) => {
    const { ann, bob, seen } = await people();
    const tablet = await signIn(cluster, ann);
    const sockets = [await ann.client(first).openSocket(), await tablet.client(second).openSocket()] as const;
    await seen.online();

    // The witness comes and goes behind the first device: once they are seen to be gone, it has been noticed to be.
    const witness = await registerPerson(cluster);
    const witnessed = watch(witness, bob);
    const behind = await witness.client(first).openSocket();
    await witnessed.online();
    await sockets[0].close();
    await behind.close();
    await witnessed.offline();
    await seen.online();

    await sockets[1].close();
    await seen.offline();
  });

  it('is told apart from the others of a chat', async () => {
    const { ann, bob } = await people();
    const cleo = await registerPerson(cluster);
    const chat = await openGroup(ann, [bob, cleo]);
    const sockets = [await ann.client(0).openSocket(), await cleo.client(1).openSocket()];
    await eventually(async () => {
      const { members } = (await bob.client(1).request(MembersOnline, { id: chat.id })).chat!;
      const online = members.filter(({ user }) => user.isOnline).map(({ user }) => user.id);
      expect(online.toSorted()).toEqual([ann.id, cleo.id].toSorted());
    });
    await Promise.all(sockets.map((socket) => socket.close()));
  });

  it('is not online by a connection that was refused', async () => {
    const { ann, bob } = await people();
    const line = await rawSocket(cluster.node(0));
    line.send({ type: 'connection_init', payload: { authorization: `Bearer ${ann.accessToken}x` } });
    expect((await line.closed).code).toBe(4403);
    const witness = await registerPerson(cluster);
    const socket = await witness.client(0).openSocket();
    await watch(witness, bob).online();
    const { user } = await bob.client().request(Presence, { id: ann.id });
    expect(user).toEqual({ isOnline: false, lastSeenAt: null });
    await socket.close();
  });
});

describe.runIf(backend === 'embedded')('the people of the one process', () => {
  it('were last seen when it was killed: it need not wait for a lease of its own to run out', async () => {
    const { ann, bob } = await people();
    const socket = await ann.client().openSocket();
    await watch(ann, bob).online();
    const killedAt = Date.now();
    await cluster.node(0).kill();
    await socket.closed;
    await cluster.startNode();
    // The first answer already: nobody is asked to believe in a connection that cannot be there.
    const { user } = await bob.client().request(Presence, { id: ann.id });
    expect(user).toEqual({ isOnline: false, lastSeenAt: expect.any(String) });
    expect(Date.parse(user!.lastSeenAt!)).toBeLessThanOrEqual(killedAt + CLOCKS_MS);
    const back = await ann.client().openSocket();
    await watch(ann, bob).online();
    await back.close();
  });
});

describe.runIf(backend === 'distributed')('the people of a node', () => {
  const LEASE_MS = 40_000;
  const RENEWAL_MS = 10_000;

  it('go offline with it when it stops', async () => {
    const { ann, seen } = await people();
    const node = await cluster.startNode();
    const socket = await createClient(node, { token: ann.accessToken }).openSocket();
    await seen.online();
    const stoppedAt = Date.now();
    expect(await node.stop()).toBe(0);
    expect((await socket.closed).code).toBe(1012);
    expect(await seen.offline(2_000)).toBeGreaterThanOrEqual(stoppedAt - CLOCKS_MS);
  });

  it('go offline within a minute when it is killed, and nobody else does', async () => {
    const { ann, bob, seen } = await people();
    const cleo = await registerPerson(cluster);
    const node = await cluster.startNode();
    const lost = await createClient(node, { token: ann.accessToken }).openSocket();
    const kept = await cleo.client(0).openSocket();
    await seen.online();
    await watch(cleo, bob).online();

    const killedAt = Date.now();
    await node.kill();
    expect((await lost.closed).code).toBe(1006);
    const lastSeenAt = await seen.offline(60_000);
    expect(lastSeenAt).toBeGreaterThanOrEqual(killedAt - RENEWAL_MS - 2 * CLOCKS_MS);
    expect(lastSeenAt).toBeLessThanOrEqual(killedAt + CLOCKS_MS);
    expect(Date.now() - killedAt).toBeGreaterThan(LEASE_MS - RENEWAL_MS - 2 * CLOCKS_MS);
    await watch(cleo, bob).online();

    // The lease is cleaned away, and takes nothing with it.
    await eventually(async () => expect(await cluster.sql('SELECT 1 FROM node')).toHaveLength(2), {
      deadlineMs: RENEWAL_MS + 5_000,
    });
    expect(await seen.offline()).toBe(lastSeenAt);
    const back = await ann.client(1).openSocket();
    await seen.online();
    await Promise.all([back, kept].map((socket) => socket.close()));
  }, 120_000);
});
