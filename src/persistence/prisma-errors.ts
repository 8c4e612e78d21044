/*
 * What a failed call of Prisma means. One failure has several shapes: with a P-code and the driver's error in `meta`
 * from a model; as P2010 from a raw query, whatever it was; and as a plain Error without any code when node-postgres
 * has no connection to give or loses one, and when PGlite is closed. So we look at every code on the way down.
 */

const UNIQUE = new Set(['P2002', '23505']);
const FOREIGN_KEY = new Set(['P2003', '23503']);

/** Prisma: not reachable, timed out, closed, no connection free, transaction not to be had or expired, write conflict. */
const UNAVAILABLE_PRISMA = ['P1001', 'P1002', 'P1008', 'P1017', 'P2024', 'P2028', 'P2034', 'P2037'];

/** The driver adapters' kinds that come without an SQLSTATE. */
const UNAVAILABLE_KINDS = ['DatabaseNotReachable', 'ConnectionClosed', 'SocketTimeout', 'TransactionAlreadyClosed'];

/** Node's network errors, which adapter-pg passes on when it does not know them. */
const UNAVAILABLE_NETWORK = [
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
];

const UNAVAILABLE = new Set([...UNAVAILABLE_PRISMA, ...UNAVAILABLE_KINDS, ...UNAVAILABLE_NETWORK]);

/**
 * Connection lost; a standby, after a failover; idle too long in a transaction; serialization failure and deadlock;
 * disk full and other resources at an end; lock timeout; statement timeout; shutting down, crashed, starting.
 */
const UNAVAILABLE_SQLSTATE = /^(08...|25006|25P03|40001|40P01|53...|55P03|57014|57P0[1-5])$/;

const UNAVAILABLE_MESSAGE = new RegExp(
  [
    'timeout exceeded when trying to connect',
    'connection terminated',
    'query read timeout',
    'is not queryable',
    'cannot use a pool after calling end',
    'pglite is clos(ed|ing)',
  ].join('|'),
  'i',
);

export function isUniqueViolation(error: unknown): boolean {
  return layersOf(error).some(({ codes }) => codes.some((code) => UNIQUE.has(code)));
}

export function isForeignKeyViolation(error: unknown): boolean {
  return layersOf(error).some(({ codes }) => codes.some((code) => FOREIGN_KEY.has(code)));
}

/** The statement was undone for what it would have written: a value that cannot be kept, or a broken constraint. */
export function isDataRefused(error: unknown): boolean {
  return layersOf(error).some(({ codes }) => codes.some((code) => /^2[23]...$/.test(code)));
}

/** Somebody else held a row for longer than this session's `lock_timeout`. */
export function isLockTimeout(error: unknown): boolean {
  return layersOf(error).some(({ codes }) => codes.includes('55P03'));
}

/** The statement was ended from outside, or by its `statement_timeout`: the code is the same. */
export function isStatementCancelled(error: unknown): boolean {
  return layersOf(error).some(({ codes }) => codes.includes('57014'));
}

/**
 * The database could not do it now, and may in a moment: try again later. Whether a commit that failed so took place
 * is not known.
 */
export function isUnavailable(error: unknown): boolean {
  return layersOf(error).some(({ codes, message }) =>
    codes.length > 0
      ? codes.some((code) => UNAVAILABLE.has(code) || UNAVAILABLE_SQLSTATE.test(code))
      : UNAVAILABLE_MESSAGE.test(message),
  );
}

interface Layer {
  codes: string[];
  message: string;
}

/** The error, and what it wraps. */
function layersOf(error: unknown, depth = 0): Layer[] {
  if (typeof error !== 'object' || error === null || depth > 5) return [];
  const { code, originalCode, kind, message, cause, meta, errors } = error as Record<string, unknown>;
  const codes = [code, originalCode, kind].filter((value) => typeof value === 'string');
  const inner = [cause, (meta as Record<string, unknown> | undefined)?.driverAdapterError];
  if (Array.isArray(errors)) inner.push(...(errors as unknown[]));
  return [{ codes, message: String(message) }, ...inner.flatMap((wrapped) => layersOf(wrapped, depth + 1))];
}
