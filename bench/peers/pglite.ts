import { setImmediate as nextTurn } from 'node:timers/promises';
import { PGlite } from '@electric-sql/pglite';
import { v7 as uuidv7 } from 'uuid';
import { runClosedLoop } from '../support/closed-loop.ts';

/*
 * What the embedded database can do at best: those who send while a statement runs share the next one, and there is
 * nothing around it. node pglite.ts <data directory> <warm-up seconds> <seconds> <author> <chat,chat,…>; tells the result as JSON.
 */

const [dataDir, warmUpSeconds, seconds, authorId, chats] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
  string,
];
const SENDERS = 64;
const BODY = 'x'.repeat(90);
const chatIds = chats.split(',');
const database = await PGlite.create(dataDir);
let waiting: Array<{ chatId: string; done: () => void }> = [];
let isRunning = false;

/** Takes the rows of the chats in a fixed order, numbers, and inserts. */
const INSERT = `
  WITH sent AS (
    SELECT * FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS s(id, chat_id, place)
  ), counted AS (
    SELECT chat_id, count(*)::int AS n FROM sent GROUP BY chat_id
  ), locked AS MATERIALIZED (
    SELECT id FROM chat WHERE id IN (SELECT chat_id FROM counted) ORDER BY id FOR NO KEY UPDATE
  ), bumped AS (
    UPDATE chat SET last_seq = last_seq + n, revision = revision + n, updated_at = clock_timestamp()
    FROM counted JOIN locked ON locked.id = counted.chat_id WHERE chat.id = counted.chat_id
    RETURNING chat.id, chat.last_seq - n AS base
  )
  INSERT INTO message (id, chat_id, seq, author_id, body)
  SELECT sent.id, chat_id, base + row_number() OVER (PARTITION BY chat_id ORDER BY place), $3::uuid, $4
  FROM sent JOIN bumped ON bumped.id = chat_id RETURNING id, seq, created_at`;

async function send(): Promise<void> {
  const chatId = chatIds[Math.floor(Math.random() * chatIds.length)]!;
  await new Promise<void>((done) => {
    waiting.push({ chatId, done });
    if (!isRunning) void flush();
  });
}

async function flush(): Promise<void> {
  isRunning = true;
  while (waiting.length > 0) {
    // PGlite works on this thread: without a turn of the event loop nobody could come in between.
    await nextTurn();
    const batch = waiting;
    waiting = [];
    await database.query(INSERT, [batch.map(() => uuidv7()), batch.map(({ chatId }) => chatId), authorId, BODY]);
    for (const { done } of batch) done();
  }
  isRunning = false;
}

await runClosedLoop(SENDERS, Number(warmUpSeconds), send);
console.log(JSON.stringify(await runClosedLoop(SENDERS, Number(seconds), send)));
await database.close();
