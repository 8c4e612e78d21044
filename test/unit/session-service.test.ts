import { expect, it, vi } from 'vitest';
import { RateLimitedError } from '../../src/errors.ts';
import { createSessionService } from '../../src/features/sessions/session-service.ts';
import type { SessionServiceOptions } from '../../src/features/sessions/session-service.ts';
import { UNLIMITED } from '../../src/rate-limits/rate-limits.ts';

const CLIENT = { address: '192.0.2.1', userAgent: null };
const VIEWER = { userId: 'ann', sessionId: 'phone', expiresAt: Infinity };

const refuse = () => Promise.reject(new RateLimitedError(60));

function setUp() {
  const work = vi.fn<() => Promise<null>>(async () => null);
  const sessions = createSessionService({
    users: { findByEmail: work, get: async () => ({ passwordHash: 'hash' }) },
    passwords: { verify: work, hash: work },
    store: { rotate: work, findLive: work },
    refreshTokens: { decode: () => ({ sessionId: 'phone', secret: Buffer.alloc(32) }), hash: work, successor: work },
    rateLimits: { ...UNLIMITED, guessLogin: refuse, guessAgain: refuse, countRefresh: refuse },
  } as unknown as SessionServiceOptions);
  return { sessions, work };
}

/** An attempt that is refused costs nobody a hash, or a statement. */
it.each([
  ['login', ({ sessions }) => sessions.login({ email: 'ann@example.test', password: 'violet harbour' }, CLIENT)],
  ['refresh', ({ sessions }) => sessions.refresh('prt_')],
  ['changePassword', ({ sessions }) => sessions.changePassword(VIEWER, 'violet harbour', 'copper lantern')],
  ['assertPassword', ({ sessions }) => sessions.assertPassword(VIEWER, 'password', 'violet harbour')],
] satisfies Array<[string, (place: ReturnType<typeof setUp>) => Promise<unknown>]>)(
  '%s does nothing beyond the limit',
  async (_verb, attempt) => {
    const place = setUp();
    await expect(attempt(place)).rejects.toBeInstanceOf(RateLimitedError);
    expect(place.work).not.toHaveBeenCalled();
  },
);
