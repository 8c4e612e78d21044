import { readFileSync } from 'node:fs';
import { z } from 'zod';

/** A document that clients may name. */
export interface ListedText {
  /** Whatever the manifest calls it: a hash of the text, or a name of its own. */
  id: string;
  text: string;
}

/** Of graphql-codegen's client preset, with `persistedDocuments`. */
const codegenMap = z
  .record(z.string(), z.string())
  .transform((texts) => Object.entries(texts).map(([id, text]) => ({ id, text })));

/** Of `@apollo/generate-persisted-query-manifest`. */
const apolloManifest = z
  .object({
    format: z.literal('apollo-persisted-query-manifest'),
    version: z.literal(1),
    operations: z.array(z.object({ id: z.string(), body: z.string() })),
  })
  .transform(({ operations }) => operations.map(({ id, body }) => ({ id, text: body })));

const manifest = z.union([apolloManifest, codegenMap]);

/**
 * Reads a list of documents, in either of its usual formats.
 *
 * @throws Error with what is wrong, as the end of a sentence about the setting that names the file.
 */
export function readManifest(path: string): ListedText[] {
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Error(`must be a file of JSON: ${path} ${code ? `cannot be read (${code})` : 'is none'}`, {
      cause: error,
    });
  }
  const read = manifest.safeParse(json);
  if (!read.success)
    throw new Error(
      `must be a map of ids to texts, or an Apollo persisted query manifest of version 1: ${path} is neither`,
    );
  if (read.data.length === 0) throw new Error(`must list a document: ${path} lists none`);
  return read.data;
}
