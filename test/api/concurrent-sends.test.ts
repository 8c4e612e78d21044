import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Client, Transport } from '../support/client.ts';
import { backend, startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { GraphQLRequestError } from '../support/document.ts';
import { graphql } from '../support/generated/index.ts';
import { readHistory, seqsTo } from '../support/history.ts';
import { addMember, RemoveMember } from '../support/membership.ts';
import { openGroup, registerPerson, send } from '../support/people.ts';
import type { Person } from '../support/people.ts';
import { NOT_FOUND, refusal } from '../support/refusals.ts';
import { eventually } from '../support/wait.ts';

const ManyAdded = graphql(/* GraphQL */ `
  subscription ManyAdded($chatId: ID!) {
    messageAdded(chatId: $chatId, afterSeq: 0) {
      id
      seq
    }
  }
`);

const PagesBack = graphql(/* GraphQL */ `
  query PagesBack($chatId: ID!, $before: String) {
    chat(id: $chatId) {
      messages(last: 97, before: $before) {
        edges {
          node {
            id
          }
        }
        pageInfo {
          hasPreviousPage
          startCursor
        }
      }
    }
  }
`);

const SENDERS = 8;
const EACH = 125;
const RACES = 25;

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster();
});
afterAll(() => cluster?.stop());

const register = (count: number, firstName: string) =>
  Promise.all(Array.from({ length: count }, () => registerPerson(cluster, { firstName })));

async function readBackwards(client: Client, chat: { id: string }): Promise<string[]> {
  const ids: string[] = [];
  let before: string | null | undefined;
  do {
    const { messages } = (await client.request(PagesBack, { chatId: chat.id, before })).chat!;
    ids.unshift(...messages.edges.map(({ node }) => node.id));
    before = messages.pageInfo.hasPreviousPage ? messages.pageInfo.startCursor : null;
  } while (before != null);
  return ids;
}

describe('many who write at once', () => {
  it(
    'make one order, the same for everybody who listens and reads, with nothing twice',
    { timeout: 120_000 },
    async () => {
      const [senders, [listener]] = [await register(SENDERS, 'Sender'), await register(1, 'Listener')];
      const chat = await openGroup(senders[0]!, [...senders.slice(1), listener!]);
      const places: [number, Transport][] = [
        [0, 'ws'],
        [0, 'sse'],
        [1, 'ws'],
        [1, 'sse'],
      ];
      const streams = await Promise.all(
        places.map(([node, transport]) =>
          listener!.client(node).subscribe(ManyAdded, { chatId: chat.id }, { transport }),
        ),
      );

      const acknowledged = await Promise.all(
        senders.map(async (sender, index) => {
          const mine: { id: string; seq: number }[] = [];
          for (let n = 0; n < EACH; n += 1) {
            const { id, seq } = await send(sender, chat, `${index}: ${n}`, { nodeIndex: index + n });
            mine.push({ id, seq });
          }
          return mine;
        }),
      );

      const total = SENDERS * EACH;
      const history = await readHistory(senders[0]!, chat);
      expect(history.map(({ seq }) => seq)).toEqual(seqsTo(total));
      const order = history.map(({ id }) => id);
      expect(new Set(order).size).toBe(total);
      for (const mine of acknowledged) {
        for (const { id, seq } of mine) expect(order[seq - 1]).toBe(id);
        // Who waits for the answer before the next one has them in the order of sending.
        expect(mine.map(({ seq }) => seq)).toEqual(mine.map(({ seq }) => seq).toSorted((a, b) => a - b));
      }
      for (const node of [0, 1]) expect(await readBackwards(listener!.client(node), chat)).toEqual(order);
      const times = history.map(({ createdAt }) => createdAt);
      expect(times).toEqual(times.toSorted());

      // One more, behind everything: had a stream anything twice, it would not come next.
      const last = await send(senders[0]!, chat, 'the end');
      for (const stream of streams) {
        const heard = (await stream.take(total + 1, 30_000)).map(({ messageAdded }) => messageAdded);
        expect(heard.map(({ seq }) => seq)).toEqual(seqsTo(total + 1));
        expect(heard.map(({ id }) => id)).toEqual([...order, last.id]);
      }
      await Promise.all(streams.map((stream) => stream.close()));
    },
  );

  it.runIf(backend === 'distributed')('wait for a chat that is held, and lose neither order nor seq', async () => {
    const senders = await register(4, 'Sender');
    const chat = await openGroup(senders[0]!, senders.slice(1));
    const stream = await senders[0]!.client(1).subscribe(ManyAdded, { chatId: chat.id });
    const holds = (async () => {
      for (const seconds of [0.1, 0.3, 0.05, 0.2])
        await cluster.sql(`WITH held AS MATERIALIZED (SELECT id FROM chat WHERE id = '${chat.id}' FOR UPDATE)
          SELECT pg_sleep(${seconds}) FROM held`);
    })();
    await Promise.all(
      senders.map(async (sender, index) => {
        for (let n = 0; n < 25; n += 1) await send(sender, chat, `${n}`, { nodeIndex: index + n });
      }),
    );
    await holds;
    const heard = (await stream.take(100)).map(({ messageAdded }) => messageAdded);
    expect(heard.map(({ seq }) => seq)).toEqual(seqsTo(100));
    expect(heard.map(({ id }) => id)).toEqual((await readHistory(senders[1]!, chat)).map(({ id }) => id));
    await stream.close();
  });
});

