import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { graphql } from '../support/generated/index.ts';
import { readHistory } from '../support/history.ts';
import { addMember, leaveChat, removeMember } from '../support/membership.ts';
import { openDirectChat, openGroup, registerPerson, send } from '../support/people.ts';
import type { Person } from '../support/people.ts';
import { absentId, badInput, expectHidden, nobody, refusal, SIGN_IN_FIRST } from '../support/refusals.ts';

const MarkRead = graphql(/* GraphQL */ `
  mutation MarkRead($chatId: ID!, $seq: Int!) {
    markRead(chatId: $chatId, seq: $seq) {
      id
      unreadCount
      members {
        lastReadSeq
        user {
          id
        }
      }
    }
  }
`);

const ReadState = graphql(/* GraphQL */ `
  query ReadState($chatId: ID!) {
    chat(id: $chatId) {
      unreadCount
      members {
        lastReadSeq
        user {
          id
        }
      }
    }
  }
`);

const IsRead = graphql(/* GraphQL */ `
  query IsRead($id: ID!) {
    message(id: $id) {
      isRead
    }
  }
`);

const DeleteUnread = graphql(/* GraphQL */ `
  mutation DeleteUnread($messageId: ID!) {
    deleteMessage(messageId: $messageId) {
      id
    }
  }
`);

interface Place {
  id: string;
}

let cluster: Cluster;
let ann: Person;
let bob: Person;
let cleo: Person;
let stranger: Person;

beforeAll(async () => {
  cluster = await startCluster();
  const names = ['Ann', 'Bob', 'Cleo', 'Sam'];
  const people = await Promise.all(names.map((firstName) => registerPerson(cluster, { firstName })));
  [ann, bob, cleo, stranger] = people as [Person, Person, Person, Person];
});
afterAll(() => cluster?.stop());

const markOf = (chat: { members: { lastReadSeq: number; user: { id: string } }[] }, person: Person) =>
  chat.members.find(({ user }) => user.id === person.id)?.lastReadSeq;

/** Where the mark stands now, and how much is unread. */
async function markRead(person: Person, chat: Place, seq: number, nodeIndex = 0) {
  const answer = (await person.client(nodeIndex).request(MarkRead, { chatId: chat.id, seq })).markRead;
  return { mark: markOf(answer, person), unread: answer.unreadCount };
}

async function readState(person: Person, chat: Place, nodeIndex = 1) {
  const { chat: seen } = await person.client(nodeIndex).request(ReadState, { chatId: chat.id });
  return { mark: markOf(seen!, person), unread: seen!.unreadCount };
}

async function sendMany(person: Person, chat: Place, count: number) {
  const sent = [];
  for (let n = 1; n <= count; n += 1) sent.push(await send(person, chat, `${n}`, { nodeIndex: n }));
  return sent;
}

/** What everybody who is given sees of the message, when all of them agree. */
async function isRead(message: { id: string }, ...seenBy: Person[]) {
  const seen = await Promise.all(
    seenBy.map(async (person, node) => (await person.client(node).request(IsRead, { id: message.id })).message?.isRead),
  );
  expect(new Set(seen).size).toBe(1);
  return seen[0];
}

