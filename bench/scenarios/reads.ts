import { addGroups, addPeople, withPostgres } from '../support/data.ts';
import type { Person, Sql } from '../support/data.ts';
import { openHttp } from '../support/http.ts';
import type { HttpTarget } from '../support/http.ts';
import { startParley, startPeer } from '../support/parley.ts';
import type { Comparison, Report } from '../support/report.ts';
import { measureRequests } from '../support/requests.ts';
import type { Requests } from '../support/requests.ts';
import { measureInTurn, spreadOf } from '../support/samples.ts';
import type { Contestant, Figures } from '../support/samples.ts';
import { withServer } from '../support/server.ts';
import type { Server } from '../support/server.ts';
import type { Metered, Stage } from '../support/stage.ts';
import { startStatementCounter } from '../support/statement-counter.ts';
import type { Scenario } from './scenario.ts';

export const READERS = 16;
const PAGE_SIZE = 50;
export const CHATS = 500;
const MEMBERS = 6;
const PEOPLE = 50;
const MESSAGES_OF_A_CHAT = 20;
const NEWEST = `Newest page of ${PAGE_SIZE}`;
export const MIDDLE = 'Page in the middle';
export const LIST = `20 of ${CHATS} chats`;

const PAGE = `query Page($chatId: ID!, $before: String) {
  chat(id: $chatId) {
    messages(last: ${PAGE_SIZE}, before: $before) {
      edges { node { id seq type body extraData createdAt author { id firstName lastName } } }
      pageInfo { hasPreviousPage }
    }
  }
}`;

const CURSOR = `query Cursor($id: ID!) { message(id: $id) { cursor } }`;

const CHAT_LIST = `query Chats {
  chats(first: 20) {
    edges {
      node {
        id kind title unreadCount
        members { role user { id firstName lastName } }
        lastMessage { id seq body createdAt author { id firstName lastName } }
      }
    }
  }
}`;

const LIST_REQUEST = {
  title: LIST,
  clients: READERS,
  body: JSON.stringify({ query: CHAT_LIST }),
  isRight: isListOf20,
};

export const reads: Scenario = {
  name: 'reads',
  title: 'Reads',
  async run(stage): Promise<Report> {
    const messages = stage.size.isQuick ? 20_000 : 1_000_000;
    const databaseUrl = await stage.createDatabase();
    stage.log(`  filling a chat with ${messages} messages …`);
    const history = await fillHistory(databaseUrl, messages);
    const compare = (title: string): Comparison[] => [
      { case: title, figure: 'pages/s', of: 'Parley', to: 'bare pg', atLeast: 0.6 },
      { case: title, figure: 'CPU µs/page', of: 'Parley', to: 'bare pg', lessIsBetter: true },
    ];
    return {
      about:
        `${READERS} readers ask for pages of a chat of ${messages.toLocaleString('en')} messages, with their authors, ` +
        'over HTTP, each when the last one has come, and each is checked to be the right one. Bare pg is one prepared ' +
        `join behind node:http, which checks nobody. The list of chats is that of somebody in ${CHATS} chats: members, ` +
        'last message, unread count; its statements are counted on the wire.',
      samples: await measureInTurn([parley(stage, history), barePg(stage, history)], stage),
      comparisons: [
        ...compare(NEWEST),
        ...compare(MIDDLE),
        { case: MIDDLE, figure: 'pages/s', of: 'Parley', to: 'Parley', toCase: NEWEST, atLeast: 0.9 },
      ],
      bounds: [{ case: LIST, figure: 'statements', of: 'Parley', atMost: 4 }],
    };
  },
};

export interface History {
  databaseUrl: string;
  viewer: Person;
  chatId: string;
  messages: number;
  /** In the middle: the page before it is asked for. */
  middle: { id: string; seq: number };
}

export async function fillHistory(databaseUrl: string, messages: number): Promise<History> {
  return withPostgres(databaseUrl, async (sql) => {
    const people = await addPeople(sql, PEOPLE);
    const viewer = people[0]!;
    const [chatId] = await addGroups(sql, 1, people);
    const others = people.slice(1);
    await addMessages(sql, [chatId!], people, messages);
    await addChatList(sql, viewer, others);
    await sql('VACUUM ANALYZE');
    const seq = messages / 2;
    const [row] = await sql<{ id: string }>('SELECT id FROM message WHERE chat_id = $1 AND seq = $2', [chatId, seq]);
    return { databaseUrl, viewer, chatId: chatId!, messages, middle: { id: row!.id, seq } };
  });
}

/** Groups of the viewer and some of the others, each with a few messages. */
async function addChatList(sql: Sql, viewer: Person, others: readonly Person[]): Promise<void> {
  const chatIds: string[] = [];
  for (let index = 0; index < CHATS; index += 1) {
    const members = Array.from({ length: MEMBERS - 1 }, (_, place) => others[(index * 7 + place) % others.length]!);
    chatIds.push(...(await addGroups(sql, 1, [viewer, ...members])));
  }
  await addMessages(sql, chatIds, others, MESSAGES_OF_A_CHAT);
}

