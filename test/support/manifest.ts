import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { getOperationAST } from 'graphql';
import type { DocumentNode } from 'graphql';
import { toParams } from './document.ts';
import * as generated from './generated/graphql.ts';
import { temporaryDirectory } from './servers.ts';

/** A file that lists documents for a server. */
export interface Manifest {
  path: string;
  remove(): Promise<void>;
}

/** Of whatever is to stand in it; a text stands as it is. */
export async function writeManifest(content: unknown): Promise<Manifest> {
  const directory = await temporaryDirectory('manifest');
  const path = join(directory.path, 'documents.json');
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content));
  return { path, remove: directory.remove };
}

/** As `@apollo/generate-persisted-query-manifest` writes it. */
export const apolloManifest = (texts: Record<string, string>) => ({
  format: 'apollo-persisted-query-manifest',
  version: 1,
  operations: Object.entries(texts).map(([id, body]) => ({ id, name: id, type: 'query', body })),
});

/** What the client package sends, as `npm run codegen` lists it. */
export const CLIENT_MANIFEST = resolve(import.meta.dirname, '../../client/src/generated/persisted-documents.json');

/** The texts of an Apollo manifest, by their ids. */
export async function readTexts(path: string): Promise<Record<string, string>> {
  const { operations } = JSON.parse(await readFile(path, 'utf8')) as {
    operations: Array<{ id: string; body: string }>;
  };
  return Object.fromEntries(operations.map(({ id, body }) => [id, body]));
}

/** What the helpers of the tests send: without it on the list, nobody could sign up. */
export const textsOfHelpers = (): Record<string, string> =>
  Object.fromEntries(
    Object.entries<DocumentNode>(generated)
      .filter(([, document]) => getOperationAST(document))
      .map(([name, document]) => [name, toParams(document).query]),
  );
