import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RateLimitedError } from '../../src/errors.ts';
import { MAX_KEYS } from '../../src/rate-limits/memory-counters.ts';
import { createRateLimits } from '../../src/rate-limits/rate-limits.ts';
import type { RateLimits } from '../../src/rate-limits/rate-limits.ts';

const MINUTE = 60_000;
const DAY = 1_440 * MINUTE;
const ANN = 'ann@example.test';
const HOME = '192.0.2.1';

let limits: RateLimits;
let lines: Array<Record<string, unknown>>;
beforeEach(() => {
  vi.useFakeTimers();
  lines = [];
  const logger = pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  limits = createRateLimits({
    redis: undefined,
    prefix: 'test:',
    writing: { messages: 5, bytes: 1_000 },
    secret: new Uint8Array(32),
    connections: { all: 5, ofAddress: 3 },
    logger,
  });
});
afterEach(() => void vi.useRealTimers());

const wrong = async () => null;
const right = async () => 'Ann';

/** The seconds to wait; null: it was not refused. */
async function retryAfterOf(attempt: Promise<unknown>): Promise<number | null> {
  try {
    await attempt;
    return null;
  } catch (error) {
    if (!(error instanceof RateLimitedError)) throw error;
    return error.extensions['retryAfter'] as number;
  }
}

async function guessWrong(
  times: number,
  { email = ANN, from = () => HOME }: { email?: string; from?: (n: number) => string } = {},
) {
  for (let n = 0; n < times; n += 1) expect(await limits.guessLogin(email, from(n), wrong)).toBeNull();
}

const elsewhere = (n: number) => `198.51.100.${n}`;

describe('a login', () => {
  it('is refused after ten wrong passwords from one address, until 15 minutes after the first', async () => {
    await guessWrong(1);
    vi.advanceTimersByTime(4 * MINUTE);
    await guessWrong(9);
    for (let n = 0; n < 3; n += 1) {
      expect(await retryAfterOf(limits.guessLogin(ANN, HOME, right))).toBe(11 * 60 - n);
      vi.advanceTimersByTime(1_000);
    }
    // Part of a second is told as a whole one: who waits as long as that is let in.
    vi.advanceTimersByTime(11 * MINUTE - 4_500);
    expect(await retryAfterOf(limits.guessLogin(ANN, HOME, right))).toBe(2);
    vi.advanceTimersByTime(1_500);
    expect(await limits.guessLogin(ANN, HOME, right)).toBe('Ann');
  });

  it('that is refused is not even checked', async () => {
    await guessWrong(10);
    const check = vi.fn<() => Promise<string>>(right);
    expect(await retryAfterOf(limits.guessLogin(ANN, HOME, check))).not.toBeNull();
    expect(check).not.toHaveBeenCalled();
  });

  it('is told of once in a window, without e-mail and address', async () => {
    for (let window = 1; window <= 2; window += 1) {
      await guessWrong(10);
      for (let n = 0; n < 5; n += 1) await retryAfterOf(limits.guessLogin(ANN, HOME, wrong));
      expect(lines).toHaveLength(window);
      expect(lines.at(-1)).toMatchObject({
        event: 'security.rate_limited',
        operation: 'login',
        by: 'pair',
        retryAfter: 900,
      });
      vi.advanceTimersByTime(15 * MINUTE);
    }
    expect(lines[0]!['account']).toBe(lines[1]!['account']);
    expect(JSON.stringify(lines)).not.toMatch(/ann|192\.0/);
  });

  it('that is right costs a fifth, and gives nothing else back', async () => {
    for (let n = 0; n < 46; n += 1) expect(await limits.guessLogin(ANN, HOME, right)).toBe('Ann');
    expect(await retryAfterOf(limits.guessLogin(ANN, HOME, right))).not.toBeNull();

    await guessWrong(5, { from: () => elsewhere(1) });
    for (let n = 0; n < 20; n += 1) await limits.guessLogin(ANN, elsewhere(1), right);
    await guessWrong(1, { from: () => elsewhere(1) });
    expect(await retryAfterOf(limits.guessLogin(ANN, elsewhere(1), wrong))).not.toBeNull();
  });

  it('that could not be checked costs nothing', async () => {
    const broken = () => Promise.reject(new Error('the database is away'));
    for (let n = 0; n < 100; n += 1) {
      await limits.countAddress('login', HOME, 1);
      await expect(limits.guessLogin(ANN, HOME, broken)).rejects.toThrow('away');
    }
    await limits.countAddress('login', HOME, 1);
    await guessWrong(10);
  });

  it('is refused after 20 wrong passwords from wherever, but not where the right one was given of late', async () => {
    await limits.guessLogin(ANN, HOME, right);
    vi.advanceTimersByTime(13 * DAY);
    await guessWrong(20, { from: elsewhere });
    expect(await retryAfterOf(limits.guessLogin(ANN, elsewhere(99), right))).toBe(900);
    expect(await limits.guessLogin(ANN, HOME, right)).toBe('Ann');
    // Nor does it use up what others have left.
    vi.advanceTimersByTime(15 * MINUTE);
    await guessWrong(5);
    await guessWrong(20, { from: elsewhere });
    // Only so long, and only who was right.
    vi.advanceTimersByTime(14 * DAY + MINUTE);
    await guessWrong(20, { from: elsewhere });
    expect(await retryAfterOf(limits.guessLogin(ANN, HOME, right))).toBe(900);
    expect(await retryAfterOf(limits.guessLogin(ANN, elsewhere(1), right))).toBe(900);
  });

  it('of somebody else is another matter', async () => {
    await guessWrong(10);
    expect(await limits.guessLogin('bob@example.test', HOME, right)).toBe('Ann');
  });
});

