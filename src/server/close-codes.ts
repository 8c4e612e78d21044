/**
 * Every way in which a WebSocket is closed by the server. The stock graphql-ws client takes 4400, 4401, 4406, 4409 and
 * 4429 as final and comes back after the others. 4500 is never used: it would be final for what may be a passing fault.
 */
export const CLOSE = {
  /** 1003: text only. */
  binary: [1003, 'Text only'],
  /** 1008: pings or subscribes beyond all use. */
  flood: [1008, 'Too many messages'],
  /** 1012: the node goes away; another is there. */
  restarting: [1012, 'Restarting'],
  /** 1013: come back later. */
  overloaded: [1013, 'Too slow or too many'],
  malformed: [4400, 'Malformed message'],
  sessionRevoked: [4401, 'Session revoked'],
  /** Get a fresh token, then come back. */
  badToken: [4403, 'Bad token'],
  tokenExpired: [4403, 'Token expired'],
  /** The operation that has this id goes on. */
  duplicateId: [4409, 'Id in use'],
} as const satisfies Record<string, readonly [code: number, reason: string]>;

export type Close = (typeof CLOSE)[keyof typeof CLOSE];
