import { expect, it } from 'vitest';
import { cleanNames } from '../../src/features/users/claimed-names.ts';
import { readNames } from '../../src/features/users/user-service.ts';

it.each([
  ['given and family name', ['Grace', 'Hopper', 'Admiral H.'], ['Grace', 'Hopper']],
  ['the words of the whole name', [null, null, 'Grace Brewster Hopper'], ['Grace', 'Brewster Hopper']],
  ['a given name, and the rest of the whole', ['Grace', null, 'Grace Hopper'], ['Grace', 'Hopper']],
  ['one name', [null, null, 'Sukarno'], ['Sukarno', '–']],
  ['a family name alone', [null, 'Hopper', null], ['–', 'Hopper']],
  ['nothing', [null, null, null], ['New', 'Member']],
  ['what shows as nothing', ['\u200b', ' \t', '\u2060\u3164'], ['New', 'Member']],
  ['several lines', ['Gra\nce', 'Hop\u2028per', null], ['Gra ce', 'Hop per']],
  ['a NUL and half a character', ['Gra\0ce', 'Hop\ud800per', null], ['Gra ce', 'Hop per']],
  ['any script', ['اَلْعَرَبِيَّةُ', '李', null], ['اَلْعَرَبِيَّةُ', '李']],
  ['more than fits', ['🦜'.repeat(61), `${'x'.repeat(59)} y`, null], ['🦜'.repeat(60), 'x'.repeat(59)]],
  ['10,000 characters', ['x'.repeat(10_000), null, null], ['x'.repeat(60), '–']],
] as const)('of %s', (_what, [givenName, familyName, name], [firstName, lastName]) => {
  const names = cleanNames({ givenName, familyName, name });
  expect(names).toEqual({ firstName, lastName });
  // They keep the rules that hold for everybody.
  expect(readNames(names)).toEqual(names);
});
