import { parseValue } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { JSONValue } from '../../src/graphql/scalars.ts';
import { readExtraData } from '../../src/input-rules.ts';
import { backend, startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { toParams } from '../support/document.ts';
import { graphql } from '../support/generated/index.ts';
import type { SendMessageInput } from '../support/generated/graphql.ts';
import { readHistory, seqsTo } from '../support/history.ts';
import { addMember, removeMember } from '../support/membership.ts';
import { openDirectChat, openGroup, registerPerson, send } from '../support/people.ts';
import type { Person } from '../support/people.ts';
import {
  absentId,
  badInput,
  CONFLICT,
  expectHidden,
  NOT_FOUND,
  nobody,
  refusal,
  SIGN_IN_FIRST,
} from '../support/refusals.ts';

const SendMessage = graphql(/* GraphQL */ `
  mutation SendMessage($input: SendMessageInput!) {
    sendMessage(input: $input) {
      id
      seq
      type
      body
      extraData
      clientId
      isRead
      createdAt
      editedAt
      deletedAt
      author {
        id
      }
      chat {
        id
      }
    }
  }
`);

const SentMessage = graphql(/* GraphQL */ `
  query SentMessage($id: ID!) {
    message(id: $id) {
      body
      extraData
      type
      author {
        id
      }
    }
  }
`);

const EditSent = graphql(/* GraphQL */ `
  mutation EditSent($input: EditMessageInput!) {
    editMessage(input: $input) {
      id
      body
    }
  }
`);

const DeleteSent = graphql(/* GraphQL */ `
  mutation DeleteSent($messageId: ID!) {
    deleteMessage(messageId: $messageId) {
      id
      deletedAt
    }
  }
`);

const SentLive = graphql(/* GraphQL */ `
  subscription SentLive($chatId: ID!) {
    messageAdded(chatId: $chatId, afterSeq: 0) {
      id
      seq
      body
    }
  }
`);

let cluster: Cluster;
let ann: Person;
let bob: Person;
let stranger: Person;

beforeAll(async () => {
  cluster = await startCluster();
  const people = await Promise.all(['Ann', 'Bob', 'Sam'].map((firstName) => registerPerson(cluster, { firstName })));
  [ann, bob, stranger] = people as [Person, Person, Person];
});
afterAll(() => cluster?.stop());

/** A chat of Ann's and Bob's where nothing was said yet. */
const openPlace = () => openGroup(ann, [bob]);

async function sendAs(person: Person, input: SendMessageInput, nodeIndex = 0) {
  return (await person.client(nodeIndex).request(SendMessage, { input })).sendMessage;
}

async function readBack(person: Person, id: string) {
  return (await person.client(1).request(SentMessage, { id })).message;
}

describe('sendMessage', () => {
  it('answers the message that everybody then finds in history', async () => {
    const chat = await openPlace();
    const sent = await sendAs(ann, { chatId: chat.id, body: 'Ahoy' });
    expect(sent).toMatchObject({
      seq: 1,
      type: 'TEXT',
      body: 'Ahoy',
      extraData: null,
      clientId: null,
      isRead: false,
      editedAt: null,
      deletedAt: null,
      author: { id: ann.id },
      chat: { id: chat.id },
    });
    const { chat: _, ...kept } = sent;
    for (const person of [ann, bob]) expect(await readHistory(person, chat)).toEqual([kept]);
  });

  it('numbers 1, 2, 3 whoever writes on whatever node, each chat for itself', async () => {
    const [chat, other] = [await openPlace(), await openPlace()];
    for (let round = 0; round < 4; round += 1) {
      for (const [index, person] of [ann, bob].entries())
        expect((await sendAs(person, { chatId: chat.id, body: 'next' }, index)).seq).toBe(2 * round + index + 1);
      expect((await sendAs(bob, { chatId: other.id, body: 'aside' }, round)).seq).toBe(round + 1);
    }
    expect((await readHistory(bob, chat)).map(({ seq }) => seq)).toEqual(seqsTo(8));
  });

  it('gives times that never fall as seq rises', async () => {
    const chat = await openPlace();
    await Promise.all(
      [ann, bob, ann, bob].map(async (person, index) => {
        for (let n = 0; n < 10; n += 1) await sendAs(person, { chatId: chat.id, body: `${n}` }, index < 2 ? 0 : 1);
      }),
    );
    const times = (await readHistory(ann, chat)).map(({ createdAt }) => createdAt);
    expect(times).toHaveLength(40);
    expect(times).toEqual(times.toSorted());
  });

  it('is for people who have signed in', async () => {
    const chat = await openPlace();
    const attempt = nobody(cluster).request(SendMessage, { input: { chatId: chat.id, body: 'boo' } });
    expect(await refusal(attempt)).toEqual(SIGN_IN_FIRST);
    expect(await readHistory(ann, chat)).toEqual([]);
  });

  it('knows no chat of other people’s', async () => {
    const group = await openGroup(ann, [bob, stranger]);
    await removeMember(ann, group, stranger);
    const direct = await openDirectChat(ann, bob);
    const input = (chatId: string) => ({ input: { chatId, body: 'let me in' } });
    for (const chat of [group, direct]) {
      await expectHidden(stranger, SendMessage, input(chat.id), input(absentId()));
      expect(await readHistory(ann, chat)).toEqual([]);
    }
    expect(await refusal(sendAs(ann, { chatId: 'harbour', body: 'hi' }))).toEqual(badInput('input.chatId'));
  });

  it('lets the token alone say who the author is', async () => {
    const chat = await openPlace();
    const claims = [{ author: bob.id }, { authorId: bob.id }, { author: { id: bob.id } }, { seq: 7 }, { isRead: true }];
    for (const claim of claims) {
      const input = { chatId: chat.id, body: 'I am Bob', ...claim } as SendMessageInput;
      expect(await refusal(sendAs(ann, input))).toMatchObject({ code: 'BAD_USER_INPUT' });
    }
    expect(await readHistory(ann, chat)).toEqual([]);
    const sent = await sendAs(ann, { chatId: chat.id, body: 'I am Bob', clientId: bob.id });
    expect((await readBack(bob, sent.id))?.author).toEqual({ id: ann.id });
  });
});

describe('the body of a message', () => {
  it.each([
    ['composed emoji', 'рада 👩‍👩‍👧‍👦 🏴‍☠️ 🇺🇦 👍🏽'],
    ['right-to-left overrides', 'evil\u202egpj.exe \u2066isolated\u2069 שלום'],
    ['HTML', '<script>alert("1")</script> &lt;b&gt; <img src=x onerror=alert(1)>'],
    ['GraphQL and SQL', `") { id } #'; DROP TABLE message; -- $1 \\x00 {"a":1}`],
    ['white space at both ends', '\n\t  two lines\r\nand a tab\t \n'],
    ['characters that are not normalised', 'e\u0301 é \u212b ﬁ'],
    ['control characters', 'bell\u0007 escape\u001b[31m delete\u007f'],
    ['zero-width characters among others', '\u200ba\u200d\ufeff'],
    ['noncharacters', 'a\ufffe\uffff\u{10ffff}'],
  ])('is kept as it is: %s', async (_what, body) => {
    const chat = await openPlace();
    const sent = await sendAs(ann, { chatId: chat.id, body });
    expect(sent.body).toBe(body);
    expect((await readBack(bob, sent.id))?.body).toBe(body);
    const [kept] = await readHistory(bob, chat);
    expect(Buffer.from(kept!.body)).toEqual(Buffer.from(body));
  });

  it.each([
    ['one character', 'x'],
    ['8,000 characters', 'x'.repeat(8_000)],
    ['8,000 characters beyond the basic plane', '🚢'.repeat(8_000)],
  ])('may have %s', async (_what, body) => {
    const chat = await openPlace();
    const sent = await sendAs(ann, { chatId: chat.id, body });
    expect((await readBack(bob, sent.id))?.body).toBe(body);
  });

  it.each([
    ['empty', ''],
    ['white space', ' \t\r\n\u00a0\u2003\u3000'],
    ['zero-width characters alone', '\u200b\u200c\u200d\u2060\ufeff\u00ad'],
    ['fillers that show as nothing', '\u2800\u3164\u115f\uffa0'],
    ['8,001 characters', 'x'.repeat(8_001)],
    ['8,001 characters beyond the basic plane', '🚢'.repeat(8_001)],
    ['NUL', 'a\0b'],
    ['half a surrogate pair', 'a\ud83d'],
    ['the halves the wrong way round', '\udea2\ud83d'],
  ])('is refused: %s', async (_what, body) => {
    const chat = await openPlace();
    expect(await refusal(sendAs(ann, { chatId: chat.id, body }))).toEqual(badInput('input.body'));
    expect(await readHistory(bob, chat)).toEqual([]);
    expect((await sendAs(ann, { chatId: chat.id, body: 'well' })).seq).toBe(1);
  });
});

describe('what a message carries beside its body', () => {
  it.each([
    ['TEXT', undefined],
    ['LOCATION', { latitude: 59.3293, longitude: -18.0686, accuracy: 1e-7 }],
    ['PHOTO', { url: 'https://example.test/a.jpg?x=1&y=2', width: 4032, height: 3024 }],
  ] as const)('of type %s', async (type, extraData) => {
    const chat = await openPlace();
    const sent = await sendAs(ann, { chatId: chat.id, body: 'look', type, extraData });
    expect(sent).toMatchObject({ type, extraData: extraData ?? null });
    expect(await readBack(bob, sent.id)).toMatchObject({ type, extraData: extraData ?? null });
  });

  it('is TEXT for a null, and no other type than the three', async () => {
    const chat = await openPlace();
    expect((await sendAs(ann, { chatId: chat.id, body: 'plain', type: null, extraData: null })).type).toBe('TEXT');
    const input = { chatId: chat.id, body: 'odd', type: 'VIDEO' } as unknown as SendMessageInput;
    expect(await refusal(sendAs(ann, input))).toMatchObject({ code: 'BAD_USER_INPUT' });
    expect(await readHistory(ann, chat)).toHaveLength(1);
  });

  it.each([
    ['a string', 'text “quoted” \u2028 👩‍👧'],
    ['a number', -0.5],
    ['zero', 0],
    ['false', false],
    ['a list', [1, 'two', null, [], {}]],
    ['keys of all kinds', { '': 1, 'a b': 2, é: 3, length: 4, toString: 5, hasOwnProperty: null }],
  ])('may be %s', async (_what, extraData) => {
    const chat = await openPlace();
    const sent = await sendAs(ann, { chatId: chat.id, body: 'look', extraData });
    expect(sent.extraData).toEqual(extraData);
    expect((await readBack(bob, sent.id))?.extraData).toEqual(extraData);
  });

  const deep = (levels: number, list: boolean): unknown =>
    levels === 0 ? 'bottom' : list ? [deep(levels - 1, list)] : { a: deep(levels - 1, list) };
  const sized = (bytes: number) => ({ pad: 'é'.repeat(Math.floor((bytes - 10) / 2)) + 'x'.repeat(bytes % 2) });

  it.each([
    ['8 levels of objects', deep(8, false)],
    ['8 levels of lists', deep(8, true)],
    ['8 KiB', sized(8_192)],
  ])('may have %s', async (_what, extraData) => {
    const chat = await openPlace();
    const sent = await sendAs(ann, { chatId: chat.id, body: 'look', extraData });
    expect((await readBack(bob, sent.id))?.extraData).toEqual(extraData);
  });

  it.each([
    ['9 levels of objects', deep(9, false)],
    ['9 levels of lists', deep(9, true)],
    ['8 KiB and a byte', sized(8_193)],
    ['NUL in a value', { a: ['b\0'] }],
    ['NUL in a key', { 'a\0': 1 }],
    ['half a surrogate pair in a value', { a: '\ud83d' }],
    ['half a surrogate pair in a key', { '\udea2': 1 }],
  ])('is refused with %s', async (_what, extraData) => {
    const chat = await openPlace();
    const attempt = sendAs(ann, { chatId: chat.id, body: 'look', extraData });
    expect(await refusal(attempt)).toEqual(badInput('input.extraData'));
    expect(await readHistory(bob, chat)).toEqual([]);
  });

  it('measures its 8 KiB in bytes', () => {
    expect(Buffer.byteLength(JSON.stringify(sized(8_192)))).toBe(8_192);
    expect(Buffer.byteLength(JSON.stringify(sized(8_193)))).toBe(8_193);
  });

  it('is refused with a number that JSON cannot give back', async () => {
    const chat = await openPlace();
    const input = { chatId: chat.id, body: 'much', extraData: { n: 0 } };
    const body = JSON.stringify(toParams(SendMessage, { input })).replace('"n":0', '"n":1e400');
    const { json } = await ann.client().raw({
      headers: { 'content-type': 'application/json', authorization: `Bearer ${ann.accessToken}` },
      body,
    });
    expect(json).toMatchObject({ errors: [{ extensions: badInput('input.extraData') }] });
    expect(await readHistory(bob, chat)).toEqual([]);
  });

  const POISON = '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}';

  it('takes __proto__ for a key like any other, from a variable and from the document', async () => {
    const chat = await openPlace();
    const sent = await sendAs(ann, { chatId: chat.id, body: 'poison', extraData: JSON.parse(POISON) as unknown });
    const literal = '{__proto__: {polluted: true}, constructor: {prototype: {polluted: true}}}';
    const document = `mutation { sendMessage(input: {chatId: "${chat.id}", body: "poison", extraData: ${literal}}) { id } }`;
    await ann.client().request(document);
    for (const message of await readHistory(bob, chat)) {
      const extraData = message.extraData as Record<string, unknown>;
      expect(Object.keys(extraData).toSorted()).toEqual(['__proto__', 'constructor']);
      expect(JSON.parse(JSON.stringify(extraData))).toEqual(JSON.parse(POISON));
    }
    expect(sent.extraData).toEqual(JSON.parse(POISON));
    const after = await sendAs(ann, { chatId: chat.id, body: 'clean', extraData: {} });
    expect((await readBack(bob, after.id))?.extraData).toEqual({});
  });

  it('leaves Object.prototype as it was', () => {
    const fromVariable = readExtraData('extraData', JSONValue.parseValue(JSON.parse(POISON)));
    const fromDocument = readExtraData(
      'extraData',
      JSONValue.parseLiteral(parseValue('{__proto__: {polluted: true}}'), {}),
    );
    expect(Object.keys(fromVariable as object)).toEqual(['__proto__', 'constructor']);
    expect(Object.keys(fromDocument as object)).toEqual(['__proto__']);
    for (const bystander of [{}, [], fromVariable, fromDocument])
      expect((bystander as { polluted?: unknown }).polluted).toBeUndefined();
  });
});

describe('a clientId', () => {
  it.each([
    ['one character', '1'],
    ['128 characters', 'k'.repeat(128)],
    ['128 characters beyond the basic plane', '🔑'.repeat(128)],
    ['characters of any kind', `' " \\ \n <k>`],
  ])('may have %s', async (_what, clientId) => {
    const chat = await openPlace();
    expect((await sendAs(ann, { chatId: chat.id, body: 'once', clientId })).clientId).toBe(clientId);
    expect((await readHistory(bob, chat))[0]?.clientId).toBe(clientId);
  });

  it.each([
    ['empty', ''],
    ['blank', ' \u200b'],
    ['129 characters', 'k'.repeat(129)],
    ['NUL', 'k\0'],
    ['half a surrogate pair', '\ud83d'],
  ])('is refused: %s', async (_what, clientId) => {
    const chat = await openPlace();
    expect(await refusal(sendAs(ann, { chatId: chat.id, body: 'once', clientId }))).toEqual(badInput('input.clientId'));
    expect(await readHistory(bob, chat)).toEqual([]);
  });

  it('sent again answers the message that stands, on any node, and takes no seq', async () => {
    const chat = await openPlace();
    const input = { chatId: chat.id, body: 'once', clientId: 'k1', extraData: { a: 1 }, type: 'PHOTO' as const };
    const first = await sendAs(ann, input);
    await sendAs(bob, { chatId: chat.id, body: 'between' });
    for (const nodeIndex of [0, 1, 1]) expect(await sendAs(ann, input, nodeIndex)).toEqual(first);
    expect((await sendAs(bob, { chatId: chat.id, body: 'after' })).seq).toBe(3);
    expect((await readHistory(bob, chat)).map(({ body }) => body)).toEqual(['once', 'between', 'after']);
  });

  it('sent again after an edit answers the message as it is now', async () => {
    const chat = await openPlace();
    const input = { chatId: chat.id, body: 'tpyo', clientId: 'k1' };
    const first = await sendAs(ann, input);
    await ann.client().request(EditSent, { input: { messageId: first.id, body: 'typo' } });
    const again = await sendAs(ann, input, 1);
    expect(again).toMatchObject({ id: first.id, seq: 1, body: 'typo', createdAt: first.createdAt });
    expect(again.editedAt).not.toBeNull();
    // What was sent counts, not what became of it.
    expect(await refusal(sendAs(ann, { ...input, body: 'typo' }))).toEqual(CONFLICT);
    expect(await readHistory(bob, chat)).toHaveLength(1);
  });

  it('sent again after a deletion answers the tombstone, and brings nothing back', async () => {
    const chat = await openPlace();
    const input = { chatId: chat.id, body: 'regret', clientId: 'k1', extraData: { a: 1 } };
    const first = await sendAs(ann, input);
    await ann.client().request(DeleteSent, { messageId: first.id });
    const again = await sendAs(ann, input, 1);
    expect(again).toMatchObject({ id: first.id, seq: 1, body: '', extraData: null });
    expect(again.deletedAt).not.toBeNull();
    expect((await sendAs(bob, { chatId: chat.id, body: 'next' })).seq).toBe(2);
    expect((await readHistory(bob, chat)).map(({ body }) => body)).toEqual(['', 'next']);
  });

  it('stands for one message: another under it is refused, and not written', async () => {
    const chat = await openPlace();
    const input = { chatId: chat.id, body: 'once', clientId: 'k1', extraData: { a: 1 } };
    const first = await sendAs(ann, input);
    const others: Partial<SendMessageInput>[] = [
      { body: 'twice' },
      { body: 'once ' },
      { extraData: { a: 2 } },
      { extraData: null },
      { type: 'PHOTO' },
    ];
    for (const other of others) expect(await refusal(sendAs(ann, { ...input, ...other }))).toEqual(CONFLICT);
    const { chat: _, ...kept } = first;
    expect(await readHistory(bob, chat)).toEqual([kept]);
    expect((await sendAs(bob, { chatId: chat.id, body: 'next' })).seq).toBe(2);
  });

  it('is the author’s own, and the chat’s own', async () => {
    const [chat, other] = [await openPlace(), await openPlace()];
    const sent = [
      await sendAs(ann, { chatId: chat.id, body: 'Ann here', clientId: 'k1' }),
      await sendAs(bob, { chatId: chat.id, body: 'Bob here', clientId: 'k1' }),
      await sendAs(ann, { chatId: other.id, body: 'Ann there', clientId: 'k1' }),
    ];
    expect(sent.map(({ seq, body }) => [seq, body])).toEqual([
      [1, 'Ann here'],
      [2, 'Bob here'],
      [1, 'Ann there'],
    ]);
    expect(new Set(sent.map(({ id }) => id)).size).toBe(3);
  });

  it('answers nothing to an author who has been removed, and the same as ever to one who came back', async () => {
    const chat = await openGroup(ann, [bob]);
    const input = { chatId: chat.id, body: 'once', clientId: 'k1' };
    const first = await sendAs(bob, input);
    await removeMember(ann, chat, bob);
    expect(await refusal(sendAs(bob, input))).toEqual(NOT_FOUND);
    await addMember(ann, chat, bob);
    expect((await sendAs(bob, input)).id).toBe(first.id);
    expect(await readHistory(ann, chat)).toHaveLength(1);
  });

  it(
    'sent twenty times at once, over both transports and both nodes, is one message',
    { timeout: 120_000 },
    async () => {
      const chat = await openPlace();
      const live = await bob.client(1).subscribe(SentLive, { chatId: chat.id });
      const sockets = await Promise.all([ann.client(0).openSocket(), ann.client(1).openSocket()]);
      const keys = Array.from({ length: 20 }, (_, index) => `key ${index}`);

      const seqs: number[] = [];
      for (const clientId of keys) {
        const input = { chatId: chat.id, body: `under ${clientId}`, clientId };
        const bystander = send(bob, chat, 'meanwhile');
        const answers = await Promise.all(
          Array.from({ length: 20 }, async (_, index) =>
            index % 4 < 2
              ? sendAs(ann, input, index)
              : (await sockets[index % 2]!.subscribe(SendMessage, { input }).next()).sendMessage,
          ),
        );
        for (const answer of answers) expect(answer).toEqual(answers[0]);
        seqs.push(answers[0]!.seq, (await bystander).seq);
      }

      expect(seqs.toSorted((a, b) => a - b)).toEqual(seqsTo(40));
      const history = await readHistory(bob, chat);
      expect(history.map(({ seq }) => seq)).toEqual(seqsTo(40));
      expect(history.flatMap(({ clientId }) => clientId ?? []).toSorted()).toEqual(keys.toSorted());
      // Each was heard once: behind the forty comes what is sent now, and nothing else.
      await send(ann, chat, 'the end');
      const heard = (await live.take(41)).map(({ messageAdded }) => messageAdded);
      expect(heard.map(({ seq }) => seq)).toEqual(seqsTo(41));
      expect(heard.slice(0, 40).map(({ id }) => id)).toEqual(history.map(({ id }) => id));
      if (backend === 'distributed')
        expect(await cluster.sql('SELECT count(*)::int AS rows FROM message WHERE chat_id = $1', [chat.id])).toEqual([
          { rows: 41 },
        ]);
      await live.close();
      await Promise.all(sockets.map((socket) => socket.close()));
    },
  );

  it('racing with another body under it lets one of them win', { timeout: 60_000 }, async () => {
    for (let round = 1; round <= 10; round += 1) {
      const chat = await openPlace();
      const outcomes = await Promise.allSettled(
        Array.from({ length: 8 }, (_, index) =>
          sendAs(ann, { chatId: chat.id, body: index % 2 ? 'odd' : 'even', clientId: 'k1' }, index % 4 < 2 ? 0 : 1),
        ),
      );
      const [kept, ...rest] = await readHistory(bob, chat);
      expect(rest).toEqual([]);
      for (const [index, outcome] of outcomes.entries()) {
        const isSame = (index % 2 ? 'odd' : 'even') === kept!.body;
        if (isSame) expect(outcome).toMatchObject({ status: 'fulfilled', value: { id: kept!.id, seq: 1 } });
        else expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'CONFLICT' } });
      }
    }
  });
});
