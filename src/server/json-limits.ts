/** Deeper than any variables of ours: what is nested so deep is meant to exhaust somebody's stack. */
const MAX_DEPTH = 100;
/** More than any request of ours has: each takes a few bytes to send, and ten or twenty times as many to keep. */
const MAX_PARTS = 5_000;

export const TOO_MUCH_JSON = 'Not JSON, nested too deep, or of too many parts.';

/** Of what a client sent as JSON: whether it is nested too deep, or of too many objects, lists and fields, to be looked at. */
export function isTooMuchJson(value: unknown): boolean {
  let partsLeft = MAX_PARTS;
  const isTooMuch = (inner: unknown, levelsLeft: number): boolean => {
    if (typeof inner !== 'object' || inner === null) return false;
    partsLeft -= 1;
    if (levelsLeft === 0) return true;
    if (Array.isArray(inner)) return partsLeft < 0 || inner.some((item) => isTooMuch(item, levelsLeft - 1));
    for (const name in inner) {
      partsLeft -= 1;
      if (partsLeft < 0 || isTooMuch((inner as Record<string, unknown>)[name], levelsLeft - 1)) return true;
    }
    return partsLeft < 0;
  };
  return isTooMuch(value, MAX_DEPTH);
}
