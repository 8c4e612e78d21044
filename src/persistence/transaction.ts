import type { PrismaClient, Prisma } from '../generated/prisma/client.ts';

/** A statement's way to the database: the client itself, or the transaction that is open. */
export type Db = PrismaClient | Prisma.TransactionClient;

export interface Transaction {
  readonly db: Prisma.TransactionClient;
  /** Runs after the commit, in order; not at all after a rollback. For hints, never for what must happen. */
  afterCommit(action: () => void): void;
}

/** READ COMMITTED: each statement sees what was committed before it began, also behind a lock that it waited for. */
export async function inTransaction<T>(
  prisma: PrismaClient,
  work: (tx: Transaction) => Promise<T>,
  /** `timeout`: what is not committed after so many ms is rolled back. Default: as of the client. */
  limits: { timeout?: number } = {},
): Promise<T> {
  const actions: Array<() => void> = [];
  const result = await prisma.$transaction(
    (db) => work({ db, afterCommit: (action) => void actions.push(action) }),
    limits,
  );
  for (const action of actions) action();
  return result;
}
