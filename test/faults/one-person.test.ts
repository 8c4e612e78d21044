import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RawResponse } from '../support/client.ts';
import { backend, startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { openGroup, registerPerson, send } from '../support/people.ts';
import type { Person } from '../support/people.ts';
import { times } from '../support/query-bombs.ts';
import { eventually } from '../support/wait.ts';

const OPERATIONS = 100;
const CHATS = '{ chats { edges { node { id } } } }';

/** Promise 7, of the connections to PostgreSQL. */
describe.runIf(backend === 'distributed')('somebody who asks for everything at once', () => {
  let cluster: Cluster;
  let ann: Person;
  let bob: Person;
  let chatId: string;
  let holder: pg.Client;
  beforeAll(async () => {
    cluster = await startCluster({ nodes: 1, env: { RATE_LIMIT: 'on' }, allowErrors: [/rate limited/] });
    [ann, bob] = await Promise.all([registerPerson(cluster), registerPerson(cluster)]);
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

  const post = (person: Person, query: string) =>
    person.client().raw({
      headers: { 'content-type': 'application/json', authorization: `Bearer ${person.accessToken}` },
      body: JSON.stringify({ query, variables: { chatId } }),
    });

  const page = (nth: number) => `p${nth}: messages(last: 1) { edges { node { seq } } }`;
  const PAGES = `query ($chatId: ID!) { chat(id: $chatId) { ${times(10, page).join(' ')} lastMessage { seq } } }`;
  const ADDED = `subscription ($chatId: ID!) {
    messageAdded(chatId: $chatId, afterSeq: 0) { author { email } chat { ${times(10, page).join(' ')} } }
  }`;

  /** As long as it lasts, whoever reads messages waits. */
  async function whileMessagesAreHeld(run: () => Promise<void>) {
    await holder.query('BEGIN');
    await holder.query('LOCK TABLE message IN ACCESS EXCLUSIVE MODE');
    try {
      await run();
    } finally {
      await holder.query('ROLLBACK');
    }
  }

  const waiting = async () => {
    const rows = await cluster.sql(
      "SELECT count(*)::int AS count FROM pg_locks WHERE NOT granted AND relation = 'message'::regclass",
    );
    return rows[0]!['count'];
  };

  it('over HTTP has a part of them, and a hundred operations under way', { timeout: 60_000 }, async () => {
    await whileMessagesAreHeld(async () => {
      const refused: RawResponse[] = [];
      const askedAt = performance.now();
      const attack = times(OPERATIONS + 20, () => '').map(async () => {
        const answer = await post(ann, PAGES);
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
      // One that the server has just given up may still stand in line.
      await eventually(async () => expect(await waiting()).toBeLessThanOrEqual(6));
      await holder.query('ROLLBACK');
      await Promise.all(attack);
    });
    expect((await post(ann, CHATS)).json).not.toHaveProperty('errors');
  });

  it('over a socket has a part of them, subscriptions and queries together', { timeout: 60_000 }, async () => {
    const socket = await ann.client().openSocket();
    const streams = times(20, (nth) => `${ADDED} # ${nth}`).map((query) =>
      socket.subscribe<unknown, object>(query, { chatId }),
    );
    for (const stream of streams) await stream.next();
    await whileMessagesAreHeld(async () => {
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
});
