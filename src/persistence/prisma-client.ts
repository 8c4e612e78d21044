import type { SqlDriverAdapterFactory } from '@prisma/driver-adapter-utils';
import { PrismaClient } from '../generated/prisma/client.ts';

/** The limits of a transaction: with them a request that cannot be served is refused within 5 s. */
const TRANSACTION = { maxWait: 1_500, timeout: 3_000 };

export function createPrisma(adapter: SqlDriverAdapterFactory): PrismaClient {
  return new PrismaClient({ adapter, transactionOptions: TRANSACTION });
}

/** A client compiles its query compiler at its first query, which takes 0.1 s and more. */
export async function warmUp(prisma: PrismaClient): Promise<void> {
  await prisma.node.findFirst({ select: { id: true } });
}
