import { setTimeout as delay } from 'node:timers/promises';
import { decodeJwt } from 'jose';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createClient } from '../support/client.ts';
import type { RawResponse } from '../support/client.ts';
import { backend, startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { openGroup, registerPerson, send, signInPerson } from '../support/people.ts';
import type { Person } from '../support/people.ts';
import type { GraphQLRequestError } from '../support/document.ts';
import { times } from '../support/query-bombs.ts';
import type { Socket } from '../support/sockets.ts';
import { eventually } from '../support/wait.ts';
import { exchange, openWire } from '../support/wire.ts';

const OPERATIONS = 150;
const many = <T>(count: number, make: (nth: number) => T): T[] => Array.from({ length: count }, (_, nth) => make(nth));
const CHATS = '{ chats { edges { node { id } } } }';

/** Promise 7, of the connections to PostgreSQL. */
describe.runIf(backend === 'distributed')('somebody who asks for everything at once', () => {
  let cluster: Cluster;
  let ann: Person;
  /** Ann on another device. */
  let again: Person;
  let bob: Person;
  let chatId: string;
  let holder: pg.Client;
  beforeAll(async () => {
    cluster = await startCluster({ nodes: 1, env: { RATE_LIMIT: 'on' }, allowErrors: [/rate limited/] });
    [ann, bob] = await Promise.all([registerPerson(cluster), registerPerson(cluster)]);
    again = await signInPerson(cluster, ann);
    const chat = await openGroup(ann, [bob]);
    chatId = chat.id;
    await send(ann, chat, 'hello');
    const url = new URL(cluster.databaseUrl!);
    const schema = url.searchParams.get('schema');
    url.searchParams.delete('schema');
    holder = new pg.Client({ connectionString: url.href });
    await holder.connect();
    if (schema) await holder.query(`SET search_path TO ${pg.escapeIdentifier(schema)}`);
  });
  afterAll(async () => {
    await holder?.end();
    await cluster?.stop();
  });

  const post = (person: Person, query: string, about = chatId) =>
    person.client().raw({
      headers: { 'content-type': 'application/json', authorization: `Bearer ${person.accessToken}` },
      body: JSON.stringify({ query, variables: { chatId: about } }),
    });

  const page = (nth: number) => `p${nth}: messages(last: 1) { edges { node { seq } } }`;
  const PAGES = `query ($chatId: ID!) { chat(id: $chatId) { ${times(10, page).join(' ')} lastMessage { seq } } }`;
  const ADDED = `subscription ($chatId: ID!) {
    messageAdded(chatId: $chatId, afterSeq: 0) { author { email } chat { ${times(10, page).join(' ')} } }
  }`;

  /** As long as it lasts, whoever reads the table waits. */
  async function whileHeld(run: () => Promise<void>, table = 'message') {
    await holder.query('BEGIN');
    await holder.query(`LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`);
    try {
      await run();
    } finally {
      await holder.query('ROLLBACK');
    }
  }

  const waiting = async (table = 'message') => {
    const rows = await cluster.sql(
      `SELECT count(*)::int AS count FROM pg_locks WHERE NOT granted AND relation = '${table}'::regclass`,
    );
    return rows[0]!['count'];
  };

  const waitingForRows = async () => {
    const rows = await cluster.sql(
      `SELECT count(*)::int AS count FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%chat%'`,
    );
    return rows[0]!['count'];
  };

  it('over HTTP has a part of them, and a hundred and fifty operations under way', { timeout: 60_000 }, async () => {
    await whileHeld(async () => {
      const refused: RawResponse[] = [];
      const askedAt = performance.now();
      const attack = many(OPERATIONS + 20, async (nth) => {
        const answer = await post(nth % 2 ? ann : again, PAGES);
        if (answer.status === 429) refused.push(answer);
      });
      await eventually(() => expect(refused).toHaveLength(20));
      // Not at once, so that who asks again and again does not keep the node busy.
      expect(performance.now() - askedAt).toBeGreaterThan(900);
      await eventually(async () => expect(await waiting()).toBeGreaterThanOrEqual(4));
      for (const { headers, json } of refused) {
        expect(headers['retry-after']).toBe('1');
        expect(json).toMatchObject({ errors: [{ extensions: { code: 'RATE_LIMITED', retryAfter: 1 } }] });
      }
      for (let nth = 0; nth < 5; nth += 1) expect((await post(bob, CHATS)).json).not.toHaveProperty('errors');
      // Whoever has taken them all, an owner who signs in can put an end to it.
      const owner = await signInPerson(cluster, ann);
      expect((await post(owner, '{ me { id } }')).json).not.toHaveProperty('errors');
      // One that the server has just given up may still stand in line.
      await eventually(async () => expect(await waiting()).toBeLessThanOrEqual(6));
      await holder.query('ROLLBACK');
      await Promise.all(attack);
    });
    expect((await post(ann, CHATS)).json).not.toHaveProperty('errors');
  });

  it('keeps no places by answers whose turn did not come while their connection was there', async () => {
    const unsigned = JSON.stringify({ query: '{ __typename }' });
    const ask = (headers: string, body: string) =>
      `POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n${headers}` +
      `Content-Length: ${body.length}\r\n\r\n${body}`;
    const wires = await Promise.all(many(20, () => openWire(cluster.node(0))));
    for (const wire of wires) {
      const endless = `Accept: text/event-stream\r\nAuthorization: Bearer ${ann.accessToken}\r\n`;
      wire.write(ask(endless, JSON.stringify({ query: 'subscription { chatUpdated { id } }' })));
      wire.write(ask('', unsigned).repeat(10));
    }
    await Promise.all(wires.map((wire) => wire.sees('200 OK')));
    // What came with the first is read by then, and were it answered, it would be so.
    await createClient(cluster.node(0)).raw({ method: 'GET', path: '/readyz' });
    for (const wire of wires) wire.reset();
    // 200 of one address would be too many.
    expect(await exchange(cluster.node(0), ask('Connection: close\r\n', unsigned))).toContain('"Query"');
  });

  it('reads nothing of a chat that was taken from them while they waited', async () => {
    const cid = await registerPerson(cluster);
    const chat = await openGroup(ann, [cid]);
    await send(ann, chat, 'before');
    const answers: Promise<RawResponse>[] = [];
    await whileHeld(async () => {
      for (const field of ['messages(last: 2) { edges { node { body } } }', 'lastMessage { body }'])
        answers.push(post(cid, `query ($chatId: ID!) { chat(id: $chatId) { ${field} } }`, chat.id));
      await eventually(async () => expect(await waiting()).toBeGreaterThanOrEqual(2));
      await delay(700);
      await holder.query('DELETE FROM chat_member WHERE chat_id = $1 AND user_id = $2', [chat.id, cid.id]);
      await holder.query("UPDATE message SET body = 'after' WHERE chat_id = $1", [chat.id]);
      await holder.query('COMMIT');
    });
    for (const { text, json } of await Promise.all(answers)) {
      expect(text).not.toContain('after');
      expect(json).toMatchObject({ errors: [{ extensions: { code: 'NOT_FOUND' } }] });
    }
  });

  it('writes nothing once their session has ended while they waited', async () => {
    const person = await signInPerson(cluster, ann);
    let answer!: Promise<RawResponse>;
    await whileHeld(async () => {
      answer = post(
        person,
        `mutation ($chatId: ID!) {
          updateProfile(input: { firstName: "Anna" }) { id }
          sendMessage(input: { chatId: $chatId, body: "too late" }) { id }
        }`,
      );
      await eventually(async () => expect(await waiting('app_user')).toBeGreaterThanOrEqual(1));
      await delay(1_200);
      await cluster.sql(`DELETE FROM session WHERE id = '${String(decodeJwt(person.accessToken)['sid'])}'`);
    }, 'app_user');
    expect((await answer).json).toMatchObject({ errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] });
    expect(await cluster.sql("SELECT 1 FROM message WHERE body = 'too late'")).toEqual([]);
  });

  it('over a socket has a part of them, subscriptions and queries together', { timeout: 60_000 }, async () => {
    const socket = await ann.client().openSocket();
    const streams = times(20, (nth) => `${ADDED} # ${nth}`).map((query) =>
      socket.subscribe<unknown, object>(query, { chatId }),
    );
    for (const stream of streams) await stream.next();
    await whileHeld(async () => {
      const queries = times(20, (nth) => `${PAGES} # ${nth}`).map((query) =>
        socket.subscribe<unknown, object>(query, { chatId }),
      );
      await eventually(async () => expect(await waiting()).toBeGreaterThanOrEqual(4));
      for (let nth = 0; nth < 5; nth += 1) expect((await post(bob, CHATS)).json).not.toHaveProperty('errors');
      // One that the server has just given up may still stand in line.
      await eventually(async () => expect(await waiting()).toBeLessThanOrEqual(6));
      await holder.query('ROLLBACK');
      for (const query of queries) await query.next();
    });
    await socket.close();
  });

  it(
    'over several sockets has a hundred and fifty operations under way, and one more is refused after a second',
    {
      timeout: 60_000,
    },
    async () => {
      const sockets = await Promise.all([ann, ann, again, again].map((who) => who.client().openSocket()));
      await whileHeld(async () => {
        const refused: unknown[] = [];
        const askedAt = performance.now();
        const answers = sockets
          .flatMap((socket) => many(42, (nth) => socket.subscribe<unknown, object>(`${PAGES} # ${nth}`, { chatId })))
          .map((stream) => stream.next().catch((error: GraphQLRequestError) => refused.push(error.code)));
        await eventually(() => expect(refused).toHaveLength(4 * 42 - OPERATIONS));
        expect(performance.now() - askedAt).toBeGreaterThan(900);
        expect(new Set(refused)).toEqual(new Set(['RATE_LIMITED']));
        await holder.query('ROLLBACK');
        await Promise.all(answers);
        expect(refused).toHaveLength(4 * 42 - OPERATIONS);
      });
      await Promise.all(sockets.map((socket) => socket.close()));
    },
  );

  it('has a part of them for what they write', { timeout: 60_000 }, async () => {
    const socket = await ann.client().openSocket();
    const WRITES = [
      'mutation ($chatId: ID!) { markRead(chatId: $chatId, seq: 1) { id } }',
      'mutation ($chatId: ID!) { updateChat(input: { chatId: $chatId, title: "The same" }) { title } }',
    ];
    await holder.query('BEGIN');
    try {
      await holder.query('SELECT 1 FROM chat WHERE id = $1 FOR UPDATE', [chatId]);
      const writes = many(40, (nth) => socket.subscribe<unknown, object>(`${WRITES[nth % 2]} # ${nth}`, { chatId }));
      await eventually(async () => expect(await waitingForRows()).toBe(3));
      for (let nth = 0; nth < 5; nth += 1) expect((await post(bob, CHATS)).json).not.toHaveProperty('errors');
      expect(await waitingForRows()).toBe(3);
      await holder.query('ROLLBACK');
      for (const write of writes) await write.next();
    } finally {
      await holder.query('ROLLBACK');
    }
    await socket.close();
  });

  it.each([
    ['begin', 'chat_member', '{ me { id } }'],
    ['catch up', 'message', CHATS],
  ])('has a part of them for subscriptions that %s', { timeout: 60_000 }, async (_what, table, others) => {
    const socket = await ann.client().openSocket();
    await whileHeld(async () => {
      const streams = many(40, (nth) =>
        socket.subscribe<unknown, object>(
          `subscription ($chatId: ID!) { messageAdded(chatId: $chatId, afterSeq: 0) { seq } } # ${nth}`,
          { chatId },
        ),
      );
      await eventually(async () => expect(await waiting(table)).toBe(3));
      for (let nth = 0; nth < 5; nth += 1) expect((await post(bob, others)).json).not.toHaveProperty('errors');
      expect(await waiting(table)).toBe(3);
      await holder.query('ROLLBACK');
      for (const stream of streams) expect(await stream.next()).toMatchObject({ messageAdded: { seq: 1 } });
    }, table);
    await socket.close();
  });

  it('does not keep the owner of the account from ending the session', { timeout: 60_000 }, async () => {
    const stolen = await signInPerson(cluster, ann);
    await holder.query('BEGIN');
    try {
      await holder.query('SELECT 1 FROM chat WHERE id = $1 FOR UPDATE', [chatId]);
      const write = 'mutation ($chatId: ID!) { markRead(chatId: $chatId, seq: 1) { id } }';
      const attack = many(60, () => post(stolen, write));
      await eventually(async () => expect(await waitingForRows()).toBe(3));
      const { json } = await post(again, 'mutation { revokeSessions }');
      expect(json).toEqual({ data: { revokeSessions: expect.any(Number) as number } });
      await holder.query('ROLLBACK');
      await Promise.all(attack);
    } finally {
      await holder.query('ROLLBACK');
    }
    expect((await post(stolen, CHATS)).json).toMatchObject({ errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] });
  });

  it('listens to two hundred things at a time, on all devices', { timeout: 60_000 }, async () => {
    const me = await registerPerson(cluster);
    const chat = await openGroup(me, []);
    await send(me, chat, 'hello');
    const subscription = 'subscription ($chatId: ID!) { messageAdded(chatId: $chatId, afterSeq: 0) { seq } }';
    const sockets = await Promise.all(many(5, () => me.client().openSocket()));
    const listen = (socket: Socket) => socket.subscribe<unknown, object>(subscription, { chatId: chat.id });
    const streams = sockets.slice(0, 4).flatMap((socket) => many(50, () => listen(socket)));
    for (const stream of streams) expect(await stream.next()).toMatchObject({ messageAdded: { seq: 1 } });
    await expect(listen(sockets[4]!).next()).rejects.toMatchObject({ code: 'RATE_LIMITED' });
    await streams[0]!.close();
    await eventually(async () => expect(await listen(sockets[4]!).next()).toMatchObject({ messageAdded: { seq: 1 } }));
    await Promise.all(sockets.map((socket) => socket.close()));
  });
});
