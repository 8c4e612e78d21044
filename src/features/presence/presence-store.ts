import type { Cancellation } from '../../cancellation.ts';
import { Prisma } from '../../generated/prisma/client.ts';
import type { PrismaClient } from '../../generated/prisma/client.ts';
import type { CancellableQuery } from '../../persistence/query.ts';

export interface PresenceState {
  userId: string;
  isOnline: boolean;
  /** When the last live connection closed; null: never seen. */
  lastSeenAt: Date | null;
}

/** A node whose lease was not renewed for this long is taken for dead, and its connections with it. */
export const LEASE_SECONDS = 40;

const WHICH = {
  this: (nodeId: string) => Prisma.sql`id = ${nodeId}::uuid`,
  expired: () => Prisma.sql`renewed_at < now() - ${LEASE_SECONDS}::int * interval '1 second'`,
  all: () => Prisma.sql`true`,
};

/** In one order, and before anything that hangs on them, so that nobody waits in a circle. */
const lockPeople = (condition: Prisma.Sql) =>
  Prisma.sql`SELECT id FROM app_user WHERE ${condition} ORDER BY id FOR NO KEY UPDATE`;

export type PresenceStore = ReturnType<typeof createPresenceStore>;

export function createPresenceStore(prisma: PrismaClient, query: CancellableQuery, nodeId: string) {
  return {
    /** Also puts the node back when others have taken it for dead; answers whether they had. */
    async renewLease(): Promise<boolean> {
      const [row] = await prisma.$queryRaw<[{ inserted: boolean }]>`
        INSERT INTO node (id, renewed_at) VALUES (${nodeId}::uuid, now())
        ON CONFLICT (id) DO UPDATE SET renewed_at = now() RETURNING (xmax = 0) AS inserted`;
      return row.inserted;
    },

    async connected(userIds: readonly string[]): Promise<void> {
      await prisma.$executeRaw`
        INSERT INTO presence (user_id, node_id)
        SELECT u.id, ${nodeId}::uuid FROM app_user u WHERE u.id = ANY(${[...userIds]}::uuid[])
        ON CONFLICT DO NOTHING`;
    },

    async disconnected(userIds: readonly string[]): Promise<void> {
      await prisma.$executeRaw`
        WITH people AS MATERIALIZED (${lockPeople(Prisma.sql`id = ANY(${[...userIds]}::uuid[])`)}), gone AS (
          DELETE FROM presence USING people WHERE node_id = ${nodeId}::uuid AND user_id = people.id
          RETURNING user_id
        )
        UPDATE app_user SET last_seen_at = now() FROM gone WHERE id = gone.user_id`;
    },

    /** Ends the lease of this node, of every node whose lease ran out, or of all; their people were last seen at its end. */
    async release(which: 'this' | 'expired' | 'all'): Promise<void> {
      await prisma.$executeRaw`
        WITH dead AS MATERIALIZED (
          SELECT id, renewed_at FROM node
          WHERE ${WHICH[which](nodeId)}
          FOR UPDATE SKIP LOCKED
        ), people AS MATERIALIZED (
          ${lockPeople(Prisma.sql`id IN (SELECT p.user_id FROM presence p JOIN dead ON dead.id = p.node_id)`)}
        ), seen AS (
          UPDATE app_user u SET last_seen_at = greatest(u.last_seen_at, dead.renewed_at)
          FROM people JOIN presence p ON p.user_id = people.id JOIN dead ON dead.id = p.node_id WHERE u.id = people.id
        )
        DELETE FROM node USING dead WHERE node.id = dead.id`;
    },

    /** One statement for all. */
    findStates(userIds: readonly string[], cancellation?: Cancellation): Promise<PresenceState[]> {
      return query.until(cancellation)`
        SELECT u.id AS "userId", coalesce(live.online, false) AS "isOnline",
          CASE WHEN live.online THEN NULL ELSE greatest(u.last_seen_at, live.renewed_at) END AS "lastSeenAt"
        FROM app_user u LEFT JOIN LATERAL (
          SELECT bool_or(n.renewed_at > now() - ${LEASE_SECONDS}::int * interval '1 second') AS online,
            max(n.renewed_at) AS renewed_at
          FROM presence p JOIN node n ON n.id = p.node_id WHERE p.user_id = u.id
        ) live ON true
        WHERE u.id = ANY(${[...userIds]}::uuid[])`;
    },
  };
}