describe('a sender who is removed in the middle of it', () => {
  /** Sends until it is refused, and answers the ids of what was acknowledged. */
  async function sendUntilRefused(person: Person, chat: { id: string }, nodeIndex: number): Promise<string[]> {
    const ids: string[] = [];
    for (;;) {
      try {
        ids.push((await send(person, chat, 'still in', { nodeIndex })).id);
      } catch (error) {
        if (!(error instanceof GraphQLRequestError)) throw error;
        expect(error.extensions).toEqual(NOT_FOUND);
        return ids;
      }
    }
  }

  it('was heard before the removal, or not at all', { timeout: 120_000 }, async () => {
    const [owner, removed] = (await register(2, 'Racer')) as [Person, Person];
    let heardBefore = 0;
    for (let race = 1; race <= RACES; race += 1) {
      const chat = await openGroup(owner, [removed]);
      const attempts = [0, 1, 0, 1, 0, 1].map((nodeIndex) => sendUntilRefused(removed, chat, nodeIndex));
      // Waits for the first to be through, so that the race is on.
      await eventually(async () => expect((await readHistory(owner, chat)).length).toBeGreaterThan(race % 4), {
        everyMs: 1,
      });
      const { removeMember } = await owner.client(race).request(RemoveMember, { chatId: chat.id, userId: removed.id });
      const atRemoval = await readHistory(owner, chat);
      expect(removeMember.lastMessage?.seq).toBe(atRemoval.length);
      expect(await refusal(send(removed, chat, 'too late', { nodeIndex: race + 1 }))).toEqual(NOT_FOUND);

      const acknowledged = (await Promise.all(attempts)).flat();
      heardBefore += acknowledged.length;
      const history = await readHistory(owner, chat);
      expect(history.map(({ seq }) => seq)).toEqual(seqsTo(history.length));
      expect(history.map(({ id }) => id)).toEqual(atRemoval.map(({ id }) => id));
      expect(acknowledged.toSorted()).toEqual(history.map(({ id }) => id).toSorted());
    }
    expect(heardBefore).toBeGreaterThan(RACES);
  });

  it.runIf(backend === 'distributed')('is refused when the removal stood in line for the chat first', async () => {
    const [owner, removed] = (await register(2, 'Racer')) as [Person, Person];
    const chat = await openGroup(owner, [removed]);
    await send(removed, chat, 'in time');
    const holder = new pg.Client({ connectionString: cluster.databaseUrl });
    await holder.connect();
    const waiting = (count: number) =>
      eventually(async () => {
        const rows = await cluster.sql(`SELECT 1 FROM pg_stat_activity
          WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%FOR NO KEY UPDATE%'`);
        expect(rows).toHaveLength(count);
      });
    try {
      await holder.query('BEGIN');
      await holder.query('SELECT 1 FROM chat WHERE id = $1 FOR UPDATE', [chat.id]);
      const removal = owner.client(0).request(RemoveMember, { chatId: chat.id, userId: removed.id });
      await waiting(1);
      // These have seen the membership already, and stand behind its end.
      const late = [0, 1].map((nodeIndex) => refusal(send(removed, chat, 'late', { nodeIndex })));
      await waiting(3);
      await holder.query('COMMIT');
      await removal;
      expect(await Promise.all(late)).toEqual([NOT_FOUND, NOT_FOUND]);
    } finally {
      await holder.end();
    }
    expect((await readHistory(owner, chat)).map(({ body }) => body)).toEqual(['in time']);
    await addMember(owner, chat, removed);
    expect((await send(removed, chat, 'back')).seq).toBe(2);
  });
});
