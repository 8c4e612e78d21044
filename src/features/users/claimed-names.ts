import { LIMITS } from '../../input-rules.ts';

/** What an identity provider calls somebody: any text, or nothing. */
export interface ClaimedNames {
  givenName: string | null;
  familyName: string | null;
  name: string | null;
}

/** Who comes without a name may change it. */
const NOBODY = { firstName: 'New', lastName: 'Member' };
/** In place of the one that is missing: a name must not be blank. */
const NO_NAME = '–';

/** Everything that shows as nothing, and what no line holds. */
const UNSEEN = /[\s\p{Cc}\p{Cf}\p{Cs}\p{Zs}\p{Zl}\p{Zp}\u115f\u1160\u2800\u3164\uffa0]+/gu;

/** Names that keep the rules for names: given and family name, else the words of the whole name. */
export function cleanNames({ givenName, familyName, name }: ClaimedNames): { firstName: string; lastName: string } {
  const [firstWord = '', ...otherWords] = clean(name).split(' ');
  const firstName = cut(clean(givenName) || firstWord);
  const lastName = cut(clean(familyName) || otherWords.join(' '));
  if (!firstName && !lastName) return NOBODY;
  return { firstName: firstName || NO_NAME, lastName: lastName || NO_NAME };
}

/** A token is bounded, and so is this. */
const clean = (text: string | null) => (text ?? '').replace(UNSEEN, ' ').trim();

const cut = (text: string) => [...text].slice(0, LIMITS.name).join('').trim();
