import type { Cancellation } from '../../cancellation.ts';
import { Prisma } from '../../generated/prisma/client.ts';
import type { PrismaClient, User } from '../../generated/prisma/client.ts';
import { toPage } from '../../persistence/paging.ts';
import type { Page, PageRequest } from '../../persistence/paging.ts';
import { queryWithin } from '../../persistence/query.ts';
import type { CancellableQuery } from '../../persistence/query.ts';
import type { Db } from '../../persistence/transaction.ts';

export type UserRow = User;

/**
 * What of somebody may be shown. Along with messages and chats only what people are known by is read: every column of
 * every row costs, and hardly anybody asks for more there.
 */
export interface UserProfile extends Pick<User, 'id' | 'firstName' | 'lastName' | 'avatarUrl'> {
  /** Undefined: not read along. */
  email?: string | null;
  createdAt?: Date;
}

/** Who somebody is to an identity provider: its `iss` and its `sub`. */
export interface Identity {
  issuer: string;
  subject: string;
}

/** What the owner is shown of it. */
export interface LinkedIdentity {
  issuer: string;
  linkedAt: Date;
}

/** How a read is made: as a part of an open transaction, or for as long as it is waited for. */
export interface ReadOptions {
  db?: Db | undefined;
  cancellation?: Cancellation | undefined;
}

export interface NewUser {
  email: string | null;
  passwordHash: string | null;
  firstName: string;
  lastName: string;
  /** What the person is found by. */
  words: string[];
  /** Kept in the same transaction. */
  identity?: Identity;
}

export interface UserSearch {
  /** Who does not appear. */
  except: string;
  /** A name must begin with each of these; none: nobody is found by name. */
  words: string[];
  email: string;
  /** Forward only; keys are user ids. */
  page: PageRequest<string>;
}

export type UserStore = ReturnType<typeof createUserStore>;

const USER = Prisma.sql`u.id, u.email, u.password_hash AS "passwordHash", u.first_name AS "firstName",
  u.last_name AS "lastName", u.avatar_url AS "avatarUrl", u.created_at AS "createdAt", u.last_seen_at AS "lastSeenAt",
  u.revision, u.leaving_since AS "leavingSince"`;

