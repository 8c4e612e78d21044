import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { createPasswords } from '../../src/auth/passwords.ts';
import { onServerCpu } from '../support/affinity.ts';
import { openSpeaker } from '../support/audience.ts';
import { runClosedLoop } from '../support/closed-loop.ts';
import type { LoopResult } from '../support/closed-loop.ts';
import { addGroups, addPeople, countMessages, withEmbedded, withPostgres } from '../support/data.ts';
import type { Person, Sql } from '../support/data.ts';
import { BODY, graphqlTransportWs, SEND } from '../support/dialects.ts';
import { openHttp } from '../support/http.ts';
import { startParley } from '../support/parley.ts';
import { runPgbench, whyNoPgbench } from '../support/pgbench.ts';
import type { Report } from '../support/report.ts';
import { LostMessageError, measureInTurn } from '../support/samples.ts';
import type { Contestant, Figures } from '../support/samples.ts';
import { withServer } from '../support/server.ts';
import type { Server } from '../support/server.ts';
import type { Metered, Stage } from '../support/stage.ts';
import type { Scenario } from './scenario.ts';

const run = promisify(execFile);

export const SENDERS = 64;
const CHATS = 100;
const LOGINS_PER_SECOND = 20;
const PASSWORD = 'violet harbour lantern';
export const MANY = `${SENDERS} senders, ${CHATS} chats, PostgreSQL`;
const ONE = `${SENDERS} senders into one chat, WebSocket, PostgreSQL`;
const EMBEDDED = `${SENDERS} senders, ${CHATS} chats, HTTP, embedded`;
const BESIDE_LOGINS = `Parley, beside ${LOGINS_PER_SECOND} logins a second`;

export const sends: Scenario = {
  name: 'sends',
  title: 'Durable sends',
  async run(stage): Promise<Report> {
    const noPgbench = await whyNoPgbench();
    const contestants = [
      parleyOverHttp(stage, 'Parley'),
      parleyOverHttp(stage, BESIDE_LOGINS, { meanwhile: keepLoggingIn }),
      intoOneChat(stage),
      ...(noPgbench === undefined ? [pgbench(stage)] : []),
      embedded(stage),
      barePGlite(stage),
    ];
    return {
      about:
        'Everybody sends the next message when the last one was acknowledged, which is after its commit; afterwards ' +
        'the database holds all of them, each chat numbered without a gap. PostgreSQL waits for the disk. A send that ' +
        'was answered SERVICE_UNAVAILABLE is sent again under the same client id, as phones do. `pgbench` runs the ' +
        'statement that takes the row of the chat, numbers and inserts, on as many connections. Bare PGlite puts what ' +
        'comes while a statement runs into the next one, with nothing around it.',
      samples: await measureInTurn(contestants, stage),
      comparisons: [
        { case: MANY, figure: 'p99 ms', of: BESIDE_LOGINS, to: 'Parley', lessIsBetter: true, atLeast: 0.67 },
        { case: ONE, figure: 'sends/s', of: 'Parley', to: 'pgbench', atLeast: 6 },
        { case: EMBEDDED, figure: 'sends/s', of: 'Parley', to: 'bare PGlite' },
      ],
      bounds: [{ case: EMBEDDED, figure: 'sends/s', of: 'Parley', atLeast: 3_000 }],
      skipped: noPgbench === undefined ? [] : [noPgbench],
    };
  },
};

/** Those who send, and where. */
interface Place {
  people: Person[];
  chatIds: string[];
}

/** All are members of all chats; of many, some do not send. */
async function prepare(sql: Sql, chats: number, members = SENDERS): Promise<Place> {
  const people = await addPeople(sql, members);
  return { people: people.slice(0, SENDERS), chatIds: await addGroups(sql, chats, people) };
}

interface Crowd {
  chats?: number;
  members?: number;
  /** Default: one process on the processor of what is measured. */
  start?: typeof startParley;
  /** What goes on while they send. */
  meanwhile?: (stage: Stage, server: Server) => Meanwhile;
}

