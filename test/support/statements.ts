import { PrismaPg } from '@prisma/adapter-pg';
import { PrismaClient } from '../../src/generated/prisma/client.ts';
import { extend } from '../../src/persistence/migration-adapter.ts';
import { createQuery } from '../../src/persistence/query.ts';
import type { CancellableQuery } from '../../src/persistence/query.ts';

export interface Statement {
  text: string;
  values: unknown[];
}

/** Both ways to the database that stores are given, and every statement that goes by them. */
export interface WatchedDatabase {
  prisma: PrismaClient;
  query: CancellableQuery;
  statements: Statement[];
  close(): Promise<void>;
}

export async function openWatched(connectionString: string): Promise<WatchedDatabase> {
  const statements: Statement[] = [];
  const factory = new PrismaPg({ connectionString });
  const prisma = new PrismaClient({ adapter: factory, log: [{ emit: 'event', level: 'query' }] });
  prisma.$on('query', ({ query, params }) => statements.push({ text: query, values: JSON.parse(params) as unknown[] }));
  const adapter = await factory.connect();
  const query = createQuery(
    extend(adapter, {
      queryRaw(statement) {
        statements.push({ text: statement.sql, values: statement.args });
        return adapter.queryRaw(statement);
      },
    }),
  );
  const close = async () => {
    await prisma.$disconnect();
    await adapter.dispose();
  };
  return { prisma, query, statements, close };
}