async function addMessages(sql: Sql, chatIds: string[], authors: readonly Person[], count: number): Promise<void> {
  await sql(
    `INSERT INTO message (id, chat_id, seq, author_id, body, client_id, created_at)
    SELECT uuidv7(), c.id, n, ($2::uuid[])[1 + n % cardinality($2)], 'Message ' || n || repeat(' and more', 9), n,
      now() - interval '1 second' * ($3::int - n)
    FROM unnest($1::uuid[]) AS c(id), generate_series(1, $3::int) AS n`,
    [chatIds, authors.map(({ id }) => id), count],
  );
  await sql('UPDATE chat SET last_seq = $2::int WHERE id = ANY($1::uuid[])', [chatIds, count]);
}

/** Alone, without a long history beside it. */
export function parleyListing(stage: Stage): Contestant {
  return {
    name: 'Parley',
    async measure() {
      const databaseUrl = await stage.createDatabase();
      const viewer = await withPostgres(databaseUrl, async (sql) => {
        const [first, ...others] = await addPeople(sql, PEOPLE);
        await addChatList(sql, first!, others);
        await sql('VACUUM ANALYZE');
        return first!;
      });
      return withServer(startParley(stage, { DATABASE_URL: databaseUrl }), async (server) => ({
        [LIST]: await measurePages(stage, server, { ...LIST_REQUEST, target: targetOf(server, viewer) }),
      }));
    },
  };
}

function targetOf({ port }: Server, { token }: Person): HttpTarget {
  return { port, path: '/graphql', headers: { authorization: `Bearer ${token}` } };
}

function parley(stage: Stage, history: History): Contestant {
  const { databaseUrl, viewer } = history;
  return {
    name: 'Parley',
    async measure() {
      const counter = await startStatementCounter(databaseUrl);
      const statements = await withServer(startParley(stage, { DATABASE_URL: counter.url }), (server) =>
        countStatements(targetOf(server, viewer), LIST_REQUEST.body, () => counter.count),
      );
      counter.close();
      return withServer(startParley(stage, { DATABASE_URL: databaseUrl }), async (server) => ({
        ...(await measureHistory(stage, server, history)),
        [LIST]: {
          ...(await measurePages(stage, server, { ...LIST_REQUEST, target: targetOf(server, viewer) })),
          statements,
        },
      }));
    },
  };
}

export async function measureHistory(stage: Stage, server: Server, history: History): Promise<Record<string, Figures>> {
  const { viewer, chatId, messages, middle } = history;
  const target = targetOf(server, viewer);
  const pages = (title: string, before: string | null, lastSeq: number) => {
    const body = JSON.stringify({ query: PAGE, variables: { chatId, before } });
    return measurePages(stage, server, { title, target, clients: READERS, body, isRight: endsWith(lastSeq) });
  };
  return {
    [NEWEST]: await pages(NEWEST, null, messages),
    [MIDDLE]: await pages(MIDDLE, await readCursor(target, middle.id), middle.seq - 1),
  };
}

async function readCursor(target: HttpTarget, id: string): Promise<string> {
  const client = await openHttp(target);
  const { data } = JSON.parse(await client.request(JSON.stringify({ query: CURSOR, variables: { id } })));
  client.close();
  return data.message.cursor;
}

function barePg(stage: Stage, { databaseUrl, chatId, messages, middle }: History): Contestant {
  const page = (before: number) => JSON.stringify({ chatId, before });
  return {
    name: 'bare pg',
    measure: () =>
      withServer(startPeer('bare-pg', { DATABASE_URL: databaseUrl }), async (server) => {
        const pages = (title: string, body: string, isRight: (answer: string) => boolean) => {
          const target = { port: server.port, path: '/' };
          return measurePages(stage, server, { title, target, clients: READERS, body, isRight });
        };
        return {
          [NEWEST]: await pages(NEWEST, page(2 ** 31 - 1), endsWith(messages)),
          [MIDDLE]: await pages(MIDDLE, page(middle.seq), endsWith(middle.seq - 1)),
        };
      }),
  };
}

export function isListOf20(answer: string): boolean {
  return answer.split('"unreadCount"').length === 21;
}

/** It holds a whole page, and the last message is this one. */
function endsWith(seq: number): (answer: string) => boolean {
  return (answer) => answer.includes(`"seq":${seq},`) && answer.split('"seq":').length === PAGE_SIZE + 1;
}

export async function measurePages(stage: Stage, server: Metered, requests: Requests): Promise<Figures> {
  const { count, perSecond, p50, p99, cpuTime } = await measureRequests(stage, server, requests);
  return { 'pages/s': perSecond, 'p50 ms': p50, 'p99 ms': p99, 'CPU µs/page': cpuTime / count };
}

/** Of one request; what the server asks by itself now and then does not count. */
async function countStatements(target: HttpTarget, body: string, count: () => number): Promise<number> {
  const client = await openHttp(target);
  const counts: number[] = [];
  for (let turn = 0; turn < 15; turn += 1) {
    const before = count();
    await client.request(body);
    counts.push(count() - before);
  }
  client.close();
  return spreadOf(counts).median;
}