describe('an address', () => {
  it.each([
    ['login', 100, 15 * MINUTE],
    ['register', 30, 60 * MINUTE],
    ['refresh', 600, MINUTE],
    ['search', 600, MINUTE],
  ] as const)('may %s %d times, all aliases counted, until its window ends', async (operation, times, windowMs) => {
    await limits.countAddress(operation, HOME, times - 10);
    for (let n = 0; n < 10; n += 1) await limits.countAddress(operation, HOME, 1);
    expect(await retryAfterOf(limits.countAddress(operation, HOME, 1))).toBe(windowMs / 1000);
    expect(await retryAfterOf(limits.countAddress(operation, elsewhere(1), 1))).toBeNull();
    vi.advanceTimersByTime(windowMs);
    expect(await retryAfterOf(limits.countAddress(operation, HOME, times))).toBeNull();
    expect(lines).toEqual([expect.objectContaining({ event: 'security.rate_limited', operation, by: 'address' })]);
  });
});

describe('addresses and e-mails without end', () => {
  it('are not all kept: the oldest make way', async () => {
    await limits.countAddress('refresh', HOME, 600);
    expect(await retryAfterOf(limits.countAddress('refresh', HOME, 1))).toBe(60);
    for (let n = 0; n < MAX_KEYS; n += 1) await limits.countAddress('refresh', `2001:db8:0:${n.toString(16)}::/64`, 1);
    expect(await retryAfterOf(limits.countAddress('refresh', HOME, 1))).toBeNull();
  });

  it('push nobody out as long as nothing came of them', async () => {
    const busy = () => Promise.reject(new Error('too many wait'));
    await guessWrong(10);
    for (let n = 0; n < MAX_KEYS; n += 1)
      await limits.guessLogin(`nobody-${n}@example.test`, elsewhere(1), busy).catch(() => {});
    expect(await retryAfterOf(limits.guessLogin(ANN, HOME, right))).toBe(900);
  }, 60_000);
});

describe('somebody signed in', () => {
  it('shows ten wrong passwords in 15 minutes, for each session', async () => {
    for (let n = 0; n < 10; n += 1) await limits.guessAgain('session 1', wrong);
    expect(await retryAfterOf(limits.guessAgain('session 1', right))).toBe(900);
    expect(await limits.guessAgain('session 2', right)).toBe('Ann');
    vi.advanceTimersByTime(15 * MINUTE);
    for (let n = 0; n < 40; n += 1) expect(await limits.guessAgain('session 1', right)).toBe('Ann');
  });

  it('refreshes one session 120 times in a minute, and searches 30 times in ten', async () => {
    for (let n = 0; n < 120; n += 1) await limits.countRefresh('session 1');
    expect(await retryAfterOf(limits.countRefresh('session 1'))).toBe(60);
    for (let n = 0; n < 30; n += 1) await limits.countSearch('ann');
    expect(await retryAfterOf(limits.countSearch('ann'))).toBe(10);
    expect(await retryAfterOf(limits.countRefresh('session 2'))).toBeNull();
    expect(await retryAfterOf(limits.countSearch('bob'))).toBeNull();
  });
});

