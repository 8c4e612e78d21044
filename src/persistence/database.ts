import type { PrismaClient } from '../generated/prisma/client.ts';
import type { PoolUse } from '../metrics/metrics.ts';
import type { CancellableQuery } from './query.ts';

export interface Database {
  readonly prisma: PrismaClient;
  readonly query: CancellableQuery;
  readonly kind: 'embedded' | 'postgres';
  /** How its connections are used now; null: it has but one. */
  readPool(): PoolUse | null;
  /** Idempotent. Waits for the statements under way. */
  close(): Promise<void>;
}
