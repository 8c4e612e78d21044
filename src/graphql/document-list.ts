import { createHash } from 'node:crypto';
import type { DocumentNode } from 'graphql';
import type { ListedText } from './document-manifest.ts';
import { notListed } from './error-stages.ts';

/** What a request says of its document, unchecked. */
export interface DocumentRequest {
  query?: unknown;
  /** GraphQL over HTTP, appendix A "Persisted Documents". */
  documentId?: unknown;
  /** Of these, Apollo's `persistedQuery`. */
  extensions?: unknown;
}

/** The only documents that are run. */
export interface DocumentList {
  /**
   * The text that a request names: by id, by text, or by several of them that mean the same. Null: it names none.
   *
   * @throws GraphQLError an id is not on the list, or means another document than the rest.
   */
  textOf(request: DocumentRequest): string | null;
  /** Always the same for the same text. @throws GraphQLError it is not on the list. */
  get(text: string): DocumentNode;
}

/** What an operator can mend in the manifest. */
export class DocumentListError extends Error {}

const SHA256 = 'sha256:';

/**
 * Each is known by its id in the manifest, and by the hash of its text: `sha256:<hex>` as GraphQL over HTTP writes it, and
 * without the prefix, as Apollo does.
 *
 * @param prepare parses and checks; what it throws is wrong with the document.
 * @throws DocumentListError in one line that names the document.
 */
export function createDocumentList(
  listed: readonly ListedText[],
  prepare: (text: string) => DocumentNode,
): DocumentList {
  const documents = new Map<string, DocumentNode>();
  const texts = new Map<unknown, string>();
  const longest = Math.max(...listed.map(({ text }) => text.length));

  for (const document of listed) {
    const { id, text } = document;
    const hash = createHash('sha256').update(text).digest('hex');
    if (id.startsWith(SHA256) && id !== SHA256 + hash) throw unusable(document, 'the id is not the hash of the text');
    try {
      documents.set(text, documents.get(text) ?? prepare(text));
    } catch (error) {
      throw unusable(document, (error as Error).message, error);
    }
    for (const known of [id, SHA256 + hash, hash]) {
      if ((texts.get(known) ?? text) !== text) throw unusable(document, 'the id stands for another one, too');
      texts.set(known, text);
    }
  }

  return {
    textOf({ query, documentId, extensions }) {
      const ids = [documentId, apolloHash(extensions)].filter((id) => id !== undefined && id !== null);
      if (ids.length === 0) return typeof query === 'string' ? query : null;
      const named = ids.map((id) => texts.get(id));
      // graphql-ws wants a text even where there is none.
      if (query !== undefined && query !== null && query !== '') named.push(query as string);
      const text = named[0];
      if (text === undefined || named.some((other) => other !== text)) throw notListed();
      return text;
    },
    get(text) {
      // To look a long text up, all of it is hashed.
      const document = text.length > longest ? undefined : documents.get(text);
      if (!document) throw notListed();
      return document;
    },
  };
}

function apolloHash(extensions: unknown): unknown {
  return (extensions as { persistedQuery?: { sha256Hash?: unknown } | null } | null | undefined)?.persistedQuery
    ?.sha256Hash;
}

/** Errors of GraphQL may quote the text, with the ends of its lines. */
function unusable({ id, text }: ListedText, reason: string, cause?: unknown): DocumentListError {
  const operation = /\b(query|mutation|subscription)\s+\w+/.exec(text)?.[0] ?? 'no name';
  const line = `PERSISTED_DOCUMENTS: the document ${JSON.stringify(id)} (${operation}) cannot be listed: ${reason}`;
  return new DocumentListError(line.replaceAll(/\s+/g, ' '), { cause });
}
