/** What suits phones by default, and tests make shorter. Times are milliseconds. */
export interface Tuning {
  /** A request, its answer's body included. */
  requestMs: number;
  /** Between pings on a quiet socket. */
  pingEveryMs: number;
  /** A ping that is not answered in time, by anything: the socket is dead. */
  pongMs: number;
  /** The same for the ping that a kick sends. An attempt to connect that is older when a kick comes is given up. */
  probeMs: number;
  /** From an attempt to connect to its acknowledgement. */
  connectMs: number;
  /** The first and the longest wait between attempts of anything. */
  retryBaseMs: number;
  retryCapMs: number;
  /** How long marks of having read are gathered. */
  readMarkMs: number;
  /**
   * Further behind than so many messages or changes, a chat starts anew at its newest page: a phone that was away for a
   * week should not fetch thousands of messages to show the last ten.
   */
  farBehind: number;
  /** A chat's list is cut to its newest so many once it is twice as long, while its reader is at the newest end. */
  keptMessages: number;
}

export const DEFAULT_TUNING: Tuning = {
  requestMs: 20_000,
  pingEveryMs: 10_000,
  pongMs: 5_000,
  probeMs: 3_000,
  connectMs: 10_000,
  retryBaseMs: 250,
  retryCapMs: 15_000,
  readMarkMs: 300,
  farBehind: 500,
  keptMessages: 200,
};
