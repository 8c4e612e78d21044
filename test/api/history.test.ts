import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { backend, startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { graphql } from '../support/generated/index.ts';
import type { MyChatsPageQueryVariables, MessagesPageQueryVariables } from '../support/generated/graphql.ts';
import { seqsTo } from '../support/history.ts';
import { openGroup, registerPerson, send } from '../support/people.ts';
import type { Person } from '../support/people.ts';
import { absentId, badInput, nobody, refusal, SIGN_IN_FIRST } from '../support/refusals.ts';

const MessagesPage = graphql(/* GraphQL */ `
  query MessagesPage($chatId: ID!, $first: Int, $after: String, $last: Int, $before: String) {
    chat(id: $chatId) {
      messages(first: $first, after: $after, last: $last, before: $before) {
        edges {
          cursor
          node {
            seq
            cursor
          }
        }
        pageInfo {
          hasNextPage
          hasPreviousPage
          startCursor
          endCursor
        }
      }
    }
  }
`);

const MyChatsPage = graphql(/* GraphQL */ `
  query MyChatsPage($first: Int, $after: String) {
    chats(first: $first, after: $after) {
      edges {
        cursor
        node {
          id
        }
      }
      pageInfo {
        hasNextPage
        hasPreviousPage
        startCursor
        endCursor
      }
    }
  }
`);

const MyNewestChats = graphql(/* GraphQL */ `
  query MyNewestChats {
    chats {
      edges {
        node {
          id
        }
      }
      pageInfo {
        hasNextPage
      }
    }
  }
`);

const OneChat = graphql(/* GraphQL */ `
  query OneChat($id: ID!) {
    chat(id: $id) {
      id
    }
  }
`);

const OneMessage = graphql(/* GraphQL */ `
  query OneMessage($id: ID!) {
    message(id: $id) {
      id
      chat {
        id
      }
    }
  }
`);

type Paging = Omit<MessagesPageQueryVariables, 'chatId'>;

const TOTAL = 250;

let cluster: Cluster;
let ann: Person;
let bob: Person;
let stranger: Person;
/** 250 messages. */
let chat: { id: string };
/** The cursor of each seq. */
let cursors: string[];

beforeAll(async () => {
  cluster = await startCluster();
  const people = await Promise.all(['Ann', 'Bob', 'Sam'].map((firstName) => registerPerson(cluster, { firstName })));
  [ann, bob, stranger] = people as [Person, Person, Person];
  chat = await openGroup(ann, [bob]);
  await sendMany(chat, TOTAL);
  cursors = [''];
  for (let after; cursors.length <= TOTAL; after = cursors.at(-1))
    cursors.push(...(await page(chat, { first: 100, after })).edges.map(({ cursor }) => cursor));
});
afterAll(() => cluster?.stop());

async function sendMany(place: { id: string }, count: number) {
  for (let sent = 0; sent < count; sent += 10)
    await Promise.all(
      Array.from({ length: Math.min(10, count - sent) }, (_, index) =>
        send(ann, place, `${sent + index}`, { nodeIndex: index }),
      ),
    );
}

async function page(place: { id: string }, paging: Paging, nodeIndex = 0) {
  const data = await bob.client(nodeIndex).request(MessagesPage, { chatId: place.id, ...paging });
  return data.chat!.messages;
}

const refusedPage = (paging: Paging) => refusal(page(chat, paging));

/** The seqs of a page, and whether there is more before and behind it. */
async function slice(paging: Paging) {
  const { edges, pageInfo } = await page(chat, paging, 1);
  const seqs = edges.map(({ node }) => node.seq);
  expect(pageInfo.startCursor).toBe(edges[0]?.cursor ?? null);
  expect(pageInfo.endCursor).toBe(edges.at(-1)?.cursor ?? null);
  for (const { cursor, node } of edges) {
    expect(cursor).toBe(cursors[node.seq]);
    // So that a page can begin or end at a message that came live.
    expect(node.cursor).toBe(cursor);
  }
  return { seqs, before: pageInfo.hasPreviousPage, behind: pageInfo.hasNextPage };
}

const range = (from: number, to: number) => seqsTo(to).slice(from - 1);

describe('the history of a chat', () => {
  it('is by default the newest twenty, oldest first', async () => {
    expect(await slice({})).toEqual({ seqs: range(231, 250), before: true, behind: false });
    expect(await slice({ first: null, last: null, after: null, before: null })).toEqual(await slice({}));
  });

  it('of a chat where nothing was said is an empty page', async () => {
    const empty = await openGroup(ann, [bob]);
    const nothing = {
      edges: [],
      pageInfo: { hasNextPage: false, hasPreviousPage: false, startCursor: null, endCursor: null },
    };
    for (const paging of [{}, { first: 5 }, { last: 5 }]) expect(await page(empty, paging)).toEqual(nothing);
  });

  it.each([
    // From the start.
    [{ first: 1 }, 1, 1, false, true],
    [{ first: 100 }, 1, 100, false, true],
    [{ first: 20, after: 230 }, 231, 250, true, false],
    [{ first: 19, after: 230 }, 231, 249, true, true],
    [{ first: 21, after: 230 }, 231, 250, true, false],
    [{ first: 5, after: 1 }, 2, 6, true, true],
    [{ after: 100 }, 101, 120, true, true],
    // From the end.
    [{ last: 1 }, 250, 250, true, false],
    [{ last: 100 }, 151, 250, true, false],
    [{ last: 20, before: 21 }, 1, 20, false, true],
    [{ last: 19, before: 21 }, 2, 20, true, true],
    [{ last: 21, before: 21 }, 1, 20, false, true],
    [{ last: 5, before: 250 }, 245, 249, true, true],
    [{ before: 100 }, 80, 99, true, true],
    // Between two.
    [{ first: 100, after: 10, before: 20 }, 11, 19, true, true],
    [{ first: 5, after: 10, before: 20 }, 11, 15, true, true],
    [{ last: 5, after: 10, before: 20 }, 15, 19, true, true],
    [{ last: 100, after: 10, before: 20 }, 11, 19, true, true],
    [{ first: 3, before: 3 }, 1, 2, false, true],
    [{ last: 3, after: 248 }, 249, 250, true, false],
  ] as const)('of %j is %i to %i', async (paging, from, to, before, behind) => {
    const { after, before: until, ...sizes } = paging as { after?: number; before?: number };
    const asked = { ...sizes, after: after && cursors[after], before: until && cursors[until] } as Paging;
    expect(await slice(asked)).toEqual({ seqs: range(from, to), before, behind });
  });

  it('has nothing behind its last and before its first', async () => {
    expect(await slice({ first: 5, after: cursors[250] })).toEqual({ seqs: [], before: true, behind: false });
    expect(await slice({ last: 5, before: cursors[1] })).toEqual({ seqs: [], before: false, behind: true });
    expect((await slice({ first: 5, after: cursors[20], before: cursors[21] })).seqs).toEqual([]);
  });

  it.each([1, 7, 50, 100])('pages %i at a time, both ways, to the same whole', async (size) => {
    const whole = size === 1 ? range(231, 250) : seqsTo(TOTAL);
    const forward: number[] = [];
    let after = cursors[whole[0]! - 1] || undefined;
    for (let more = true; more;) {
      const { edges, pageInfo } = await page(chat, { first: size, after });
      forward.push(...edges.map(({ node }) => node.seq));
      expect(pageInfo.hasPreviousPage).toBe(after !== undefined);
      [more, after] = [pageInfo.hasNextPage, pageInfo.endCursor ?? undefined];
    }
    expect(forward).toEqual(whole);

    const backward: number[] = [];
    let before: string | undefined;
    for (let more = true; more && backward.length < whole.length;) {
      const { edges, pageInfo } = await page(chat, { last: size, before });
      backward.unshift(...edges.map(({ node }) => node.seq));
      expect(pageInfo.hasNextPage).toBe(before !== undefined);
      [more, before] = [pageInfo.hasPreviousPage, pageInfo.startCursor ?? undefined];
    }
    expect(backward).toEqual(whole);
  });

  it('repeats and skips nothing while more is said', async () => {
    const busy = await openGroup(ann, [bob]);
    await sendMany(busy, 60);
    let reading = true;
    let newest = 60;
    const writing = (async () => {
      while (reading) newest = (await send(ann, busy, 'more', { nodeIndex: newest })).seq;
    })();

    // Backwards, as an app scrolls up: from what was newest then, whatever has come since.
    const backward: number[] = [];
    let before: string | undefined;
    for (let more = true; more;) {
      const { edges, pageInfo } = await page(busy, { last: 4, before }, backward.length);
      backward.unshift(...edges.map(({ node }) => node.seq));
      [more, before] = [pageInfo.hasPreviousPage, pageInfo.startCursor ?? undefined];
    }
    // Forwards, as an app catches up, and past what was newest when it began.
    const forward: number[] = [];
    const goal = newest + 20;
    let after: string | undefined;
    while (forward.length < goal) {
      const { edges, pageInfo } = await page(busy, { first: 9, after }, forward.length);
      forward.push(...edges.map(({ node }) => node.seq));
      after = pageInfo.endCursor ?? after;
    }
    reading = false;
    await writing;

    expect(backward).toEqual(seqsTo(backward.length));
    expect(backward.length).toBeGreaterThanOrEqual(60);
    expect(forward).toEqual(seqsTo(forward.length));
  });

  it.each([
    [{ first: 0 }, 'first'],
    [{ first: -1 }, 'first'],
    [{ first: 101 }, 'first'],
    [{ last: 0 }, 'last'],
    [{ last: -1 }, 'last'],
    [{ last: 101 }, 'last'],
    [{ first: 10, last: 10 }, 'last'],
    [{ after: '' }, 'after'],
    [{ after: 'garbage' }, 'after'],
    [{ first: 5, after: '250' }, 'after'],
    [{ before: '!"§$%&/()=' }, 'before'],
    [{ last: 5, before: 'x'.repeat(10_000) }, 'before'],
    [{ before: Buffer.from('message:-1').toString('base64url') }, 'before'],
    [{ before: Buffer.from('message:1e3').toString('base64url') }, 'before'],
    [{ after: Buffer.from('message:9999999999').toString('base64url') }, 'after'],
    [{ after: Buffer.from("message:1' OR 1=1").toString('base64url') }, 'after'],
  ] as [Paging, string][])('refuses %j for its %s', async (paging, field) => {
    expect(await refusedPage(paging)).toEqual(badInput(field));
  });

  it('refuses the cursor of another list', async () => {
    const { chats } = await bob.client().request(MyChatsPage, { first: 1 });
    const { cursor } = chats.edges[0]!;
    expect(await refusedPage({ after: cursor })).toEqual(badInput('after'));
    expect(await refusedPage({ before: cursor })).toEqual(badInput('before'));
    expect(await refusal(bob.client().request(MyChatsPage, { after: cursors[3] }))).toEqual(badInput('after'));
  });

  it('is not there for strangers: neither the chat nor any message of it', async () => {
    const sent = await send(ann, await openGroup(ann, [bob]), 'between us');
    for (const nodeIndex of [0, 1]) {
      const client = stranger.client(nodeIndex);
      expect(await client.request(MessagesPage, { chatId: chat.id })).toEqual({ chat: null });
      expect(await client.request(MessagesPage, { chatId: absentId() })).toEqual({ chat: null });
      expect(await client.request(OneMessage, { id: sent.id })).toEqual({ message: null });
      expect(await client.request(OneMessage, { id: absentId() })).toEqual({ message: null });
    }
  });

  it('is for people who have signed in, and for ids', async () => {
    for (const attempt of [
      nobody(cluster).request(OneChat, { id: chat.id }),
      nobody(cluster).request(OneMessage, { id: absentId() }),
      nobody(cluster).request(MyNewestChats),
    ])
      expect(await refusal(attempt)).toEqual(SIGN_IN_FIRST);
    expect(await refusal(bob.client().request(OneChat, { id: 'harbour' }))).toEqual(badInput('id'));
    expect(await refusal(bob.client().request(OneMessage, { id: '' }))).toEqual(badInput('id'));
  });
});

describe('the list of chats', () => {
  const CHATS = 45;

  async function makeChats(reader: Person): Promise<{ id: string }[]> {
    const chats = [];
    for (let n = 0; n < CHATS; n += 1) chats.push(await openGroup(reader, [], `Group ${n}`));
    return chats;
  }

  async function listPage(reader: Person, paging: MyChatsPageQueryVariables) {
    const { chats } = await reader.client(1).request(MyChatsPage, paging);
    expect(chats.pageInfo.startCursor).toBe(chats.edges[0]?.cursor ?? null);
    expect(chats.pageInfo.endCursor).toBe(chats.edges.at(-1)?.cursor ?? null);
    expect(chats.pageInfo.hasPreviousPage).toBe(paging.after != null);
    return { ids: chats.edges.map(({ node }) => node.id), ...chats.pageInfo };
  }

  /** Page by page; answers the size of each beside all ids. */
  async function listAll(reader: Person, first: number) {
    const ids: string[] = [];
    const sizes: number[] = [];
    let after: string | undefined;
    for (let more = true; more;) {
      const listed = await listPage(reader, { first, after });
      ids.push(...listed.ids);
      sizes.push(listed.ids.length);
      [more, after] = [listed.hasNextPage, listed.endCursor ?? undefined];
    }
    return { ids, sizes };
  }

  it('begins with the latest activity, and pages to its end', async () => {
    const reader = await registerPerson(cluster, { firstName: 'Rea' });
    const chats = await makeChats(reader);
    // Every fourth is written to once more: these come first, the last written to before the others.
    const stirred = chats.filter((_, index) => index % 4 === 0);
    for (const place of stirred) await send(reader, place, 'bump');
    const quiet = chats.filter((place) => !stirred.includes(place));
    const expected = [...stirred.toReversed(), ...quiet.toReversed()].map(({ id }) => id);

    expect(await listAll(reader, 20)).toEqual({ ids: expected, sizes: [20, 20, 5] });
    expect(await listAll(reader, 15)).toEqual({ ids: expected, sizes: [15, 15, 15] });
    expect(await listAll(reader, 44)).toEqual({ ids: expected, sizes: [44, 1] });
    expect(await listAll(reader, 100)).toEqual({ ids: expected, sizes: [45] });
    const { chats: newest } = await reader.client().request(MyNewestChats);
    expect(newest.edges.map(({ node }) => node.id)).toEqual(expected.slice(0, 20));
    expect(newest.pageInfo.hasNextPage).toBe(true);
  });

  it('repeats nothing when a chat moves to its top meanwhile, and skips none of the others', async () => {
    const reader = await registerPerson(cluster, { firstName: 'Rea' });
    const chats = await makeChats(reader);
    const first = await listPage(reader, { first: 20 });
    const moved = chats[0]!;
    await send(reader, moved, 'up');
    const rest = await listPage(reader, { first: 100, after: first.endCursor });
    expect([...first.ids, ...rest.ids, moved.id].toSorted()).toEqual(chats.map(({ id }) => id).toSorted());
    expect((await listPage(reader, { first: 1 })).ids).toEqual([moved.id]);
  });

  it.runIf(backend === 'distributed')('tells chats apart that moved at the same millisecond', async () => {
    const reader = await registerPerson(cluster, { firstName: 'Rea' });
    const chats = await makeChats(reader);
    const ids = chats.map(({ id }) => id);
    await cluster.sql(`UPDATE chat SET updated_at = '2026-11-21T09:30:00.123Z' WHERE id = ANY($1)`, [ids]);
    for (const size of [1, 7, 44]) {
      const listed = await listAll(reader, size);
      expect(new Set(listed.ids).size).toBe(CHATS);
      expect(listed.ids.toSorted()).toEqual(ids.toSorted());
      expect(listed.sizes).toHaveLength(Math.ceil(CHATS / size));
    }
  });

  it('is empty for somebody new, and behind its end', async () => {
    const reader = await registerPerson(cluster, { firstName: 'Rea' });
    const nothing = { ids: [], hasNextPage: false, startCursor: null, endCursor: null };
    expect(await listPage(reader, { first: 5 })).toEqual({ ...nothing, hasPreviousPage: false });
    await openGroup(reader, []);
    const { endCursor } = await listPage(reader, { first: 5 });
    expect(await listPage(reader, { first: 5, after: endCursor })).toEqual({ ...nothing, hasPreviousPage: true });
  });

  it.each([
    [{ first: 0 }, 'first'],
    [{ first: -1 }, 'first'],
    [{ first: 101 }, 'first'],
    [{ after: '' }, 'after'],
    [{ after: 'garbage' }, 'after'],
    [{ after: Buffer.from('chat:1:').toString('base64url') }, 'after'],
    [{ after: Buffer.from(`chat:1:${'-'.repeat(36)}`).toString('base64url') }, 'after'],
    [{ after: Buffer.from(`chat:x:${absentId()}`).toString('base64url') }, 'after'],
    [{ after: Buffer.from(`chat:${'9'.repeat(16)}:${absentId()}`).toString('base64url') }, 'after'],
  ] as [MyChatsPageQueryVariables, string][])('refuses %j for its %s', async (paging, field) => {
    expect(await refusal(bob.client().request(MyChatsPage, paging))).toEqual(badInput(field));
  });

  it('takes a cursor of the year 33658 for one like any other', async () => {
    const after = Buffer.from(`chat:${'9'.repeat(15)}:${absentId()}`).toString('base64url');
    const { chats } = await bob.client().request(MyChatsPage, { after, first: 1 });
    expect(chats.edges).toHaveLength(1);
  });
});
