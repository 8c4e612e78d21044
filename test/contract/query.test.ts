import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Prisma } from '../../src/generated/prisma/client.ts';
import { createLogger } from '../../src/logger.ts';
import { openDatabase } from '../../src/persistence/open-database.ts';
import type { Database } from '../../src/persistence/database.ts';
import { isDataRefused, isUniqueViolation } from '../../src/persistence/prisma-errors.ts';
import { temporaryDirectory } from '../support/servers.ts';

interface Opened {
  database: Database;
  remove(): Promise<void>;
}

const logger = createLogger('silent');
const engines: Record<string, () => Promise<Opened>> = { PGlite: openPGlite, PostgreSQL: openPostgres };

async function openPGlite(): Promise<Opened> {
  const directory = await temporaryDirectory('query');
  return { database: await openDatabase({ dataDir: directory.path, logger }), remove: () => directory.remove() };
}

async function openPostgres(): Promise<Opened> {
  const url = new URL(process.env['TEST_DATABASE_URL']!);
  const name = `parley_query_${randomUUID().slice(0, 8)}`;
  const admin = new pg.Client(url.href);
  await admin.connect();
  await admin.query(`CREATE DATABASE ${name}`);
  url.pathname = name;
  return {
    database: await openDatabase({ url: url.href, dataDir: '', logger }),
    async remove() {
      await admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
      await admin.end();
    },
  };
}

const id = randomUUID();

/** Every kind of column that a store reads, and every kind of value that it asks with. */
const KINDS = Prisma.sql`
  SELECT n AS int, (n || '000000000000')::bigint AS big, n > 1 AS flag, repeat('x', n) AS text,
    ${id}::uuid AS id, 'GROUP'::chat_kind::text AS kind, timestamptz '2026-11-25 12:34:56.789+02' AS "sentAt",
    jsonb_build_object('at', n, 'list', jsonb_build_array(n, null)) AS "extraData", 'null'::jsonb AS nothing,
    '\\xdeadbeef'::bytea AS hash, CASE WHEN n > 1 THEN n END AS late, NULL::timestamptz AS never, NULL::jsonb AS none
  FROM unnest(${[1, 2, 3]}::int[]) AS n
  WHERE ${[id]}::uuid[] @> ARRAY[${id}::uuid] AND ${new Date('2026-11-25T10:00:00.001Z')}::timestamptz < now()
    AND ${null}::text IS NULL AND ${Buffer.from('deadbeef', 'hex')}::bytea = '\\xdeadbeef' AND ${true} ORDER BY n`;

describe.each(Object.keys(engines))('a query of %s', (engine) => {
  let opened: Opened;
  let database: Database;
  beforeAll(async () => {
    opened = await engines[engine]!();
    database = opened.database;
  }, 60_000);
  afterAll(async () => {
    await database?.close();
    await opened?.remove();
  });

  it('answers what Prisma’s own would', async () => {
    const rows = await database.query<Record<string, unknown>>`${KINDS}`;
    expect(rows).toHaveLength(3);
    expect(rows[1]).toMatchObject({
      int: 2,
      big: 2_000_000_000_000n,
      sentAt: new Date('2026-11-25T10:34:56.789Z'),
      extraData: { at: 2, list: [2, null] },
      nothing: null,
      never: null,
    });
    const bytes = (row: Record<string, unknown>) => ({ ...row, hash: Buffer.from(row['hash'] as Uint8Array) });
    const own = await database.prisma.$queryRaw<Array<Record<string, unknown>>>`${KINDS}`;
    expect(rows.map(bytes)).toEqual(own.map(bytes));
  });

  it('is not begun for somebody who does not wait for it', async () => {
    const key = randomUUID();
    const left = database.query.until({ isCancelled: true });
    await expect(left`INSERT INTO node (id) VALUES (${key}::uuid) RETURNING id`).rejects.toMatchObject({
      code: 'TIMEOUT',
    });
    const waited = database.query.until({ isCancelled: false });
    expect(await waited`SELECT id FROM node WHERE id = ${key}::uuid`).toEqual([]);
  });

  it('fails in ways that are told apart', async () => {
    const insert = () => database.query`INSERT INTO node (id) VALUES (${id}::uuid) RETURNING id`;
    await insert();
    await expect(insert()).rejects.toSatisfy(isUniqueViolation);
    await expect(database.query`SELECT ${'no id'}::uuid`).rejects.toSatisfy(isDataRefused);
  });
});
