import { BadUserInputError } from '../errors.ts';
import type { Page, PageRequest } from '../persistence/paging.ts';

export const DEFAULT_PAGE_SIZE = 20;
export const MAX_PAGE_SIZE = 100;

/** Writes and reads the opaque cursors of one kind of list. */
export interface CursorCodec<Key> {
  encode(key: Key): string;
  /** Null when the text is no cursor of this list. */
  decode(text: string): Key | null;
}

export interface PageArguments {
  first?: number | null;
  after?: string | null;
  last?: number | null;
  before?: string | null;
}

/**
 * Reads Relay's paging arguments. Without any, the list's default end: its start, or its newest page.
 *
 * @throws BadUserInputError for a size outside 1 to 100, `first` together with `last`, and a foreign cursor.
 */
export function readPageRequest<Key>(
  args: PageArguments,
  codec: CursorCodec<Key>,
  defaultDirection: 'forward' | 'backward' = 'forward',
): PageRequest<Key> {
  const first = args.first ?? null;
  const last = args.last ?? null;
  if (first !== null && last !== null) throw new BadUserInputError('last', 'Give either first or last, not both.');
  const direction = first !== null ? 'forward' : last !== null ? 'backward' : directionOf(args, defaultDirection);
  const limit = first ?? last ?? DEFAULT_PAGE_SIZE;
  if (limit < 1 || limit > MAX_PAGE_SIZE)
    throw new BadUserInputError(first !== null ? 'first' : 'last', `A page has 1 to ${MAX_PAGE_SIZE} items.`);
  return {
    limit,
    direction,
    after: readCursor('after', args.after, codec),
    before: readCursor('before', args.before, codec),
  };
}

/** A lone cursor says the direction by itself. */
function directionOf(args: PageArguments, fallback: 'forward' | 'backward') {
  if (args.after != null && args.before == null) return 'forward';
  if (args.before != null && args.after == null) return 'backward';
  return fallback;
}

/** Null without one. @throws BadUserInputError for what is no cursor of this list. */
export function readCursor<Key>(field: string, text: string | null | undefined, codec: CursorCodec<Key>): Key | null {
  if (text === null || text === undefined) return null;
  const key = text.length <= 200 ? codec.decode(text) : null;
  if (key === null) throw new BadUserInputError(field, 'Not a cursor of this list.');
  return key;
}

/** The Relay connection of a page (GraphQL Cursor Connections Specification). A cursor is written when it is asked for. */
export function toConnection<Item, Key>(page: Page<Item>, keyOf: (item: Item) => Key, codec: CursorCodec<Key>) {
  const edges = page.items.map((node) => new Edge(node, keyOf, codec));
  return {
    edges,
    pageInfo: {
      hasNextPage: page.hasNextPage,
      hasPreviousPage: page.hasPreviousPage,
      startCursor: edges[0]?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
  };
}

/**
 * With a getter of its class: one that is written into each object is kept by V8 among what is old, and from there its
 * item is kept from the quick collection of garbage.
 */
class Edge<Item, Key> {
  readonly node: Item;
  readonly #keyOf: (item: Item) => Key;
  readonly #codec: CursorCodec<Key>;

  constructor(node: Item, keyOf: (item: Item) => Key, codec: CursorCodec<Key>) {
    this.node = node;
    this.#keyOf = keyOf;
    this.#codec = codec;
  }

  get cursor(): string {
    return this.#codec.encode(this.#keyOf(this.node));
  }
}

/** Cursors that are one string, marked with the name of their list. */
export function stringCursors<Key>(
  list: string,
  write: (key: Key) => string,
  read: (text: string) => Key | null,
): CursorCodec<Key> {
  return {
    encode: (key) => Buffer.from(`${list}:${write(key)}`).toString('base64url'),
    decode(text) {
      const plain = Buffer.from(text, 'base64url').toString();
      if (!plain.startsWith(`${list}:`)) return null;
      return read(plain.slice(list.length + 1));
    },
  };
}
