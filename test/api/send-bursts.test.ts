import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GraphQLRequestError } from '../support/client.ts';
import { backend, startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { graphql } from '../support/generated/index.ts';
import { readHistory, seqsTo } from '../support/history.ts';
import { addMember, removeMember, RemoveMember } from '../support/membership.ts';
import { openGroup, registerPerson, send, SendMessage } from '../support/people.ts';
import type { Person } from '../support/people.ts';
import { CONFLICT, NOT_FOUND, refusal } from '../support/refusals.ts';
import { eventually } from '../support/wait.ts';

const BurstAdded = graphql(/* GraphQL */ `
  subscription BurstAdded($chatId: ID!) {
    messageAdded(chatId: $chatId, afterSeq: 0) {
      id
      seq
    }
  }
`);

interface Chat {
  id: string;
}

const SENDERS = 64;
const SENDS = 500;
/** Every request is answered within 5 s, and the machine is busy; less than two waits for a chat, each of 3 s. */
const ANSWERED_MS = 5_000 + 750;

let cluster: Cluster;
let people: Person[];
let owner: Person;

beforeAll(async () => {
  cluster = await startCluster();
  people = await Promise.all(
    Array.from({ length: SENDERS }, (_, index) => registerPerson(cluster, { firstName: `Sender ${index}` })),
  );
  owner = people[0]!;
}, 120_000);
afterAll(() => cluster?.stop());

/** One after the other: it is the sends that are to be many at once. */
async function openChats(count: number, members = people.slice(1)): Promise<Chat[]> {
  const chats: Chat[] = [];
  while (chats.length < count) chats.push(await openGroup(owner, members));
  return chats;
}

const times = <T>(count: number, what: (nth: number) => Promise<T>) =>
  Promise.all(Array.from({ length: count }, (_, nth) => what(nth)));

async function expectGapless(chat: Chat): Promise<string[]> {
  const history = await readHistory(owner, chat);
  expect(history.map(({ seq }) => seq)).toEqual(seqsTo(history.length));
  const created = history.map(({ createdAt }) => createdAt);
  expect(created).toEqual(created.toSorted());
  return history.map(({ body }) => body);
}

describe('a burst', () => {
  it.each([1, 50])(
    `of ${SENDS} sends into %i chats is kept and told once, in order`,
    { timeout: 120_000 },
    async (n) => {
      const chats = await openChats(n);
      const streams = await Promise.all(
        [0, 1].map((node) => owner.client(node).subscribe(BurstAdded, { chatId: chats[0]!.id })),
      );
      const sockets = await Promise.all(people.map((person, index) => person.client(index).openSocket()));
      // What one sender says in one chat goes over one socket, without waiting: it arrives in that order.
      const sent = await times(SENDS, async (nth) => {
        const sender = nth % SENDERS;
        const chat = chats[sender % n]!;
        const input = { chatId: chat.id, body: `${sender}: ${nth}`, clientId: `${nth}` };
        const { sendMessage } = await sockets[sender]!.subscribe(SendMessage, { input }).next();
        return { id: sendMessage.id, seq: sendMessage.seq, chat, sender, body: input.body };
      });
      expect(new Set(sent.map(({ id }) => id)).size).toBe(SENDS);
      for (const chat of chats) {
        const mine = sent.filter((message) => message.chat === chat);
        expect(mine.map(({ seq }) => seq).toSorted((a, b) => a - b)).toEqual(seqsTo(mine.length));
        const bodies = await expectGapless(chat);
        for (const { seq, body } of mine) expect(bodies[seq - 1]).toBe(body);
        for (const sender of new Set(mine.map((message) => message.sender))) {
          const seqs = mine.filter((message) => message.sender === sender).map(({ seq }) => seq);
          expect(seqs).toEqual(seqs.toSorted((a, b) => a - b));
        }
      }
      const heard = sent.filter(({ chat }) => chat === chats[0]).toSorted((a, b) => a.seq - b.seq);
      const last = await send(owner, chats[0]!, 'the end');
      for (const stream of streams) {
        const ids = (await stream.take(heard.length + 1)).map(({ messageAdded }) => messageAdded.id);
        expect(ids).toEqual([...heard.map(({ id }) => id), last.id]);
        await stream.close();
      }
      await Promise.all(sockets.map((socket) => socket.close()));
    },
  );

  it('keeps what each of its messages carries', async () => {
    const [ann, bob] = people as [Person, Person];
    const [chat] = await openChats(1, [bob]);
    const bodies = [
      'NULL',
      'null',
      '"',
      "'",
      '\\',
      '\\"',
      ',',
      '{}',
      ' , ',
      '\n',
      '1',
      'true',
      '\u2028',
      '🚢',
      '2020-01-01T00:00:00Z',
    ];
    const messages = bodies.map((text, nth) => ({
      type: (['TEXT', 'LOCATION', 'PHOTO'] as const)[nth % 3]!,
      body: `${text}.`,
      extraData: [null, text, { [text]: [text, null] }, nth][nth % 4],
      clientId: nth % 2 ? `.${text}` : null,
    }));
    await Promise.all(
      messages.map(({ clientId, ...message }, nth) =>
        send(ann, chat!, message.body, { ...message, clientId: clientId ?? undefined, nodeIndex: nth }),
      ),
    );
    const history = await readHistory(bob, chat!);
    const kept = history.map(({ type, body, extraData, clientId }) => ({ type, body, extraData, clientId }));
    expect(kept).toHaveLength(messages.length);
    expect(kept).toEqual(expect.arrayContaining(messages));
  });

  it('has bad sends in it: each fails alone', { timeout: 60_000 }, async () => {
    const [ann, bob, stranger, removed] = people as [Person, Person, Person, Person];
    const chats = await openChats(4, [bob, removed]);
    for (const chat of chats) {
      await removeMember(ann, chat, removed);
      await send(ann, chat, 'taken', { clientId: 'taken' });
    }
    const bad: Array<[Person, string, string | undefined, Record<string, unknown>]> = [
      [stranger, 'let me in', undefined, NOT_FOUND],
      [removed, 'let me back in', 'mine', NOT_FOUND],
      [ann, 'another', 'taken', CONFLICT],
    ];
    await times(240, async (nth) => {
      const chat = chats[nth % 4]!;
      const place = { nodeIndex: Math.floor(nth / 4) };
      const [person, body, clientId, expected] = bad[nth % 20] ?? [];
      if (!person) await send(nth % 8 < 4 ? ann : bob, chat, 'good', place);
      else expect(await refusal(send(person, chat, body!, { ...place, clientId }))).toEqual(expected);
    });
    const absent = await refusal(send(ann, { id: ann.id }, 'nowhere'));
    expect(absent).toEqual(NOT_FOUND);
    const bodies = (await Promise.all(chats.map(expectGapless))).flat();
    expect(bodies.toSorted()).toEqual([
      ...Array.from({ length: 204 }, () => 'good'),
      ...Array.from({ length: 4 }, () => 'taken'),
    ]);
  });

  it(
    'has the same client id in it many times: one message, and conflicts for other bodies',
    { timeout: 60_000 },
    async () => {
      const [ann, bob] = people as [Person, Person];
      const chats = await openChats(5, [bob]);
      const streams = await Promise.all(chats.map((chat) => bob.client(1).subscribe(BurstAdded, { chatId: chat.id })));
      // Both have the same ids, and each has another body under them now and then.
      const sends = Array.from({ length: 300 }, (_, nth) => ({
        person: nth % 2 ? ann : bob,
        chat: chats[nth % 5]!,
        clientId: `key ${nth % 3}`,
        body: nth % 7 ? 'first' : 'second',
      }));
      const outcomes = await Promise.allSettled(
        sends.map(({ person, chat, body, clientId }, nth) =>
          send(person, chat, body, { clientId, nodeIndex: nth % 4 < 2 ? 0 : 1 }),
        ),
      );
      for (const chat of chats) {
        const history = await readHistory(ann, chat);
        expect(history.map(({ seq }) => seq)).toEqual(seqsTo(6));
        const stands = new Map(history.map((message) => [`${message.author?.id} ${message.clientId}`, message]));
        expect(stands.size).toBe(6);
        for (const [nth, { person, body, clientId }] of sends.entries()) {
          if (sends[nth]!.chat !== chat) continue;
          const { id, body: standing } = stands.get(`${person.id} ${clientId}`)!;
          if (body === standing) expect(outcomes[nth]).toMatchObject({ status: 'fulfilled', value: { id } });
          else expect(outcomes[nth]).toMatchObject({ status: 'rejected', reason: { extensions: CONFLICT } });
        }
      }
      for (const [index, stream] of streams.entries()) {
        await send(ann, chats[index]!, 'the end');
        expect((await stream.take(7)).map(({ messageAdded }) => messageAdded.seq)).toEqual(seqsTo(7));
        await stream.close();
      }
    },
  );
});

describe.runIf(backend === 'distributed')('a chat that somebody holds', () => {
  async function hold(...chats: Chat[]) {
    const holder = new pg.Client({ connectionString: cluster.databaseUrl });
    await holder.connect();
    await holder.query('BEGIN');
    await holder.query('SELECT 1 FROM chat WHERE id = ANY($1::uuid[]) FOR UPDATE', [chats.map(({ id }) => id)]);
    return holder;
  }

  /** How many statements with these words wait for their chat as long as they may. */
  async function countWaiting(words: string): Promise<number> {
    const rows = await cluster.sql(
      `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
        AND strpos(query, $1) > 0 AND strpos(query, 'set_config') = 0`,
      [words],
    );
    return rows.length;
  }

  const untilWaiting = (count: number, words = 'FOR NO KEY UPDATE') =>
    eventually(async () => expect(await countWaiting(words)).toBe(count));

  /**
   * A chat that is held behind a first send of bob's, and 21 sends that have come meanwhile and wait for the holder
   * together: the eleventh is ann's, with a client id.
   *
   * @throws if they came first: PostgreSQL lets a statement that arrives overtake one that it has only just woken.
   */
  async function sendBehindHolder(ann: Person, bob: Person) {
    const chat = await openGroup(owner, [bob]);
    const before = await hold(chat);
    const first = send(bob, chat, 'first');
    await untilWaiting(1);
    const standing = hold(chat);
    const sends = times(21, async (nth): Promise<unknown> => {
      const attempt = nth === 10 ? send(ann, chat, '10', { clientId: 'taken' }) : send(bob, chat, `${nth}`);
      return attempt.catch((error: unknown) => error);
    });
    await untilWaiting(1, 'FOR UPDATE');
    await before.end();
    await first;
    const holder = await standing;
    const { rows } = await holder.query('SELECT last_seq::int AS seq FROM chat WHERE id = $1', [chat.id]);
    if (rows[0].seq !== 1) {
      await holder.end();
      throw new Error('overtaken');
    }
    await untilWaiting(1);
    return { chat, holder, sends };
  }

  it('delays its own sends, and no others, even if there are more of them than connections', async () => {
    const chats = await openChats(32);
    const [held, others] = [chats.slice(0, 12), chats.slice(12)];
    const holder = await hold(...held);
    let waiting = 48;
    const late = times(waiting, async (nth) => {
      await send(people[nth]!, held[nth % 12]!, `${nth}`, { nodeIndex: Math.floor(nth / 12) });
      waiting -= 1;
    });
    for (let round = 0; round < 2; round += 1)
      await times(60, (nth) => send(people[nth % SENDERS]!, others[nth % 20]!, `${nth}`, { nodeIndex: nth }));
    expect(waiting).toBe(48);
    await holder.end();
    await late;
    for (const chat of chats) await expectGapless(chat);
  });

  it('for too long refuses its own sends within 5 s, and no others', { timeout: 60_000 }, async () => {
    const [held, other] = await openChats(2);
    const holder = await hold(held!);
    let isHeld = true;
    const others = times(4, async (nth) => {
      while (isHeld) await send(people[nth]!, other!, 'meanwhile', { nodeIndex: nth });
    });
    await times(40, async (nth) => {
      await delay(nth * 100);
      const began = performance.now();
      const error = await send(people[nth]!, held!, 'never', { nodeIndex: nth }).catch(
        (error: GraphQLRequestError) => error,
      );
      expect(error).toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
      expect(performance.now() - began).toBeLessThan(ANSWERED_MS);
    });
    isHeld = false;
    await others;
    await holder.end();
    expect((await send(owner, held!, 'at last')).seq).toBeGreaterThan(0);
    for (const chat of [held!, other!]) await expectGapless(chat);
  });

  it('and in which a removal stands in line first: refuses what was sent behind it', { timeout: 60_000 }, async () => {
    const [ann, bob, removed] = people as [Person, Person, Person];
    const [chat, other] = await openChats(2, [bob, removed]);
    const holder = await hold(chat!);
    const removal = ann.client(0).request(RemoveMember, { chatId: chat!.id, userId: removed.id });
    await untilWaiting(1);
    // The first at each node has seen the membership, and stands behind its end; the others wait for that one.
    const refusals: Promise<unknown>[] = [];
    const bobs: Promise<unknown>[] = [];
    for (let nth = 0; nth < 40; nth += 1) {
      refusals.push(refusal(send(removed, chat!, 'late', { nodeIndex: nth })));
      if (nth < 2) await untilWaiting(2 + nth);
      bobs.push(send(bob, chat!, 'bob', { nodeIndex: nth }), send(removed, other!, 'aside', { nodeIndex: nth }));
    }
    await holder.end();
    await removal;
    for (const outcome of await Promise.all(refusals)) expect(outcome).toEqual(NOT_FOUND);
    await Promise.all(bobs);
    expect(await expectGapless(chat!)).toEqual(Array.from({ length: 40 }, () => 'bob'));
    await addMember(ann, chat!, removed);
    expect((await send(removed, chat!, 'back')).seq).toBe(41);
  });

  it('and in which a client id is taken meanwhile: refuses what repeats it, and nothing else', async () => {
    const [ann, bob] = people as [Person, Person];
    const { chat, holder, sends } = await eventually(() => sendBehindHolder(ann, bob));
    await holder.query(`UPDATE chat SET last_seq = 2, revision = revision + 1 WHERE id = $1`, [chat.id]);
    await holder.query(
      `INSERT INTO message (id, chat_id, seq, author_id, body, client_id, created_at)
        VALUES (gen_random_uuid(), $1, 2, $2, 'taken', $3, clock_timestamp())`,
      [chat.id, ann.id, 'taken'],
    );
    await holder.query('COMMIT');
    await holder.end();
    expect((await sends)[10]).toMatchObject({ extensions: CONFLICT });
    const [firstBody, takenBody, ...others] = await expectGapless(chat);
    expect([firstBody, takenBody]).toEqual(['first', 'taken']);
    expect(others.map(Number).toSorted((a, b) => a - b)).toEqual(
      seqsTo(21)
        .map((nth) => nth - 1)
        .filter((nth) => nth !== 10),
    );
  });
});
