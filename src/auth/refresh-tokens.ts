import { createHash, createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto';

/** What a presented refresh token says once its tag has been checked. */
export interface RefreshToken {
  sessionId: string;
  /** 32 bytes. */
  secret: Buffer;
  /** The keys that it was written with, and that its successor follows from. */
  keys: RefreshKeys;
}

export interface RefreshTokens {
  /** The first token of a new session. */
  first(sessionId: string): RefreshToken;
  /**
   * The token after this one: always the same, on every node, so that a client whose reply was lost, or that asked
   * twice, is given the same successor, though only hashes are stored.
   */
  successor(token: RefreshToken): RefreshToken;
  encode(token: RefreshToken): string;
  /** Null when the text was not written by us. */
  decode(text: string): RefreshToken | null;
  /** What is stored: SHA-256 of the secret. */
  hash(token: RefreshToken): Buffer;
}

interface RefreshKeys {
  tag: Buffer;
  chain: Buffer;
}

const PREFIX = 'prt_';
const ID_BYTES = 16;
const SECRET_BYTES = 32;
const TAG_BYTES = 16;

/**
 * A refresh token is `prt_` and base64url of session id (16 bytes), secret (32) and tag (16). The tag is what lets an
 * old token be told from a forged one: only a genuine old one may end a session as reused.
 *
 * @param formerSecret what tokens were written with until now. They still count, for whoever comes back with one; what
 * they are given in exchange is written with the secret.
 */
export function createRefreshTokens(secret: Uint8Array, formerSecret?: Uint8Array): RefreshTokens {
  const keys = deriveKeys(secret);
  const allKeys = formerSecret ? [keys, deriveKeys(formerSecret)] : [keys];
  return {
    first: (sessionId) => ({ sessionId, secret: randomBytes(SECRET_BYTES), keys }),
    successor: (token) => ({
      sessionId: token.sessionId,
      secret: createHmac('sha256', token.keys.chain).update(token.secret).digest(),
      keys,
    }),
    encode(token) {
      const content = Buffer.concat([Buffer.from(token.sessionId.replaceAll('-', ''), 'hex'), token.secret]);
      return PREFIX + Buffer.concat([content, tagOf(content, token.keys)]).toString('base64url');
    },
    decode(text) {
      if (!text.startsWith(PREFIX)) return null;
      const bytes = Buffer.from(text.slice(PREFIX.length), 'base64url');
      if (bytes.length !== ID_BYTES + SECRET_BYTES + TAG_BYTES) return null;
      if (bytes.toString('base64url') !== text.slice(PREFIX.length)) return null;
      const content = bytes.subarray(0, ID_BYTES + SECRET_BYTES);
      const tag = bytes.subarray(ID_BYTES + SECRET_BYTES);
      const writtenWith = allKeys.find((candidate) => timingSafeEqual(tagOf(content, candidate), tag));
      if (!writtenWith) return null;
      const hex = content.toString('hex', 0, ID_BYTES);
      return {
        sessionId: hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'),
        secret: content.subarray(ID_BYTES),
        keys: writtenWith,
      };
    },
    hash: (token) => createHash('sha256').update(token.secret).digest(),
  };
}

function deriveKeys(secret: Uint8Array): RefreshKeys {
  const derive = (info: string) => Buffer.from(hkdfSync('sha256', secret, new Uint8Array(), info, 32));
  return { chain: derive('parley refresh successor'), tag: derive('parley refresh tag') };
}

function tagOf(content: Buffer, keys: RefreshKeys): Buffer {
  return createHmac('sha256', keys.tag).update(content).digest().subarray(0, TAG_BYTES);
}
