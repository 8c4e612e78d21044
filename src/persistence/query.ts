import { ColumnTypeEnum } from '@prisma/driver-adapter-utils';
import type { ArgType, ColumnType, SqlQuery, SqlResultSet } from '@prisma/driver-adapter-utils';
import type { Cancellation } from '../cancellation.ts';
import { TimeoutError } from '../errors.ts';
import { Prisma } from '../generated/prisma/client.ts';
import type { Db } from './transaction.ts';

/**
 * Runs a statement of our own, outside of any transaction, and answers its rows: query`SELECT … ${value}`.
 *
 * It goes beneath the Prisma client, by the same pool or to the driver adapter of the embedded database: the client's own
 * `$queryRaw` sends the same statement and decodes the same rows at two to four times the processor time. A column that is called
 * `author.name` is the name in the row's author, who is null where the `author.id` is: for what a LEFT JOIN finds.
 */
export interface Query {
  <Row>(strings: TemplateStringsArray, ...values: readonly unknown[]): Promise<Row[]>;
}

export interface CancellableQuery extends Query {
  /**
   * For reads alone: a statement that is not waited for does not begin and, on PostgreSQL, does not go on.
   *
   * @throws TimeoutError, whatever becomes of the statement, once it is cancelled.
   */
  until(cancellation: Cancellation | undefined): Query;
}

/** What sends a statement to the database. */
export interface StatementRunner {
  queryRaw(statement: SqlQuery, cancellation?: Cancellation): Promise<SqlResultSet>;
}

/** The same as a part of an open transaction, by its client. */
export function queryWithin(db: Db): Query {
  return (strings, ...values) => db.$queryRaw(strings, ...values);
}

/** The text says of every value what it is: an `::uuid[]`, a column to compare with. */
const UNTYPED: ArgType = { scalarType: 'unknown', arity: 'scalar' };

/** What an adapter leaves as text; of what is decoded already, no type is told. */
const DECODERS: Partial<Record<ColumnType, (value: never) => unknown>> = {
  [ColumnTypeEnum.Int64]: (text: string) => BigInt(text),
  [ColumnTypeEnum.DateTime]: (text: string) => new Date(text),
  [ColumnTypeEnum.Json]: (text: string) => JSON.parse(text) as unknown,
};

export function createQuery(runner: StatementRunner): CancellableQuery {
  /** Of the statements in the code, by their place in it. What is put into one hardly ever changes its columns. */
  const shapes = new WeakMap<TemplateStringsArray, Shape>();

  function shapeOf(strings: TemplateStringsArray, names: readonly string[], types: readonly ColumnType[]): Shape {
    const known = shapes.get(strings);
    if (known && isSame(names, known.names) && isSame(types, known.types)) return known;
    const shape = toShape(names, types);
    shapes.set(strings, shape);
    return shape;
  }

  async function run<Row>(
    strings: TemplateStringsArray,
    values: readonly unknown[],
    cancellation?: Cancellation,
  ): Promise<Row[]> {
    const { text, values: args } = Prisma.sql(strings, ...values);
    const argTypes = args.map(() => UNTYPED);
    const { columnNames, columnTypes, rows } = await runner.queryRaw({ sql: text, args, argTypes }, cancellation);
    const shape = shapeOf(strings, columnNames, columnTypes);
    return rows.map((row) => toRecord(row, shape) as Row);
  }

  async function runUntil<Row>(
    cancellation: Cancellation,
    strings: TemplateStringsArray,
    values: readonly unknown[],
  ): Promise<Row[]> {
    if (cancellation.isCancelled) throw new TimeoutError();
    try {
      return await run<Row>(strings, values, cancellation);
    } catch (error) {
      // Cancelled or not to be had: it makes no difference to anybody.
      throw cancellation.isCancelled ? new TimeoutError() : error;
    }
  }

  const query: Query = (strings, ...values) => run(strings, values);
  return Object.assign(query, {
    until: (cancellation: Cancellation | undefined): Query =>
      cancellation ? (strings, ...values) => runUntil(cancellation, strings, values) : query,
  });
}

interface Column {
  index: number;
  name: string;
  decode: ((value: never) => unknown) | undefined;
}

interface Shape {
  names: readonly string[];
  types: readonly ColumnType[];
  columns: Column[];
  parts: Array<{ name: string; columns: Column[] }>;
}

function toShape(names: readonly string[], types: readonly ColumnType[]): Shape {
  const shape: Shape = { names, types, columns: [], parts: [] };
  for (const [index, path] of names.entries()) {
    const [name, part] = path.split('.').toReversed() as [string, string | undefined];
    const column = { index, name, decode: DECODERS[types[index]!] };
    const known = shape.parts.find((one) => one.name === part);
    if (part === undefined) shape.columns.push(column);
    else if (known) known.columns.push(column);
    else shape.parts.push({ name: part, columns: [column] });
  }
  return shape;
}

function isSame(some: readonly unknown[], others: readonly unknown[]): boolean {
  return some.length === others.length && some.every((item, at) => item === others[at]);
}

function toRecord(row: readonly unknown[], { columns, parts }: Shape): Record<string, unknown> {
  const record = readColumns(row, columns);
  for (const { name, columns: ofPart } of parts) {
    const part = readColumns(row, ofPart);
    record[name] = part['id'] === null ? null : part;
  }
  return record;
}

function readColumns(row: readonly unknown[], columns: readonly Column[]): Record<string, unknown> {
  const record: Record<string, unknown> = {};
  for (const { index, name, decode } of columns) {
    const value = row[index];
    record[name] = decode && value !== null ? decode(value as never) : value;
  }
  return record;
}
