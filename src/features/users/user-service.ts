import type { ProviderClaims } from '../../auth/provider-tokens.ts';
import type { Cancellation } from '../../cancellation.ts';
import { BadUserInputError, ConflictError, NotFoundError } from '../../errors.ts';
import type { Viewer } from '../../auth/viewer.ts';
import { LIMITS, readEmail, readId, readLine, readText } from '../../input-rules.ts';
import type { Page, PageRequest } from '../../persistence/paging.ts';
import { isUniqueViolation } from '../../persistence/prisma-errors.ts';
import type { Db, Transaction } from '../../persistence/transaction.ts';
import type { RateLimits } from '../../rate-limits/rate-limits.ts';
import { cleanNames } from './claimed-names.ts';
import { nameWords } from './name-words.ts';
import type { Identity, LinkedIdentity, ReadOptions, UserRow, UserStore } from './user-store.ts';

export interface NewAccount {
  /** As `readEmail` answers it. */
  email: string;
  passwordHash: string;
  firstName: string;
  lastName: string;
}

export type UserService = ReturnType<typeof createUserService>;

export function createUserService(store: UserStore, rateLimits: Pick<RateLimits, 'countSearch' | 'countWriting'>) {
  return {
    /** Null when nobody has the id, or whoever has it is leaving. */
    async find(id: string, cancellation?: Cancellation): Promise<UserRow | null> {
      const user = await store.findById(readId('id', id), { cancellation });
      return user && isHere(user) ? user : null;
    },

    /** @throws NotFoundError unless each of the ids is of somebody who is not leaving: then they may be let into chats. */
    async assertHere(ids: readonly string[], db?: Db): Promise<void> {
      if ((await store.findByIds(ids, { db })).filter(isHere).length < ids.length) throw new NotFoundError();
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

    findByIdentity: (identity: Identity): Promise<UserRow | null> => store.findByIdentity(identity),

    /**
     * The account of somebody whom an identity provider vouches for: the one that has the identity, else a new one. One
     * that has the e-mail is somebody else's until they say otherwise, signed in.
     *
     * @param separate where there is such a one, the new one is made without an e-mail: whoever registered an address
     *   first does not keep its owner out.
     * @throws ConflictError when there is such a one, unless `separate`.
     */
    async findOrCreate(claims: ProviderClaims, separate: boolean): Promise<UserRow> {
      const { issuer, subject } = claims;
      const identity = { issuer, subject };
      const known = await store.findByIdentity(identity);
      if (known) return known;
      const names = cleanNames(claims);
      const words = nameWords(names.firstName, names.lastName);
      const email = emailOf(claims);
      for (const kept of separate ? [email, null] : [email])
        try {
          return await store.insert({ ...names, words, email: kept, passwordHash: null, identity });
        } catch (error) {
          if (!isUniqueViolation(error)) throw error;
          // Who came at the same time, from another device, was first.
          const first = await store.findByIdentity(identity);
          if (first) return first;
        }
      throw new ConflictError(
        'An account with this e-mail address stands already. Sign in there, and link the provider; or ask for a separate one.',
      );
    },

    /**
     * Answers whether it was not linked before; null when the password that was checked is not the account's any more.
     *
     * @throws ConflictError when it is somebody else's, or they have another one of the issuer.
     */
    async link(userId: string, passwordHash: string, { issuer, subject }: Identity): Promise<boolean | null> {
      try {
        return (await store.insertIdentity(userId, passwordHash, { issuer, subject })) || null;
      } catch (error) {
        if (!isUniqueViolation(error)) throw error;
        const owner = await store.findByIdentity({ issuer, subject });
        if (!owner)
          throw new ConflictError('This account is linked to another one of the provider. Unlink that first.');
        if (owner.id !== userId) throw new ConflictError('Another account is linked to this one of the provider.');
        return false;
      }
    },

    /** How somebody may sign in beside their password, the oldest first. */
    listIdentities: (userId: string, cancellation?: Cancellation): Promise<LinkedIdentity[]> =>
      store.listIdentities(userId, cancellation),

    /**
     * Removes all identities of an account that has a password. Answers how many there were; null when the password that
     * was checked is not the account's any more.
     */
    unlink: (userId: string, passwordHash: string, db?: Db): Promise<number | null> =>
      store.deleteIdentities(userId, passwordHash, db),

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
      await rateLimits.countWriting(viewer.userId, Buffer.byteLength(names.firstName + names.lastName));
      return store.updateNames(user.id, { ...names, words: nameWords(names.firstName, names.lastName) });
    },

    /** False when `from`, which was checked, is not the account's any more, or the account is on its way out. */
    changePasswordHash: (id: string, hashes: { from: string; to: string }, db: Db): Promise<boolean> =>
      store.updatePasswordHash(id, hashes, db),

    /**
     * From the commit on they are absent to whoever looks for them, or would let them into a chat. False when the account
     * is gone, or the password that was checked, if one was, is not its any more.
     */
    markLeaving: (id: string, passwordHash: string | null, tx: Transaction): Promise<boolean> =>
      store.markLeaving(id, passwordHash, tx.db),

    findLeaving: (forMs: number): Promise<string[]> => store.findLeaving(forMs),

    /**
     * Until the transaction ends nobody signs in to the account, and nobody lets it into a chat. False when it is gone.
     */
    lock: (id: string, tx: Transaction): Promise<boolean> => store.lock(id, tx.db),

    /** The account's row, with everything that is only theirs. Messages stay, without an author. */
    delete: (id: string, tx: Transaction) => store.delete(id, tx.db),
  };
}

function isHere({ leavingSince }: UserRow): boolean {
  return leavingSince === null;
}

/** Null: none that was verified, or none that is one. */
function emailOf({ email }: ProviderClaims): string | null {
  if (email === null) return null;
  try {
    return readEmail('email', email);
  } catch {
    return null;
  }
}

export function readNames(input: { firstName: string; lastName: string }) {
  return {
    firstName: readLine('input.firstName', input.firstName, LIMITS.name),
    lastName: readLine('input.lastName', input.lastName, LIMITS.name),
  };
}
