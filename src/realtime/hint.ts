import type { Hint } from './broker.ts';

/** A well-formed hint has 31 characters at most; the rest is room for fields that a later version may add. */
const MAX_HINT_BYTES = 256;

/** A fresh object with nothing but the revision, or null when the value is not a hint. */
export function toHint(value: unknown): Hint | null {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, 'revision')) return null;
  const { revision } = value as Hint;
  return Number.isSafeInteger(revision) && revision >= 0 ? { revision } : null;
}

/** Never throws, and does not look into a message that is too long to be a hint. */
export function parseHint(message: Buffer): Hint | null {
  if (message.length > MAX_HINT_BYTES) return null;
  try {
    return toHint(JSON.parse(message.toString('utf8')));
  } catch {
    return null;
  }
}
