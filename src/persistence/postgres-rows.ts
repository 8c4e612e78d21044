import type { SqlQuery, SqlResultSet } from '@prisma/driver-adapter-utils';
import pg from 'pg';

/** What pg would leave as text, or makes into the same at more cost. */
const PARSERS: Record<number, (text: string) => unknown> = {
  [pg.types.builtins.INT8]: BigInt,
  [pg.types.builtins.TIMESTAMPTZ]: (text) => new Date(text),
};

const getTypeParser = (oid: number, format?: 'text') => PARSERS[oid] ?? pg.types.getTypeParser(oid, format);
const TYPES = { getTypeParser: getTypeParser as typeof pg.types.getTypeParser };

/** Sends a statement by pg alone: its rows are decoded as they come, which the columns' types would not tell. */
export async function readRows(
  on: pg.Pool | pg.PoolClient,
  { sql: text, args: values }: SqlQuery,
  name: string,
): Promise<SqlResultSet> {
  const { fields, rows } = await on.query({ name, text, values, rowMode: 'array', types: TYPES });
  return { columnNames: fields.map((field) => field.name), columnTypes: [], rows };
}
