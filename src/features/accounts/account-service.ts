import type { Viewer } from '../../auth/viewer.ts';
import type { PrismaClient } from '../../generated/prisma/client.ts';
import { inTransaction } from '../../persistence/transaction.ts';
import type { ChatService } from '../chats/chat-service.ts';
import type { MessageService } from '../messages/message-service.ts';
import type { ProviderService } from '../sessions/provider-service.ts';
import { wrongPassword } from '../sessions/session-service.ts';
import type { SessionService } from '../sessions/session-service.ts';
import type { UserService } from '../users/user-service.ts';

export interface AccountServiceOptions {
  prisma: PrismaClient;
  users: UserService;
  sessions: SessionService;
  providers: ProviderService;
  chats: ChatService;
  messages: Pick<MessageService, 'unlinkAuthor'>;
}

/** Whoever signs in to the account, or lets it into a chat, has the row first. */
const TIMEOUT_MS = 20_000;

/** A deletion that has not come to its end by then: its process died, or the database was away. */
const CUT_OFF_AFTER_MS = 10 * 60_000;

export type AccountService = ReturnType<typeof createAccountService>;

/** What concerns a person's whole account, in every feature. */
export function createAccountService({ prisma, users, sessions, providers, chats, messages }: AccountServiceOptions) {
  /** By user. */
  const underWay = new Map<string, Promise<void>>();

  /**
   * Removes the account's sessions, its memberships, itself from what it wrote, and last its row. Messages
   * stay, without an author.
   *
   * What is done stays done when it fails, or the process dies: then somebody is left who is signed out, in fewer chats,
   * and brought into none. They may sign in and delete the account again, which goes on from there; if they do not,
   * `finishAll` does. Attempts that meet on a node are one.
   */
  async function remove(userId: string, passwordHash: string | null): Promise<void> {
    const sessionsEnded = await begin(userId, passwordHash);
    let attempt = underWay.get(userId);
    if (!attempt) {
      attempt = removeAll(userId, sessionsEnded).finally(() => underWay.delete(userId));
      underWay.set(userId, attempt);
    }
    await attempt;
  }

  /**
   * First, so that to its owner the account is gone at once, and they do not join or make what is being left. Nobody else
   * lets them in any more either, so that the rounds of the removal come to an end. Answers how many sessions ended.
   */
  function begin(userId: string, passwordHash: string | null): Promise<number> {
    return inTransaction(prisma, async (tx) => {
      // Changed while it was looked at: whoever has the old one does not delete what the owner has just kept.
      if (!(await users.markLeaving(userId, passwordHash, tx)) && passwordHash !== null)
        throw wrongPassword('password');
      return sessions.endAll(userId, tx);
    });
  }

  async function removeAll(userId: string, endedBefore: number): Promise<void> {
    let sessionsEnded = endedBefore;
    for (;;) {
      await chats.departEverywhere(userId);
      await messages.unlinkAuthor(userId);
      const outcome = await removeRow(userId);
      if (outcome === 'gone already') return;
      if (outcome === 'in a chat again') continue;
      sessionsEnded += outcome.sessionsEnded;
      return sessions.accountDeleted(userId, sessionsEnded);
    }
  }

  function removeRow(userId: string): Promise<{ sessionsEnded: number } | 'gone already' | 'in a chat again'> {
    return inTransaction(
      prisma,
      async (tx) => {
        if (!(await users.lock(userId, tx))) return 'gone already';
        // Who had begun to add them before the mark was there has done so. The chats come before the person, so not in
        // this transaction.
        if (await chats.isAnywhere(tx, userId)) return 'in a chat again';
        const sessionsEnded = await sessions.endAll(userId, tx);
        await users.delete(userId, tx);
        return { sessionsEnded };
      },
      { timeout: TIMEOUT_MS },
    );
  }

  return {
    /** @throws AppError INVALID_CREDENTIALS when the password is not the viewer's. */
    async delete(viewer: Viewer, password: string): Promise<void> {
      await remove(viewer.userId, await sessions.assertPassword(viewer, 'password', password));
    },

    /** @throws AppError INVALID_CREDENTIALS unless the provider's token was issued to the viewer, and just now. */
    async deleteWithProvider(viewer: Viewer, idToken: string): Promise<void> {
      await providers.assertIdentity(viewer, idToken);
      await remove(viewer.userId, null);
    },

    /** Goes on with the deletions that were cut off. */
    async finishAll(): Promise<void> {
      for (const userId of await users.findLeaving(CUT_OFF_AFTER_MS)) await remove(userId, null);
    },
  };
}
