import type { Viewer } from '../../auth/viewer.ts';
import type { PrismaClient } from '../../generated/prisma/client.ts';
import { inTransaction } from '../../persistence/transaction.ts';
import type { ChatService } from '../chats/chat-service.ts';
import type { ProviderService } from '../sessions/provider-service.ts';
import type { SessionService } from '../sessions/session-service.ts';
import type { UserService } from '../users/user-service.ts';

export interface AccountServiceOptions {
  prisma: PrismaClient;
  users: UserService;
  sessions: SessionService;
  providers: ProviderService;
  chats: ChatService;
}

/** Somebody in hundreds of chats takes a while to leave them all. */
const TIMEOUT_MS = 20_000;

export type AccountService = ReturnType<typeof createAccountService>;

/** What concerns a person's whole account, in every feature. */
export function createAccountService({ prisma, users, sessions, providers, chats }: AccountServiceOptions) {
  /** With its sessions and memberships. Messages stay, without an author. */
  async function remove(viewer: Viewer): Promise<void> {
    const ended = (await sessions.list(viewer)).map((session) => session.id);
    await inTransaction(
      prisma,
      async (tx) => {
        await chats.departEverywhere(tx, viewer.userId);
        await users.delete(viewer.userId, tx);
      },
      { timeout: TIMEOUT_MS },
    );
    sessions.accountDeleted(viewer.userId, ended);
  }

  return {
    /** @throws AppError INVALID_CREDENTIALS when the password is not the viewer's. */
    async delete(viewer: Viewer, password: string): Promise<void> {
      await sessions.assertPassword(viewer, 'password', password);
      await remove(viewer);
    },

    /** @throws AppError INVALID_CREDENTIALS unless the provider's token was issued to the viewer, and just now. */
    async deleteWithProvider(viewer: Viewer, idToken: string): Promise<void> {
      await providers.assertIdentity(viewer, idToken);
      await remove(viewer);
    },
  };
}
