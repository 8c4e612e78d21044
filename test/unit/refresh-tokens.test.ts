import { describe, expect, it } from 'vitest';
import { createRefreshTokens } from '../../src/auth/refresh-tokens.ts';

const secretOf = (text: string) => new TextEncoder().encode(text);
const SESSION = '0193514e-7d5a-7c3e-9f21-0123456789ab';
const PREFIX = 'prt_';

const tokens = createRefreshTokens(secretOf('a secret for tests, of 32 bytes or more'));
const text = tokens.encode(tokens.first(SESSION));
const bytes = Buffer.from(text.slice(PREFIX.length), 'base64url');
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

describe('a refresh token', () => {
  it('comes back as what was written', () => {
    const token = tokens.first(SESSION);
    expect(tokens.decode(tokens.encode(token))).toEqual(token);
    expect(tokens.encode(token)).toMatch(/^prt_[\w-]{86}$/);
  });

  it('is another one for every session, and every time', () => {
    expect(tokens.first(SESSION).secret).not.toEqual(tokens.first(SESSION).secret);
  });

  it('is stored as a hash of its secret, which does not give it away', () => {
    const token = tokens.first(SESSION);
    expect(tokens.hash(token)).toHaveLength(32);
    expect(tokens.hash(token)).toEqual(tokens.hash(tokens.decode(tokens.encode(token))!));
    expect(tokens.hash(token)).not.toEqual(token.secret);
    expect(tokens.hash(token)).not.toEqual(tokens.hash(tokens.first(SESSION)));
  });
});

describe('the successor', () => {
  const token = tokens.decode(text)!;

  it('is the same on every node that has the key, for the same session', () => {
    const elsewhere = createRefreshTokens(secretOf('a secret for tests, of 32 bytes or more'));
    expect(elsewhere.successor(elsewhere.decode(text)!)).toEqual(tokens.successor(token));
    expect(tokens.encode(tokens.successor(token))).toBe(tokens.encode(tokens.successor(token)));
    expect(tokens.successor(token).sessionId).toBe(SESSION);
  });

  it('cannot be told without the key, not even by who has the token', () => {
    const stranger = createRefreshTokens(secretOf('another secret for tests, of 32 bytes'));
    const guessed = stranger.successor({ ...token, keys: stranger.first(SESSION).keys });
    expect(guessed.secret).not.toEqual(tokens.successor(token).secret);
    expect(tokens.successor(token).secret).not.toEqual(tokens.hash(token));
  });

  it('of each is another', () => {
    const chain = new Set<string>();
    for (let next = token; chain.size < 100; next = tokens.successor(next)) {
      expect(chain).not.toContain(tokens.encode(next));
      chain.add(tokens.encode(next));
    }
    expect(tokens.successor(token).secret).not.toEqual(tokens.successor(tokens.first(SESSION)).secret);
  });
});

describe('when the key changes', () => {
  const NEXT = secretOf('the next secret of tests, of 32 bytes');
  const before = secretOf('a secret for tests, of 32 bytes or more');
  const changed = createRefreshTokens(NEXT, before);

  it('tokens of the former one count, and their successors are of the new one', () => {
    const next = changed.successor(changed.decode(text)!);
    expect(createRefreshTokens(NEXT).decode(changed.encode(next))!.secret).toEqual(next.secret);
    expect(tokens.decode(changed.encode(next))).toBeNull();
  });

  it('whoever comes again for a reply that was lost is given the same successor', () => {
    const lost = tokens.successor(tokens.decode(text)!);
    expect(changed.successor(changed.decode(text)!).secret).toEqual(lost.secret);
  });

  it('the former one writes nothing more', () => {
    expect(tokens.decode(changed.encode(changed.first(SESSION)))).toBeNull();
  });
});

describe('nothing is read from', () => {
  it.each([
    ['session id', 0, 16],
    ['secret', 16, 48],
    ['tag', 48, 64],
  ])('a token with one bit changed in its %s', (_region, from, to) => {
    expect(bytes).toHaveLength(64);
    for (let index = from; index < to; index++)
      for (let bit = 0; bit < 8; bit++) {
        const tampered = Buffer.from(bytes);
        tampered[index]! ^= 1 << bit;
        expect(tokens.decode(PREFIX + tampered.toString('base64url')), `byte ${index}, bit ${bit}`).toBeNull();
      }
  });

  it('a token of another key', () => {
    const stranger = createRefreshTokens(secretOf('another secret for tests, of 32 bytes'));
    expect(tokens.decode(stranger.encode(stranger.first(SESSION)))).toBeNull();
  });

  it('parts of two tokens', () => {
    const other = Buffer.from(tokens.encode(tokens.first(SESSION)).slice(PREFIX.length), 'base64url');
    const mixed = Buffer.concat([bytes.subarray(0, 48), other.subarray(48)]);
    expect(tokens.decode(PREFIX + mixed.toString('base64url'))).toBeNull();
  });

  it('another spelling of the same bytes', () => {
    const last = text.at(-1)!;
    const spellings = ALPHABET.split('')
      .filter((letter) => letter !== last)
      .map((letter) => text.slice(0, -1) + letter);
    const same = spellings.filter((spelling) => Buffer.from(spelling.slice(PREFIX.length), 'base64url').equals(bytes));
    expect(same).toHaveLength(15);
    for (const spelling of same) expect(tokens.decode(spelling)).toBeNull();
  });

  it.each([
    ['nothing', ''],
    ['the prefix alone', PREFIX],
    ['no prefix', text.slice(PREFIX.length)],
    ['another prefix', text.replace(PREFIX, 'PRT_')],
    ['a shorter token', text.slice(0, -1)],
    ['a longer token', `${text}A`],
    ['padding', `${text}==`],
    ['space around it', ` ${text}`],
    ['a newline behind it', `${text}\n`],
    ['letters of plain base64', PREFIX + bytes.toString('base64')],
    ['zeros', PREFIX + Buffer.alloc(64).toString('base64url')],
    ['a JSON Web Token', 'eyJhbGciOiJIUzI1NiJ9.e30.ZRrHA1JJJW8opsbCGfG_HACGpVUMN_a9IV7pAx_Zmeo'],
    ['100 KB', PREFIX + 'A'.repeat(100_000)],
    ['what is no text of ours', `${PREFIX}${'\0é🌱'.repeat(30)}`],
  ])('%s', (_what, foreign) => {
    expect(tokens.decode(foreign)).toBeNull();
  });
});
