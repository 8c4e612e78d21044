import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findFaults, Follower, readHistory, sendUntilKnown } from '../support/chat-history.ts';
import { GraphQLRequestError } from '../support/client.ts';
import { startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { graphql } from '../support/generated/index.ts';
import { openDirectChat, openGroup, registerPerson, send } from '../support/people.ts';
import { atFullSize } from '../support/size.ts';
import { eventually, within } from '../support/wait.ts';

const Follow = graphql(/* GraphQL */ `
  subscription FollowInRace($chatId: ID!, $afterSeq: Int) {
    messageAdded(chatId: $chatId, afterSeq: $afterSeq) {
      seq
      body
    }
  }
`);

const Remove = graphql(/* GraphQL */ `
  mutation RemoveInRace($chatId: ID!, $userId: ID!) {
    removeMember(chatId: $chatId, userId: $userId) {
      id
      messages(last: 1) {
        edges {
          node {
            seq
          }
        }
      }
    }
  }
`);

const Add = graphql(/* GraphQL */ `
  mutation AddInRace($chatId: ID!, $userIds: [ID!]!) {
    addMembers(chatId: $chatId, userIds: $userIds) {
      id
    }
  }
`);

/** What happens at the same moment happens in one order for everybody. */
describe('at the same moment', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(() => cluster?.stop());

  const SUBSCRIBES = atFullSize(1_000, 40);
  it(
    `a subscriber joins a running writer: exactly afterSeq + 1 to the end, ${SUBSCRIBES} times`,
    { timeout: 2_400_000 },
    async () => {
      const ann = await registerPerson(cluster);
      const bob = await registerPerson(cluster);
      const chat = await openDirectChat(ann, bob);
      let lastSeq = 0;
      let writing = true;
      const writer = (async () => {
        while (writing) lastSeq = (await send(ann, chat, 'tick', { nodeIndex: lastSeq })).seq;
      })();
      await eventually(() => expect(lastSeq).toBeGreaterThan(5));
      const join = async (nth: number) => {
        const afterSeq = Math.max(0, lastSeq - Math.floor(Math.random() * 40));
        const transport = nth % 4 === 0 ? 'sse' : 'ws';
        const stream = await bob.client(nth).subscribe(Follow, { chatId: chat.id, afterSeq }, { transport });
        const seqs = (await stream.take(lastSeq - afterSeq + 5, 20_000)).map(({ messageAdded }) => messageAdded.seq);
        await stream.close();
        expect(seqs).toEqual(seqs.map((_, index) => afterSeq + 1 + index));
      };
      for (let done = 0; done < SUBSCRIBES; done += 10)
        await Promise.all(Array.from({ length: 10 }, (_, index) => join(done + index)));
      writing = false;
      await writer;
    },
  );

  const REMOVALS = atFullSize(1_000, 20);
  it(
    `a member is removed while others write: nothing later reaches them, ${REMOVALS} times`,
    { timeout: 2_400_000 },
    async () => {
      const ann = await registerPerson(cluster);
      const bob = await registerPerson(cluster);
      const chat = await openGroup(ann, [bob]);
      let writing = true;
      const writers = [0, 1].map(async (node) => {
        while (writing) await send(ann, chat, 'said', { nodeIndex: node });
      });
      for (let race = 0; race < REMOVALS; race += 1) {
        const stream = await bob.client(race).subscribe(Follow, { chatId: chat.id });
        await stream.next();
        const { removeMember } = await ann.client(race + 1).request(Remove, { chatId: chat.id, userId: bob.id });
        // The answer was read after the removal was committed: what it shows as newest may be later than that, never earlier.
        const newestAfter = removeMember.messages.edges[0]!.node.seq;
        const end = await within(stream.end, 5_000, 'the end of what the removed heard');
        expect(end).toMatchObject({ kind: 'error', errors: [{ extensions: { code: 'NOT_FOUND' } }] });
        const heard = stream.collected.map(({ messageAdded }) => messageAdded.seq);
        expect(heard).toEqual(heard.map((_, index) => heard[0]! + index));
        expect(heard.at(-1)).toBeLessThanOrEqual(newestAfter);
        const refused = await bob.client(race).subscribe(Follow, { chatId: chat.id, afterSeq: 0 });
        await expect(refused.next()).rejects.toThrow(GraphQLRequestError);
        await ann.client().request(Add, { chatId: chat.id, userIds: [bob.id] });
      }
      writing = false;
      await Promise.all(writers);
    },
  );

  const KEYS = atFullSize(500, 15);
  it(`the same client id is sent 20 times, for ${KEYS} ids: one message each`, { timeout: 2_400_000 }, async () => {
    const ann = await registerPerson(cluster);
    const bob = await registerPerson(cluster);
    const chat = await openDirectChat(ann, bob);
    const follower = new Follower(bob, chat.id, { node: 1 });
    const acknowledged = [];
    for (let key = 0; key < KEYS; key += 1) {
      const message = { chatId: chat.id, body: `once ${key}`, clientId: `key ${key}` };
      const copies = await Promise.all(
        Array.from({ length: 20 }, (_, node) => sendUntilKnown(ann, message, { firstNode: node })),
      );
      expect(new Set(copies.map((copy) => copy.message.id)).size).toBe(1);
      acknowledged.push(copies[0]!.message);
    }
    const history = await readHistory(ann, chat.id);
    expect(history).toHaveLength(KEYS);
    await eventually(() => expect(follower.lastSeq).toBe(KEYS));
    expect(findFaults({ acknowledged, followed: [follower.seen], history })).toEqual([]);
    await follower.stop();
  });
});
