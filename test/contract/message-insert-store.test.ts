import { v7 as uuidv7 } from 'uuid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createMessageInsert } from '../../src/features/messages/message-insert-store.ts';
import { Prisma } from '../../src/generated/prisma/client.ts';
import { startInMemory } from '../../src/persistence/embedded.ts';
import type { EmbeddedEngine } from '../../src/persistence/embedded.ts';
import { applyMigrations } from '../../src/persistence/migrations.ts';
import { createQuery } from '../../src/persistence/query.ts';
import type { Query } from '../../src/persistence/query.ts';

/** As EXPLAIN tells it. */
interface PlanNode {
  'Node Type': string;
  'Relation Name'?: string;
  'Index Name'?: string;
  Plans?: PlanNode[];
}

/** Half of them of one author in one chat; the others one by one, of as many authors in as many chats. */
const MESSAGES = 100_000;

describe(`a send, where there are ${MESSAGES} messages`, () => {
  const [author, chat] = [uuidv7(), uuidv7()];
  let engine: EmbeddedEngine;
  let plans: PlanNode[];
  let insert: ReturnType<typeof createMessageInsert>;

  beforeAll(async () => {
    engine = await startInMemory();
    await applyMigrations(engine.adapter);
    await engine.pglite.exec(`
      CREATE TABLE pair AS SELECT '${author}'::uuid AS author, '${chat}'::uuid AS chat, ${MESSAGES / 2} AS messages
        UNION ALL SELECT gen_random_uuid(), gen_random_uuid(), 1 FROM generate_series(1, ${MESSAGES / 2});
      INSERT INTO app_user (id, email, password_hash, first_name, last_name)
        SELECT author, author, '', 'Ada', 'Lovelace' FROM pair;
      INSERT INTO chat (id, kind, last_seq) SELECT chat, 'GROUP', messages FROM pair;
      INSERT INTO chat_member (chat_id, user_id) SELECT chat, author FROM pair;
      INSERT INTO message (id, chat_id, seq, author_id, body, client_id)
        SELECT gen_random_uuid(), chat, seq, author, 'hello', seq FROM pair, generate_series(1, messages) AS seq;
    `);
    insert = createMessageInsert(explaining(createQuery(engine.adapter)));
  }, 120_000);

  afterAll(() => engine?.close());

  /** Keeps the plan of each statement before it is run. */
  function explaining(query: Query): Query {
    return async (words, ...values) => {
      const statement = Prisma.sql(words, ...values);
      const [row] = await query<{ 'QUERY PLAN': Array<{ Plan: PlanNode }> }>`EXPLAIN (FORMAT JSON) ${statement}`;
      plans.push(row!['QUERY PLAN'][0]!.Plan);
      return query`${statement}`;
    };
  }

  const readsOfMessages = (plan: PlanNode): PlanNode[] => [
    ...(plan['Relation Name'] === 'message' && plan['Node Type'] !== 'ModifyTable' ? [plan] : []),
    ...(plan.Plans ?? []).flatMap(readsOfMessages),
  ];

  const send = (clientId: string) =>
    insert({ chatId: chat, authorId: author, type: 'TEXT', body: 'hello', extraData: null, clientId, sentHash: null });

  async function expectOneLookUpByKey(clientIds: string[]): Promise<void> {
    plans = [];
    const sent = await Promise.all(clientIds.map(send));
    expect(sent.map((one) => one?.isNew)).toEqual(clientIds.map((id) => Number.isNaN(Number(id))));
    expect(plans).toHaveLength(1);
    expect(readsOfMessages(plans[0]!)).toMatchObject([{ 'Index Name': 'message_sent_key' }]);
  }

  describe.each(['no statistics', 'statistics'])('with %s', (state) => {
    beforeAll(async () => {
      if (state === 'statistics') await engine.pglite.exec('ANALYZE');
    });

    it.each([1, 2, 50])('looks its client id up by its key alone, when %i come at once', async (count) => {
      await expectOneLookUpByKey(Array.from({ length: count }, (_, nth) => `${state} ${count} ${nth}`));
      await expectOneLookUpByKey(Array.from({ length: count }, (_, nth) => `${nth + 1}`));
    });
  });
});
