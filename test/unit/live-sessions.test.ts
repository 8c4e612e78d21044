import { describe, expect, it, vi } from 'vitest';
import type { AccessTokens } from '../../src/auth/access-tokens.ts';
import { createLiveSessions } from '../../src/features/sessions/live-sessions.ts';
import type { SessionStore } from '../../src/features/sessions/session-store.ts';

describe('the sessions that live', () => {
  it('asks and writes once for all who come with a new token at the same moment', async () => {
    const store = {
      findLiveStates: vi.fn<SessionStore['findLiveStates']>(async (ids) =>
        ids.map((id) => ({ id, userId: 'ann', confirmedGeneration: 1 })),
      ),
      confirm: vi.fn<SessionStore['confirm']>(async () => {}),
    };
    const claims = { userId: 'ann', sessionId: 'phone', generation: 2, expiresAt: Infinity };
    const accessTokens = { recall: () => null, verify: async () => claims };
    const sessions = createLiveSessions(store as unknown as SessionStore, accessTokens as unknown as AccessTokens);
    const viewers = await Promise.all(Array.from({ length: 50 }, () => sessions.authenticate('token')));
    expect(viewers).toHaveLength(50);
    await sessions.authenticate('token');
    expect(store.findLiveStates).toHaveBeenCalledTimes(1);
    expect(store.confirm.mock.calls).toEqual([['phone', 2]]);
  });

  it('writes again when it could not', async () => {
    const confirm = vi
      .fn<SessionStore['confirm']>(async () => {})
      .mockRejectedValueOnce(new Error('the database is away'));
    const store = { findLiveStates: async () => [{ id: 'phone', userId: 'ann', confirmedGeneration: 1 }], confirm };
    const claims = { userId: 'ann', sessionId: 'phone', generation: 2, expiresAt: Infinity };
    const accessTokens = { recall: () => null, verify: async () => claims };
    const sessions = createLiveSessions(store as unknown as SessionStore, accessTokens as unknown as AccessTokens);
    await expect(sessions.authenticate('token')).rejects.toThrow('the database is away');
    await expect(sessions.authenticate('token')).resolves.toMatchObject({ userId: 'ann' });
    expect(confirm).toHaveBeenCalledTimes(2);
  });
});