export function parleyOverHttp(
  stage: Stage,
  name: string,
  { chats = CHATS, members, start = startParley, meanwhile }: Crowd = {},
): Contestant {
  return {
    name,
    async measure() {
      const databaseUrl = await stage.createDatabase();
      const place = await withPostgres(databaseUrl, async (sql) => {
        const made = await prepare(sql, chats, members);
        if (meanwhile) await sql('UPDATE app_user SET password_hash = $1', [await createPasswords().hash(PASSWORD)]);
        return made;
      });
      const env = { DATABASE_URL: databaseUrl, REDIS_URL: await stage.redis() };
      const { acknowledged, figures } = await withServer(start(stage, env), (server) => {
        const other = meanwhile?.(stage, server);
        return sendOverHttp(stage, server, MANY, place).finally(() => other?.stop());
      });
      await withPostgres(databaseUrl, (sql) => checkKept(sql, place, acknowledged));
      return { [MANY]: figures };
    },
  };
}

function embedded(stage: Stage): Contestant {
  return {
    name: 'Parley',
    async measure() {
      const dataDir = await stage.directory();
      const place = await withEmbedded(dataDir, (sql) => prepare(sql, CHATS));
      const { acknowledged, figures } = await withServer(startParley(stage, { DATA_DIR: dataDir }), (server) =>
        sendOverHttp(stage, server, EMBEDDED, place),
      );
      await withEmbedded(dataDir, (sql) => checkKept(sql, place, acknowledged));
      return { [EMBEDDED]: figures };
    },
  };
}

async function sendOverHttp(stage: Stage, server: Server, title: string, { people, chatIds }: Place) {
  const clients = await Promise.all(
    people.map(({ token }) =>
      openHttp({ port: server.port, path: '/graphql', headers: { authorization: `Bearer ${token}` } }),
    ),
  );
  const send = async (sender: number) => {
    const chatId = chatIds[Math.floor(Math.random() * chatIds.length)];
    const input = { chatId, body: BODY, clientId: randomUUID() };
    const body = JSON.stringify({ query: SEND, variables: { input } });
    await untilTaken(async () => {
      const answer = await clients[sender]!.request(body);
      if (!answer.startsWith('{"data":{"sendMessage":{')) throw new Error(answer);
    });
  };
  const measured = await measureSends(stage, server, title, send);
  for (const client of clients) client.close();
  return measured;
}

function intoOneChat(stage: Stage): Contestant {
  return {
    name: 'Parley',
    async measure() {
      const databaseUrl = await stage.createDatabase();
      const place = await withPostgres(databaseUrl, (sql) => prepare(sql, 1));
      const env = { DATABASE_URL: databaseUrl, REDIS_URL: await stage.redis() };
      const { acknowledged, figures } = await withServer(startParley(stage, env), async (server) => {
        const speakers = await Promise.all(
          place.people.map(({ token }) => openSpeaker(server.port, graphqlTransportWs(place.chatIds[0]!, token))),
        );
        const measured = await measureSends(stage, server, ONE, async (sender) => {
          const id = randomUUID();
          await untilTaken(() => speakers[sender]!.say(BODY, id));
        });
        for (const speaker of speakers) speaker.close();
        return measured;
      });
      await withPostgres(databaseUrl, (sql) => checkKept(sql, place, acknowledged));
      return { [ONE]: figures };
    },
  };
}

export async function measureSends(
  stage: Stage,
  server: Metered,
  title: string,
  send: (sender: number) => Promise<void>,
) {
  const warmUp = await runClosedLoop(SENDERS, stage.size.warmUpSeconds, send);
  const result = await stage.meter(title, server, () => runClosedLoop(SENDERS, stage.size.seconds, send));
  const figures = { ...toSendFigures(result), 'CPU µs/send': result.cpuTime / result.count };
  return { acknowledged: warmUp.count + result.count, figures };
}

