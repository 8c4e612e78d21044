import { expect, it, vi } from 'vitest';
import type { Passwords } from '../../src/auth/passwords.ts';
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
  ['changePassword', ({ sessions }) => sessions.changePassword(VIEWER, 'violet harbour', 'copper lantern', false)],
  ['assertPassword', ({ sessions }) => sessions.assertPassword(VIEWER, 'password', 'violet harbour')],
] satisfies Array<[string, (place: ReturnType<typeof setUp>) => Promise<unknown>]>)(
  '%s does nothing beyond the limit',
  async (_verb, attempt) => {
    const place = setUp();
    await expect(attempt(place)).rejects.toBeInstanceOf(RateLimitedError);
    expect(place.work).not.toHaveBeenCalled();
  },
);

/** An account that signs in elsewhere is not told from one that is not there, by the clock. */
it.each([
  ['nobody', null],
  ['somebody without a password', { id: 'ann', passwordHash: null }],
])('login of %s takes as long as a wrong password', async (_who, user) => {
  const verify = vi.fn<Passwords['verify']>(async () => false);
  const sessions = createSessionService({
    users: { findByEmail: async () => user },
    passwords: { verify },
    rateLimits: UNLIMITED,
  } as unknown as SessionServiceOptions);
  const attempt = sessions.login({ email: 'ann@example.test', password: 'violet harbour' }, CLIENT);
  await expect(attempt).rejects.toMatchObject({ code: 'INVALID_CREDENTIALS' });
  expect(verify.mock.calls).toEqual([[null, 'violet harbour']]);
});