describe('markRead', () => {
  it('moves the mark forward, and everybody sees it', async () => {
    const chat = await openGroup(ann, [bob]);
    await sendMany(ann, chat, 5);
    expect(await markRead(bob, chat, 3)).toEqual({ mark: 3, unread: 2 });
    expect(await readState(bob, chat)).toEqual({ mark: 3, unread: 2 });
    const { chat: seen } = await ann.client().request(ReadState, { chatId: chat.id });
    expect(markOf(seen!, bob)).toBe(3);
    expect(markOf(seen!, ann)).toBe(0);
  });

  it('never moves it back', async () => {
    const chat = await openGroup(ann, [bob]);
    await sendMany(ann, chat, 5);
    await markRead(bob, chat, 4);
    for (const seq of [3, 0, 4, 1]) expect(await markRead(bob, chat, seq, seq)).toEqual({ mark: 4, unread: 1 });
    expect(await readState(bob, chat)).toEqual({ mark: 4, unread: 1 });
  });

  it('moves it no further than the newest message: what comes later is unread', async () => {
    const chat = await openGroup(ann, [bob]);
    expect(await markRead(bob, chat, 7)).toEqual({ mark: 0, unread: 0 });
    await sendMany(ann, chat, 2);
    expect(await markRead(bob, chat, 2 ** 31 - 1)).toEqual({ mark: 2, unread: 0 });
    await sendMany(ann, chat, 1);
    expect(await readState(bob, chat)).toEqual({ mark: 2, unread: 1 });
  });

  it('refuses a seq below 0 or beyond an Int, and an id that is none', async () => {
    const chat = await openGroup(ann, [bob]);
    await sendMany(ann, chat, 1);
    expect(await refusal(markRead(bob, chat, -1))).toEqual(badInput('seq'));
    expect(await refusal(markRead(bob, chat, -(2 ** 31)))).toEqual(badInput('seq'));
    expect(await refusal(markRead(bob, chat, 2 ** 31))).toMatchObject({ code: 'BAD_USER_INPUT' });
    expect(await refusal(markRead(bob, { id: 'harbour' }, 1))).toEqual(badInput('chatId'));
    expect(await readState(bob, chat)).toEqual({ mark: 0, unread: 1 });
  });

  it('knows no chat of other people’s, nor one that somebody was removed from', async () => {
    const group = await openGroup(ann, [bob, cleo]);
    await sendMany(ann, group, 1);
    await removeMember(ann, group, cleo);
    for (const person of [stranger, cleo])
      await expectHidden(person, MarkRead, { chatId: group.id, seq: 1 }, { chatId: absentId(), seq: 1 });
    const direct = await openDirectChat(ann, bob);
    await expectHidden(stranger, MarkRead, { chatId: direct.id, seq: 1 }, { chatId: absentId(), seq: 1 });
  });

  it('is for people who have signed in', async () => {
    const chat = await openGroup(ann, [bob]);
    await sendMany(ann, chat, 1);
    const attempt = nobody(cluster).request(MarkRead, { chatId: chat.id, seq: 1 });
    expect(await refusal(attempt)).toEqual(SIGN_IN_FIRST);
    expect(await readState(bob, chat)).toEqual({ mark: 0, unread: 1 });
  });
});

describe('unreadCount', () => {
  it('counts the others’ messages behind the mark, and none of one’s own', async () => {
    const chat = await openGroup(ann, [bob, cleo]);
    const authors = [ann, bob, bob, cleo, ann, bob, cleo, cleo, ann, bob];
    for (const author of authors) await send(author, chat, 'next');
    for (const person of [ann, bob, cleo])
      for (const mark of [0, 1, 2, 4, 5, 8, 9, 10]) {
        const unread = authors.slice(mark).filter((author) => author !== person).length;
        expect(await markRead(person, chat, mark, mark)).toEqual({ mark, unread });
      }
  });

  it('of a writer who marks nothing grows with the others alone', async () => {
    const chat = await openDirectChat(ann, bob);
    await sendMany(ann, chat, 3);
    expect(await readState(ann, chat)).toEqual({ mark: 0, unread: 0 });
    await sendMany(bob, chat, 2);
    await sendMany(ann, chat, 1);
    expect(await readState(ann, chat)).toEqual({ mark: 0, unread: 2 });
    expect(await readState(bob, chat)).toEqual({ mark: 0, unread: 4 });
  });

  it('counts a deleted message as any other: its seq stays taken until it is read past', async () => {
    const chat = await openDirectChat(ann, cleo);
    const [first] = await sendMany(ann, chat, 2);
    await ann.client().request(DeleteUnread, { messageId: first!.id });
    expect(await readState(cleo, chat)).toEqual({ mark: 0, unread: 2 });
    expect(await markRead(cleo, chat, 1)).toEqual({ mark: 1, unread: 1 });
    expect(await markRead(cleo, chat, 2)).toEqual({ mark: 2, unread: 0 });
  });

  it('does not change with the leaving of who wrote', async () => {
    const chat = await openGroup(ann, [bob, cleo]);
    await sendMany(bob, chat, 2);
    await sendMany(cleo, chat, 1);
    await leaveChat(bob, chat);
    expect(await readState(ann, chat)).toEqual({ mark: 0, unread: 3 });
  });

  it('is right, and the mark the highest, after marks in any order while four write', { timeout: 60_000 }, async () => {
    const writers = await Promise.all(
      Array.from({ length: 4 }, () => registerPerson(cluster, { firstName: 'Writer' })),
    );
    const chat = await openGroup(bob, writers);
    let newest = 0;
    let writing = true;
    const highest: number[] = [];
    const marks = Array.from({ length: 8 }, async (_, index) => {
      let top = 0;
      do {
        const seq = Math.floor(Math.random() * (newest + 1));
        top = Math.max(top, seq);
        // Answered with at least what was asked for, and nothing that anybody else has not asked for.
        const { mark } = await markRead(bob, chat, seq, index);
        expect(mark).toBeGreaterThanOrEqual(top);
        expect(mark).toBeLessThanOrEqual(newest);
      } while (writing);
      highest.push(top);
    });
    await Promise.all(
      writers.map(async (writer, index) => {
        for (let n = 1; n <= 25; n += 1) {
          const { seq } = await send(n % 5 === 0 ? bob : writer, chat, `${n}`, { nodeIndex: index + n });
          newest = Math.max(newest, seq);
        }
      }),
    );
    writing = false;
    await Promise.all(marks);

    const history = await readHistory(bob, chat);
    expect(history).toHaveLength(100);
    const mark = Math.max(...highest);
    const unread = history.filter(({ seq, author }) => seq > mark && author?.id !== bob.id).length;
    expect(mark).toBeGreaterThan(0);
    for (const node of [0, 1]) expect(await readState(bob, chat, node)).toEqual({ mark, unread });
    for (const writer of writers) {
      const fromOthers = history.filter(({ author }) => author?.id !== writer.id).length;
      expect(await readState(writer, chat)).toEqual({ mark: 0, unread: fromOthers });
    }
  });
});

