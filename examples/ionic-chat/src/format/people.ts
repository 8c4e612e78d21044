import type { UserFields } from '@parley/client';

/** Somebody, as an author or a member is given. */
export type Person = Pick<UserFields, 'id' | 'firstName' | 'lastName' | 'avatarUrl'> &
  Partial<Pick<UserFields, 'isOnline'>>;

type Named = Pick<UserFields, 'firstName' | 'lastName'>;

/** Null: somebody whose account is gone. */
export function fullName(user: Named | null | undefined): string {
  return user ? `${user.firstName} ${user.lastName}` : 'Deleted account';
}

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** A first letter is what a reader takes for one: in Hindi with its vowel sign, of an emoji all of it. */
export function initials(...names: string[]): string {
  return names.map(firstGrapheme).join('').toLocaleUpperCase();
}

function firstGrapheme(name: string): string {
  for (const { segment } of graphemes.segment(name.trim())) return segment;
  return '';
}

/** How many colours `theme/avatars.css` has. */
const COLOURS = 10;

/** The same for the same id, on every device. */
export function colourOf(id: string): number {
  let hash = 0;
  for (const char of id) hash = (hash * 31 + char.codePointAt(0)!) % 0xff_ff_ff;
  return hash % COLOURS;
}
