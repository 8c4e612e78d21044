import type { DocumentNode } from 'graphql';

export interface DocumentCache {
  get(text: string): DocumentNode | undefined;
  set(text: string, document: DocumentNode): void;
}

/** What even the shortest document costs, in characters. */
const OVERHEAD = 200;

/**
 * Parsed documents by their text; the ones that were not asked for longest make room. Bounded by the length of the
 * texts and not by their number, since a parsed document takes some hundred times the memory of its text.
 */
export function createDocumentCache(maxCharacters: number): DocumentCache {
  // In the order of their last use.
  const documents = new Map<string, DocumentNode>();
  let characters = 0;

  function remove(text: string): void {
    if (documents.delete(text)) characters -= text.length + OVERHEAD;
  }

  return {
    get(text) {
      const document = documents.get(text);
      if (document === undefined) return undefined;
      documents.delete(text);
      documents.set(text, document);
      return document;
    },
    set(text, document) {
      remove(text);
      documents.set(text, document);
      characters += text.length + OVERHEAD;
      for (const oldest of documents.keys()) {
        if (characters <= maxCharacters) break;
        remove(oldest);
      }
    },
  };
}
