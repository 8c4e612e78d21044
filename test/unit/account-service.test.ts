import { describe, expect, it, vi } from 'vitest';
import type { Viewer } from '../../src/auth/viewer.ts';
import { createAccountService } from '../../src/features/accounts/account-service.ts';
import type { AccountServiceOptions } from '../../src/features/accounts/account-service.ts';
import { deferred } from '../support/wait.ts';

const viewer = (userId: string): Viewer => ({ userId, sessionId: `of ${userId}`, expiresAt: Infinity });

function setUp() {
  const departing = deferred();
  const departEverywhere = vi.fn<(userId: string) => Promise<void>>(() => departing.promise);
  const accounts = createAccountService({
    prisma: { $transaction: (work: (db: object) => unknown) => work({}) },
    users: { markLeaving: async () => true, lock: async () => true, delete: async () => {} },
    sessions: { assertPassword: async () => {}, endAll: async () => 1, accountDeleted() {} },
    chats: { departEverywhere, isAnywhere: async () => false },
    messages: { unlinkAuthor: async () => {} },
  } as unknown as AccountServiceOptions);
  return { accounts, departing, departEverywhere };
}

describe('the deletion of an account', () => {
  it('is one, however often it is asked for at a time', async () => {
    const { accounts, departing, departEverywhere } = setUp();
    const attempts = ['ann', 'ann', 'bob', 'ann'].map((userId) => accounts.delete(viewer(userId), ''));
    departing.resolve();
    await Promise.all(attempts);
    expect(departEverywhere.mock.calls).toEqual([['ann'], ['bob']]);
  });

  it('that failed may be asked for again', async () => {
    const { accounts, departing, departEverywhere } = setUp();
    departEverywhere.mockRejectedValueOnce(new Error('the database is away'));
    await expect(accounts.delete(viewer('ann'), '')).rejects.toThrow('away');
    departing.resolve();
    await accounts.delete(viewer('ann'), '');
    expect(departEverywhere).toHaveBeenCalledTimes(2);
  });
});
