import { createHash, createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto';

/** What a presented refresh token says once its tag has been checked. */
export interface RefreshToken {
  sessionId: string;
  /** 32 bytes. */
  secret: Buffer;
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

const PREFIX = 'prt_';
const ID_BYTES = 16;
const SECRET_BYTES = 32;
const TAG_BYTES = 16;

/**
 * A refresh token is `prt_` and base64url of session id (16 bytes), secret (32) and tag (16). The tag is what lets an
 * old token be told from a forged one: only a genuine old one may end a session as reused.
 */
export function createRefreshTokens(secret: Uint8Array): RefreshTokens {
  const derive = (info: string) => Buffer.from(hkdfSync('sha256', secret, new Uint8Array(), info, 32));
  const chainKey = derive('parley refresh successor');
  const tagKey = derive('parley refresh tag');
  const tag = (content: Buffer) => createHmac('sha256', tagKey).update(content).digest().subarray(0, TAG_BYTES);
  return {
    first: (sessionId) => ({ sessionId, secret: randomBytes(SECRET_BYTES) }),
    successor: (token) => ({
      sessionId: token.sessionId,
      secret: createHmac('sha256', chainKey).update(token.secret).digest(),
    }),
    encode(token) {
      const content = Buffer.concat([Buffer.from(token.sessionId.replaceAll('-', ''), 'hex'), token.secret]);
      return PREFIX + Buffer.concat([content, tag(content)]).toString('base64url');
    },
    decode(text) {
      if (!text.startsWith(PREFIX)) return null;
      const bytes = Buffer.from(text.slice(PREFIX.length), 'base64url');
      if (bytes.length !== ID_BYTES + SECRET_BYTES + TAG_BYTES) return null;
      if (bytes.toString('base64url') !== text.slice(PREFIX.length)) return null;
      const content = bytes.subarray(0, ID_BYTES + SECRET_BYTES);
      if (!timingSafeEqual(tag(content), bytes.subarray(ID_BYTES + SECRET_BYTES))) return null;
      const hex = content.toString('hex', 0, ID_BYTES);
      return {
        sessionId: hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'),
        secret: content.subarray(ID_BYTES),
      };
    },
    hash: (token) => createHash('sha256').update(token.secret).digest(),
  };
}