export function createUserStore(prisma: PrismaClient, query: CancellableQuery) {
  return {
    /** Raises a unique violation when the e-mail is taken, or the identity. */
    insert({ words, identity, ...user }: NewUser, db: Db = prisma): Promise<UserRow> {
      return db.user.create({
        data: {
          ...user,
          nameWords: { createMany: { data: words.map((word) => ({ word })) } },
          ...(identity && { identities: { create: identity } }),
        },
      });
    },

    findByIds(ids: readonly string[], { db, cancellation }: ReadOptions = {}): Promise<UserRow[]> {
      const ask = db ? queryWithin(db) : query.until(cancellation);
      return ask`SELECT ${USER} FROM app_user u WHERE u.id = ANY(${[...ids]}::uuid[])`;
    },

    async findById(id: string, options?: ReadOptions): Promise<UserRow | null> {
      return (await this.findByIds([id], options))[0] ?? null;
    },

    findByEmail(email: string): Promise<UserRow | null> {
      return prisma.user.findUnique({ where: { email } });
    },

    async findByIdentity({ issuer, subject }: Identity): Promise<UserRow | null> {
      const rows = await query<UserRow>`
        SELECT ${USER} FROM app_user_identity i JOIN app_user u ON u.id = i.user_id
        WHERE i.issuer = ${issuer} AND i.subject = ${subject}`;
      return rows[0] ?? null;
    },

    listIdentities(userId: string, cancellation?: Cancellation): Promise<LinkedIdentity[]> {
      return query.until(cancellation)`
        SELECT issuer, linked_at AS "linkedAt" FROM app_user_identity
        WHERE user_id = ${userId}::uuid ORDER BY linked_at, issuer`;
    },

    /** Answers how many there were; null when the account is gone, or its password is another by now than the given. */
    async deleteIdentities(userId: string, passwordHash: string, db: Db = prisma): Promise<number | null> {
      const [row] = await db.$queryRaw<[{ accounts: number; identities: number }]>`
        WITH account AS (
          SELECT id FROM app_user WHERE id = ${userId}::uuid AND password_hash = ${passwordHash} FOR SHARE
        ), deleted AS (
          DELETE FROM app_user_identity i USING account WHERE i.user_id = account.id RETURNING i.user_id
        )
        SELECT (SELECT count(*) FROM account)::int AS accounts, (SELECT count(*) FROM deleted)::int AS identities`;
      return row.accounts > 0 ? row.identities : null;
    },

    /**
     * False when the account is gone, or its password is another by now than the one that was checked. Raises a unique
     * violation when somebody has the identity, or the account another of the issuer.
     */
    async insertIdentity(userId: string, passwordHash: string, { issuer, subject }: Identity): Promise<boolean> {
      const inserted = await prisma.$executeRaw`
        WITH account AS (
          SELECT id FROM app_user WHERE id = ${userId}::uuid AND password_hash = ${passwordHash} FOR SHARE
        )
        INSERT INTO app_user_identity (issuer, subject, user_id) SELECT ${issuer}, ${subject}, account.id FROM account`;
      return inserted > 0;
    },

    /** By name, then id. Reads ranges of the word index, never the table. */
    async search({ except, words, email, page }: UserSearch, cancellation?: Cancellation): Promise<Page<UserRow>> {
      const byName = words.length > 0 ? matchNames(words) : Prisma.sql`SELECT NULL::uuid WHERE false`;
      const after = page.after
        ? Prisma.sql`AND (${SORT_NAME}, u.id) >
            (SELECT lower(a.first_name || ' ' || a.last_name), a.id FROM app_user a WHERE a.id = ${page.after}::uuid)`
        : Prisma.empty;
      const rows = await query.until(cancellation)<UserRow>`
        SELECT ${USER} FROM app_user u
        WHERE u.id IN (${byName} UNION SELECT e.id FROM app_user e WHERE e.email = ${email})
          AND u.id <> ${except}::uuid AND u.leaving_since IS NULL ${after}
        ORDER BY ${SORT_NAME}, u.id LIMIT ${page.limit + 1}`;
      return toPage(rows, page);
    },

    /** Rejects when the account is gone. */
    updateNames(id: string, names: { firstName: string; lastName: string; words: string[] }): Promise<UserRow> {
      const { words, ...data } = names;
      return prisma.user.update({
        where: { id },
        data: { ...data, nameWords: { deleteMany: {}, createMany: { data: words.map((word) => ({ word })) } } },
      });
    },

    /** False when the account is gone or leaving, or its password is another by now than the one that was checked. */
    async updatePasswordHash(id: string, hashes: { from: string; to: string }, db: Db = prisma): Promise<boolean> {
      const updated = await db.$executeRaw`
        UPDATE app_user SET password_hash = ${hashes.to}
        WHERE id = ${id}::uuid AND password_hash = ${hashes.from} AND leaving_since IS NULL`;
      return updated > 0;
    },

    /** Takes the row until the transaction ends, also from who only refers to it. False when it is gone. */
    async lock(id: string, db: Db): Promise<boolean> {
      const rows = await db.$queryRaw<unknown[]>`SELECT 1 FROM app_user WHERE id = ${id}::uuid FOR UPDATE`;
      return rows.length > 0;
    },

    /**
     * False when the account is gone, or its password is another by now than the one that was checked.
     *
     * @param passwordHash null: it was not by a password that somebody asked for it.
     */
    async markLeaving(id: string, passwordHash: string | null, db: Db): Promise<boolean> {
      const unchanged = passwordHash === null ? Prisma.empty : Prisma.sql`AND password_hash = ${passwordHash}`;
      const marked = await db.$executeRaw`
        UPDATE app_user SET leaving_since = coalesce(leaving_since, now()) WHERE id = ${id}::uuid ${unchanged}`;
      return marked > 0;
    },

    /** Whoever has been leaving for longer than so many ms. */
    async findLeaving(forMs: number): Promise<string[]> {
      const rows = await query<{ id: string }>`
        SELECT id FROM app_user WHERE leaving_since < now() - ${forMs}::float8 * interval '1 millisecond'
        ORDER BY id`;
      return rows.map((row) => row.id);
    },

    async delete(id: string, db: Db): Promise<void> {
      await db.user.deleteMany({ where: { id } });
    },
  };
}

const SORT_NAME = Prisma.sql`lower(u.first_name || ' ' || u.last_name)`;

/** People who have, for each word, a name that begins with it. The longest word, the rarest, leads. */
function matchNames(words: string[]): Prisma.Sql {
  const [lead, ...others] = words.toSorted((a, b) => b.length - a.length) as [string, ...string[]];
  const also = others.map(
    (word) => Prisma.sql`AND EXISTS (
      SELECT 1 FROM user_name_word o WHERE o.user_id = w.user_id AND ${startsWith(Prisma.sql`o.word`, word)})`,
  );
  return Prisma.sql`SELECT w.user_id FROM user_name_word w
    WHERE ${startsWith(Prisma.sql`w.word`, lead)} ${Prisma.join(also.length > 0 ? also : [Prisma.empty], ' ')}`;
}

/** A range of the byte-ordered index. No word goes on with U+10FFFF: it is no letter. */
function startsWith(column: Prisma.Sql, prefix: string): Prisma.Sql {
  return Prisma.sql`${column} >= ${prefix} AND ${column} < ${prefix + '\u{10FFFF}'}`;
}
