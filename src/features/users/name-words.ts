/** More words than this are not searched by. */
const MAX_WORDS = 12;

/**
 * The words that a person is found by, or that a search asks for: lower case, without accents, split at anything that
 * is no letter, digit or mark of its own. "José-María O'Neill" gives jose, maria, o, neill.
 */
export function nameWords(...texts: string[]): string[] {
  const folded = texts
    .join(' ')
    .normalize('NFKD')
    .replace(/\p{Diacritic}/gu, '')
    .toLowerCase();
  return [...new Set(folded.split(/[^\p{L}\p{N}\p{M}\p{S}]+/u).filter((word) => word !== ''))].slice(0, MAX_WORDS);
}
