import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isReadByOthers } from '../../src/features/messages/read-state.ts';

const floor = (userId: string, lastReadSeq: number) => ({ chatId: 'chat', userId, lastReadSeq });

describe('isReadByOthers', () => {
  it.each([
    ['the other has read it', [floor('author', 0), floor('other', 3)], true],
    ['the other has read what came before', [floor('author', 0), floor('other', 2)], false],
    ['the author’s own mark does not count', [floor('other', 2), floor('author', 3)], false],
    ['nobody else is there', [floor('author', 3)], false],
    ['nobody is there', [], false],
    ['the author has left, and one of the two has not read it', [floor('one', 1), floor('two', 9)], false],
    ['the author has left, and both have read it', [floor('one', 3), floor('two', 9)], true],
  ])('%s: %j is %s', (_what, floors, isRead) => {
    expect(isReadByOthers({ authorId: 'author', seq: 3 }, floors)).toBe(isRead);
  });

  it('counts everybody once the author’s account is gone', () => {
    expect(isReadByOthers({ authorId: null, seq: 3 }, [floor('one', 2), floor('two', 9)])).toBe(false);
    expect(isReadByOthers({ authorId: null, seq: 3 }, [floor('one', 3)])).toBe(true);
  });

  it('needs no more than the two who have read least, whoever the author is', () => {
    const member = fc.record({ userId: fc.uuid(), lastReadSeq: fc.nat(9) });
    const members = fc.uniqueArray(member, { selector: ({ userId }) => userId, maxLength: 8 });
    fc.assert(
      fc.property(members, fc.nat(9), fc.integer({ min: 1, max: 9 }), (people, index, seq) => {
        const authorId = people[index]?.userId ?? null;
        const floors = people
          .map(({ userId, lastReadSeq }) => floor(userId, lastReadSeq))
          .toSorted((a, b) => a.lastReadSeq - b.lastReadSeq);
        const others = people.filter(({ userId }) => userId !== authorId);
        const truth = others.length > 0 && others.every(({ lastReadSeq }) => lastReadSeq >= seq);
        expect(isReadByOthers({ authorId, seq }, floors.slice(0, 2))).toBe(truth);
      }),
    );
  });
});