describe('isRead', () => {
  it('of a direct chat turns true when the other one has read it', async () => {
    const chat = await openDirectChat(bob, cleo);
    const [first, second] = await sendMany(bob, chat, 2);
    const answer = await send(cleo, chat, 'answer');
    // What the author has read of it does not count.
    await markRead(bob, chat, 2);
    for (const message of [first!, second!, answer]) expect(await isRead(message, bob, cleo)).toBe(false);
    await markRead(cleo, chat, 1);
    expect(await isRead(first!, bob, cleo)).toBe(true);
    expect(await isRead(second!, bob, cleo)).toBe(false);
    await markRead(bob, chat, 3);
    expect(await isRead(answer, bob, cleo)).toBe(true);
    expect(await isRead(second!, bob, cleo)).toBe(false);
  });

  it('of a group turns true with the last of the others', async () => {
    const chat = await openGroup(ann, [bob, cleo]);
    const fromAnn = await send(ann, chat, 'one');
    const fromBob = await send(bob, chat, 'two');
    await markRead(bob, chat, 2);
    expect(await isRead(fromAnn, ann, bob, cleo)).toBe(false);
    await markRead(cleo, chat, 1);
    expect(await isRead(fromAnn, ann, bob, cleo)).toBe(true);
    // In a page, too, though who has written it has marked nothing.
    expect((await readHistory(cleo, chat)).map((message) => message.isRead)).toEqual([true, false]);
    await markRead(cleo, chat, 2);
    expect(await isRead(fromBob, ann, bob, cleo)).toBe(false);
    await markRead(ann, chat, 2);
    expect(await isRead(fromBob, ann, bob, cleo)).toBe(true);
    expect((await readHistory(cleo, chat)).map((message) => message.isRead)).toEqual([true, true]);
  });

  it('turns true when the one who lags behind is removed', async () => {
    const chat = await openGroup(ann, [bob, cleo]);
    const message = await send(ann, chat, 'one');
    await markRead(bob, chat, 1);
    expect(await isRead(message, ann, bob)).toBe(false);
    await removeMember(ann, chat, cleo);
    expect(await isRead(message, ann, bob)).toBe(true);
  });

  it('turns true when the one who lags behind leaves', async () => {
    const chat = await openGroup(ann, [bob, cleo]);
    const message = await send(ann, chat, 'one');
    await markRead(bob, chat, 1);
    expect(await isRead(message, ann, bob)).toBe(false);
    await leaveChat(cleo, chat);
    expect(await isRead(message, ann, bob)).toBe(true);
  });

  it('stays true for somebody who comes later', async () => {
    const chat = await openGroup(ann, [bob]);
    const message = await send(ann, chat, 'one');
    await markRead(bob, chat, 1);
    await addMember(ann, chat, cleo);
    expect(await isRead(message, ann, bob, cleo)).toBe(true);
    const next = await send(ann, chat, 'two');
    await markRead(bob, chat, 2);
    expect(await isRead(next, ann, bob, cleo)).toBe(false);
  });

  it('counts all who are left for a message whose author is gone', async () => {
    const chat = await openGroup(ann, [bob, cleo]);
    const message = await send(cleo, chat, 'bye');
    await leaveChat(cleo, chat);
    await markRead(bob, chat, 1);
    expect(await isRead(message, ann, bob)).toBe(false);
    await markRead(ann, chat, 1);
    expect(await isRead(message, ann, bob)).toBe(true);
  });

  it('is false where there is nobody else to read it', async () => {
    const chat = await openGroup(ann, [bob]);
    const message = await send(ann, chat, 'anybody?');
    await markRead(ann, chat, 1);
    await markRead(bob, chat, 1);
    await leaveChat(bob, chat);
    expect(await isRead(message, ann)).toBe(false);
  });
});
