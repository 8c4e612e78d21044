import type { DocumentNode } from 'graphql';

export interface DocumentCache {
  get(text: string): DocumentNode | undefined;
  set(text: string, document: DocumentNode): void;
}

/** What even the shortest document costs, in characters. */
const OVERHEAD = 200;

/**
 * Parsed documents by their text, in two generations: the younger one has what was asked for since it began; once that
 * is half of what may be kept, the older one makes room. So a document that comes again is found, and nothing is written.
 * Bounded by the length of the texts and not by their number, since a parsed document takes some hundred times the memory
 * of its text.
 */
export function createDocumentCache(maxCharacters: number): DocumentCache {
  let younger = new Map<string, DocumentNode>();
  let older = new Map<string, DocumentNode>();
  /** Of the younger one. */
  let characters = 0;

  function set(text: string, document: DocumentNode): void {
    const size = text.length + OVERHEAD;
    if (characters + size > maxCharacters / 2) {
      older = younger;
      younger = new Map();
      characters = 0;
    }
    younger.set(text, document);
    characters += size;
  }

  return {
    get(text) {
      const known = younger.get(text);
      if (known) return known;
      const document = older.get(text);
      if (document) set(text, document);
      return document;
    },
    set,
  };
}
