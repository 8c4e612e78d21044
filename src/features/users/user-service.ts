import type { Cancellation } from '../../cancellation.ts';
import { BadUserInputError, ConflictError, NotFoundError } from '../../errors.ts';
import type { Viewer } from '../../auth/viewer.ts';
import { LIMITS, readId, readLine, readText } from '../../input-rules.ts';
import type { Page, PageRequest } from '../../persistence/paging.ts';
import { isUniqueViolation } from '../../persistence/prisma-errors.ts';
import type { Db, Transaction } from '../../persistence/transaction.ts';
import type { RateLimits } from '../../rate-limits/rate-limits.ts';
import { nameWords } from './name-words.ts';
import type { ReadOptions, UserRow, UserStore } from './user-store.ts';

export interface NewAccount {
  /** As `readEmail` answers it. */
  email: string;
  passwordHash: string;
  firstName: string;
  lastName: string;
}

export type UserService = ReturnType<typeof createUserService>;

export function createUserService(store: UserStore, rateLimits: Pick<RateLimits, 'countSearch'>) {
  return {
    /** Null when nobody has the id. */
    async find(id: string, cancellation?: Cancellation): Promise<UserRow | null> {
      return store.findById(readId('id', id), { cancellation });
    },

    findMany: (ids: readonly string[], options?: ReadOptions): Promise<UserRow[]> => store.findByIds(ids, options),

    findByEmail: (email: string): Promise<UserRow | null> => store.findByEmail(email),

    /** @throws NotFoundError when the account is gone. */
    async get(id: string, db?: Db): Promise<UserRow> {
      const user = await store.findById(id, { db });
      if (!user) throw new NotFoundError();
      return user;
    },

    /** @throws ConflictError when the e-mail is taken. */
    async create(account: NewAccount): Promise<UserRow> {
      const names = readNames(account);
      try {
        return await store.insert({ ...account, ...names, words: nameWords(names.firstName, names.lastName) });
      } catch (error) {
        if (isUniqueViolation(error)) throw new ConflictError('This e-mail address has an account already.');
        throw error;
      }
    },

    /** Other people whose names begin with every given word, or whose e-mail is exactly the text. */
    async search(
      viewer: Viewer,
      text: string,
      page: PageRequest<string>,
      cancellation?: Cancellation,
    ): Promise<Page<UserRow>> {
      const search = readText('search', text, LIMITS.search);
      await rateLimits.countSearch(viewer.userId);
      const wanted = { except: viewer.userId, words: nameWords(search), email: search.trim().toLowerCase(), page };
      return store.search(wanted, cancellation);
    },

    async rename(viewer: Viewer, input: { firstName?: string | null; lastName?: string | null }): Promise<UserRow> {
      const user = await this.get(viewer.userId);
      for (const field of ['firstName', 'lastName'] as const)
        if (input[field] === null) throw new BadUserInputError(`input.${field}`, 'Must not be null.');
      const names = readNames({
        firstName: input.firstName ?? user.firstName,
        lastName: input.lastName ?? user.lastName,
      });
      return store.updateNames(user.id, { ...names, words: nameWords(names.firstName, names.lastName) });
    },

    changePasswordHash: (id: string, passwordHash: string, db: Db) => store.updatePasswordHash(id, passwordHash, db),

    /** The account's row, with everything that is only theirs. Messages stay, without an author. */
    delete: (id: string, tx: Transaction) => store.delete(id, tx.db),
  };
}

export function readNames(input: { firstName: string; lastName: string }) {
  return {
    firstName: readLine('input.firstName', input.firstName, LIMITS.name),
    lastName: readLine('input.lastName', input.lastName, LIMITS.name),
  };
}
