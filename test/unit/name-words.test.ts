import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nameWords } from '../../src/features/users/name-words.ts';

describe('the words of a name', () => {
  it.each([
    [
      ['José-María', 'O’Neill'],
      ['jose', 'maria', 'o', 'neill'],
    ],
    [['  Ann\t', 'Ann '], ['ann']],
    [
      ['ANNA', 'van der Berg'],
      ['anna', 'van', 'der', 'berg'],
    ],
    [
      ['İpek', 'Çelik'],
      ['ipek', 'celik'],
    ],
    [
      ['Ｆｕｌｌ', 'ﬁne'],
      ['full', 'fine'],
    ],
    [
      ['Ελένη', 'ΠΑΠΠΆ'],
      ['ελενη', 'παππα'],
    ],
    [
      ['Оксана', 'Йоанна'],
      ['оксана', 'иоанна'],
    ],
    [
      ['田中', '優希'],
      ['田中', '優希'],
    ],
    [
      ['Agent', '007'],
      ['agent', '007'],
    ],
    [['🌱', '…'], ['🌱']],
    [['', ' - '], []],
  ])('%j: %j', (texts, words) => {
    expect(nameWords(...texts)).toEqual(words);
  });

  it('are at most twelve', () => {
    expect(nameWords(Array.from({ length: 40 }, (_, i) => `w${i}`).join(' '))).toHaveLength(12);
  });

  it.each([
    ['민준', '민'],
    ['سارة', 'سا'],
    ['आरव', 'आर'],
    ['Nguyễn', 'Nguye'],
    ['Nguyễn', 'nguyê'],
  ])('of %s begin with what somebody types who looks for them: %s', (name, typed) => {
    expect(nameWords(name)[0]).toSatisfy((word: string) => word.startsWith(nameWords(typed)[0]!));
  });

  it('stay the same when they are split again, in any script', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 60 }), (text) => {
        const words = nameWords(text);
        expect(nameWords(words.join(' '))).toEqual(words);
      }),
    );
  });
});
