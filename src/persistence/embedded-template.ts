import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { MIGRATIONS_DIR, readMigrations } from './schema-engine.ts';
import type { Migration } from './schema-engine.ts';

/*
 * What `initdb` and the migrations make of an empty directory is always the same, and takes seconds: the build makes it
 * once. PostgreSQL gives each cluster an identifier, by which replicas and archived WAL know theirs; copies of a
 * template share it, and the embedded database has neither. Nothing in it is secret.
 */

/** A file of the template, and its bytes; a directory, and null. In the order in which they can be made. */
type Entry = [path: string, bytes: number | null];

/** Where the template for this PGlite and these migrations is, if the build has made it. */
export async function templateFile(): Promise<string> {
  const manifest = readFileSync(new URL('../package.json', import.meta.resolve('@electric-sql/pglite')), 'utf8');
  const { version } = JSON.parse(manifest) as { version: string };
  return join(MIGRATIONS_DIR, '../../dist', templateName(version, await readMigrations()));
}

/** Another for whatever would make another database, so that none is used that is not the right one. */
export function templateName(pgliteVersion: string, migrations: Migration[]): string {
  const made = JSON.stringify([pgliteVersion, migrations.map(({ name, sql }) => [name, sql])]);
  return `database-${createHash('sha256').update(made).digest('hex').slice(0, 16)}.gz`;
}

/** Packs the database in `directory`, which has been closed: a line of JSON, and the files one behind the other. */
export function packTemplate(directory: string, file: string): void {
  const entries: Entry[] = [];
  const contents: Buffer[] = [];
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const content = entry.isDirectory() ? null : readFileSync(path);
    entries.push([relative(directory, path), content && content.length]);
    if (content) contents.push(content);
  }
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.new`, gzipSync(Buffer.concat([Buffer.from(`${JSON.stringify(entries)}\n`), ...contents])));
  renameSync(`${file}.new`, file);
}

/** Unpacks it into `directory`, which is empty; false: there is none. */
export function unpackTemplate(file: string, directory: string): boolean {
  const packed = readIfThere(file);
  if (packed === undefined) return false;
  const bytes = gunzipSync(packed);
  let offset = bytes.indexOf('\n') + 1;
  for (const [path, size] of JSON.parse(bytes.toString('utf8', 0, offset)) as Entry[]) {
    if (size === null) mkdirSync(join(directory, path));
    else writeFileSync(join(directory, path), bytes.subarray(offset, (offset += size)));
  }
  return true;
}

function readIfThere(file: string): Buffer | undefined {
  try {
    return readFileSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