describe('what stands on one node', () => {
  it.each([
    ['userOperations', 150, 'account', 'execute'],
    ['sessionOperations', 100, 'session', 'execute'],
    ['userSubscriptions', 200, 'account', 'subscribe'],
    ['addressOperations', 200, 'address', 'execute'],
    ['userConnections', 50, 'account', 'connect'],
    ['addressSockets', 1_000, 'address', 'connect'],
    ['addressConnections', 3, 'address', 'connect'],
  ] as const)('%s: %d, and one more for each that is gone', (places, max, by, operation) => {
    for (let n = 0; n < max; n += 1) expect(limits[places].take('one')).toBe(true);
    for (let n = 0; n < 3; n += 1) expect(limits[places].take('one')).toBe(false);
    expect(limits[places].take('another')).toBe(true);
    expect(lines).toEqual([expect.objectContaining({ event: 'security.rate_limited', operation, by })]);
    limits[places].giveBack('one');
    expect(limits[places].take('one')).toBe(true);
    expect(limits[places].take('one')).toBe(false);
    // Who comes and goes at the limit does not fill the log.
    expect(lines).toHaveLength(1);
    for (let n = 0; n < max; n += 1) limits[places].giveBack('one');
    for (let n = 0; n < max; n += 1) expect(limits[places].take('one')).toBe(true);
  });
});

describe('a token of a provider that is away', () => {
  it('costs its address a point, as one that is right does', async () => {
    const away = async () => {
      throw new Error('away');
    };
    const attempt = async (check: () => Promise<string>) => {
      await limits.countAddress('login', HOME, 1);
      await limits.guessProviderToken(HOME, check);
    };
    for (let n = 0; n < 248; n += 1) {
      await expect(attempt(away)).rejects.toThrow('away');
      await attempt(right);
    }
    expect(await retryAfterOf(attempt(right))).toBe(900);
    vi.advanceTimersByTime(15 * MINUTE);
    await attempt(right);
  });
});

describe('a group', () => {
  it('is given 5,000 people in an hour by one person, a thousand at a time or not', async () => {
    for (let n = 0; n < 4; n += 1) await limits.countAdded('ann', 1_000);
    for (let n = 0; n < 1_000; n += 1) await limits.countAdded('ann', 1);
    expect(await retryAfterOf(limits.countAdded('ann', 1))).toBe(3_600);
    expect(await retryAfterOf(limits.countAdded('bob', 1_000))).toBeNull();
    vi.advanceTimersByTime(60 * MINUTE);
    expect(await retryAfterOf(limits.countAdded('ann', 1_000))).toBeNull();
  });

  it('is made 300 times in an hour by one person', async () => {
    for (let n = 0; n < 300; n += 1) await limits.countGroup('ann');
    expect(await retryAfterOf(limits.countGroup('ann'))).toBe(3_600);
    expect(await retryAfterOf(limits.countGroup('bob'))).toBeNull();
    vi.advanceTimersByTime(60 * MINUTE);
    expect(await retryAfterOf(limits.countGroup('ann'))).toBeNull();
  });
});

describe('writing', () => {
  it('is limited by messages and by bytes, until a minute after the first, and told of once', async () => {
    for (let n = 0; n < 5; n += 1) expect(await retryAfterOf(limits.countWriting('ann', 10))).toBeNull();
    vi.advanceTimersByTime(20_000);
    for (let n = 0; n < 3; n += 1) expect(await retryAfterOf(limits.countWriting('ann', 10))).toBe(40);
    expect(await retryAfterOf(limits.countWriting('bob', 1_000))).toBeNull();
    expect(await retryAfterOf(limits.countWriting('bob', 1))).toBe(60);
    expect(lines).toEqual([
      expect.objectContaining({ event: 'security.rate_limited', operation: 'write', by: 'account', retryAfter: 40 }),
      expect.objectContaining({ event: 'security.rate_limited', operation: 'write', by: 'account', retryAfter: 60 }),
    ]);
    expect(JSON.stringify(lines)).not.toContain('ann');
    vi.advanceTimersByTime(40_000);
    expect(await retryAfterOf(limits.countWriting('ann', 10))).toBeNull();
  });

  it('is, of ten messages that are written anew, that of one; what is done is not refused, the next is', async () => {
    await limits.countRewritten('ann', 40);
    expect(await retryAfterOf(limits.countWriting('ann', 0))).toBeNull();
    await limits.countRewritten('ann', 1_000);
    await limits.countRewritten('ann', 1_000);
    expect(await retryAfterOf(limits.countWriting('ann', 0))).toBe(60);
    expect(lines).toEqual([
      expect.objectContaining({ event: 'security.rate_limited', operation: 'write', by: 'account', retryAfter: 60 }),
    ]);
  });
});