export const toSendFigures = ({ perSecond, p50, p99 }: LoopResult): Figures => ({
  'sends/s': perSecond,
  'p50 ms': p50,
  'p99 ms': p99,
});

const ATTEMPTS = 5;

async function untilTaken(attempt: () => Promise<void>): Promise<void> {
  for (let left = ATTEMPTS - 1; ; left -= 1)
    try {
      return await attempt();
    } catch (error) {
      if (left === 0 || !String(error).includes('SERVICE_UNAVAILABLE')) throw error;
    }
}

async function checkKept(sql: Sql, { chatIds }: Place, acknowledged: number): Promise<void> {
  const kept = await countMessages(sql, chatIds);
  if (kept !== acknowledged)
    throw new LostMessageError(`${acknowledged} messages were acknowledged, and ${kept} are kept`);
}

interface Meanwhile {
  stop(): Promise<void>;
}

/** As many people as there are, one after the other, whether or not the last one is in. */
function keepLoggingIn(stage: Stage, server: Server): Meanwhile {
  let isStopped = false;
  const logins: Array<Promise<void>> = [];
  const query = 'mutation ($input: LoginInput!) { login(input: $input) { accessToken } }';

  async function logIn(email: string) {
    const response = await fetch(`http://127.0.0.1:${server.port}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query, variables: { input: { email, password: PASSWORD } } }),
    });
    const answer = await response.text();
    if (!answer.includes('accessToken')) stage.log(`  a login failed: ${answer}`);
  }

  const going = (async () => {
    for (let turn = 0; !isStopped; turn += 1) {
      logins.push(logIn(`bench-${turn % SENDERS}@example.test`));
      await sleep(1000 / LOGINS_PER_SECOND);
    }
  })();
  return {
    async stop() {
      isStopped = true;
      await going;
      await Promise.all(logins);
    },
  };
}

function pgbench(stage: Stage): Contestant {
  return {
    name: 'pgbench',
    async measure() {
      const databaseUrl = await stage.createDatabase();
      const place = await withPostgres(databaseUrl, (sql) => prepare(sql, 1));
      const statement = insertInto(place.chatIds[0]!, place.people[0]!.id);
      const { seconds } = stage.size;
      const directory = await stage.directory();
      const result = await runPgbench(statement, { url: databaseUrl, clients: SENDERS, seconds, directory });
      await withPostgres(databaseUrl, (sql) => checkKept(sql, place, result.count));
      return { [ONE]: toSendFigures(result) };
    },
  };
}

const insertInto = (chatId: string, authorId: string) => `
  WITH locked AS MATERIALIZED (
    SELECT id FROM chat WHERE id = '${chatId}' FOR NO KEY UPDATE
  ), bumped AS (
    UPDATE chat SET last_seq = last_seq + 1, revision = chat.revision + 1,
      updated_at = greatest(updated_at, clock_timestamp())
    FROM locked WHERE chat.id = locked.id RETURNING chat.*
  )
  INSERT INTO message (id, chat_id, seq, author_id, body, client_id, created_at)
  SELECT gen_random_uuid(), id, last_seq, '${authorId}', '${BODY}', gen_random_uuid(), updated_at FROM bumped
  RETURNING id, seq, created_at`;

function barePGlite(stage: Stage): Contestant {
  return {
    name: 'bare PGlite',
    async measure() {
      const dataDir = await stage.directory();
      const place = await withEmbedded(dataDir, (sql) => prepare(sql, CHATS));
      const { warmUpSeconds, seconds } = stage.size;
      const script = join(import.meta.dirname, '../peers/pglite.ts');
      const [program, ...args] = onServerCpu([process.execPath, '--import', 'tsx', script]);
      const given = [join(dataDir, 'pgdata'), warmUpSeconds, seconds, place.people[0]!.id, place.chatIds.join(',')];
      const { stdout } = await run(program!, [...args, ...given.map(String)]);
      return { [EMBEDDED]: toSendFigures(JSON.parse(stdout) as LoopResult) };
    },
  };
}
