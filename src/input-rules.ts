import { z } from 'zod';
import { BadUserInputError } from './errors.ts';
import { keptJsonBytes } from './json-length.ts';

/** Lengths count code points, as people count characters. */
export const LIMITS = {
  body: 8_000,
  title: 120,
  name: 60,
  deviceName: 120,
  email: 254,
  password: { min: 8, max: 128 },
  clientId: 128,
  search: 200,
  extraDataBytes: 8 * 1024,
  extraDataDepth: 8,
  /** Each takes three bytes to send, and twenty times as many to keep. */
  extraDataContainers: 500,
  groupMembers: 1_000,
} as const;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Everything that shows as nothing: white space, controls, formatting and filler characters. */
const BLANK = /^[\s\p{Cc}\p{Cf}\p{Zs}\p{Zl}\p{Zp}\u115f\u1160\u2800\u3164\uffa0]*$/u;

/** @throws BadUserInputError unless the text is a UUID; answers it in lower case. */
export function readId(field: string, id: string): string {
  if (!UUID.test(id)) throw new BadUserInputError(field, 'Not an id.');
  return id.toLowerCase();
}

/** Ids in their order, each once. */
export function readIds(field: string, ids: readonly string[]): string[] {
  if (ids.length > LIMITS.groupMembers) throw new BadUserInputError(field, `At most ${LIMITS.groupMembers} people.`);
  return [...new Set(ids.map((id) => readId(field, id)))];
}

function assertWellFormed(field: string, text: string): void {
  if (!text.isWellFormed())
    throw new BadUserInputError(field, 'Not well-formed Unicode: it holds half a surrogate pair.');
  if (text.includes('\0')) throw new BadUserInputError(field, 'The NUL character is not allowed.');
}

function codePoints(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

function assertLength(field: string, text: string, max: number): void {
  // A string never has more code points than code units: most texts need no counting.
  if (text.length > max && (text.length > 2 * max || codePoints(text) > max))
    throw new BadUserInputError(field, `At most ${max} characters.`);
}

/** Text that is kept exactly as it is written. */
export function readText(field: string, text: string, max: number): string {
  assertLength(field, text, max);
  assertWellFormed(field, text);
  if (BLANK.test(text)) throw new BadUserInputError(field, 'Must not be blank.');
  return text;
}

/** A line of text without the space around it. */
export function readLine(field: string, text: string, max: number): string {
  const line = readText(field, text.trim(), max);
  if (/\p{Cc}|\p{Zl}|\p{Zp}/u.test(line)) throw new BadUserInputError(field, 'Must be one line.');
  return line;
}

const emailShape = z.email();

/** In lower case: whoever signs up as Ann@x.org signs in as ann@x.org. */
export function readEmail(field: string, text: string): string {
  const email = text.trim().toLowerCase();
  if (email.length > LIMITS.email || !emailShape.safeParse(email).success)
    throw new BadUserInputError(field, 'Not an e-mail address.');
  return email;
}

/** Any characters in any mix, as NIST SP 800-63B and ASVS 6.2 ask; only the well-known ones are refused. */
export async function readNewPassword(field: string, password: string): Promise<string> {
  assertWellFormed(field, password);
  const { min, max } = LIMITS.password;
  assertLength(field, password, max);
  if (codePoints(password) < min) throw new BadUserInputError(field, `At least ${min} characters.`);
  const { dictionary } = await import('@zxcvbn-ts/language-common');
  commonPasswords ??= new Set(dictionary['passwords-common'].map((word) => word.toLowerCase()));
  if (commonPasswords.has(password.toLowerCase()))
    throw new BadUserInputError(field, 'This password is among the first that an attacker would try.');
  return password;
}

let commonPasswords: Set<string> | undefined;

/** @throws BadUserInputError unless the JSON fits the limits and can be stored and read back unchanged. */
export function readExtraData(field: string, value: unknown): unknown {
  if (value === null || value === undefined) return null;
  assertJson(field, value, LIMITS.extraDataDepth);
  if (countContainers(value) > LIMITS.extraDataContainers)
    throw new BadUserInputError(field, `At most ${LIMITS.extraDataContainers} objects and lists.`);
  if (keptJsonBytes(value) > LIMITS.extraDataBytes)
    throw new BadUserInputError(field, `At most ${LIMITS.extraDataBytes} bytes of JSON.`);
  return value;
}

function countContainers(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return Object.values(value).reduce((sum: number, inner) => sum + countContainers(inner), 1);
}

function assertJson(field: string, value: unknown, depthLeft: number): void {
  if (typeof value === 'string') assertWellFormed(field, value);
  if (typeof value === 'number' && !Number.isFinite(value))
    throw new BadUserInputError(field, 'A number is too large.');
  if (typeof value !== 'object' || value === null) return;
  if (depthLeft === 0) throw new BadUserInputError(field, `At most ${LIMITS.extraDataDepth} levels deep.`);
  for (const [key, item] of Object.entries(value)) {
    assertWellFormed(field, key);
    assertJson(field, item, depthLeft - 1);
  }
}
