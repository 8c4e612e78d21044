/** A slice of an ordered list: `limit` items behind `after` (forward) or before `before` (backward). */
export interface PageRequest<Key> {
  limit: number;
  direction: 'forward' | 'backward';
  after: Key | null;
  before: Key | null;
}

/** Items in list order, whichever end they were counted from. */
export interface Page<Item> {
  items: Item[];
  hasNextPage: boolean;
  hasPreviousPage: boolean;
}

/**
 * Cuts a page from `limit + 1` rows that were read from the asked end.
 *
 * The far side of a cursor is taken to have more: the row that the cursor names stands there, or stood there.
 */
export function toPage<Item>(rows: Item[], request: PageRequest<unknown>): Page<Item> {
  const more = rows.length > request.limit;
  const items = more ? rows.slice(0, request.limit) : rows;
  if (request.direction === 'forward')
    return { items, hasNextPage: more || request.before !== null, hasPreviousPage: request.after !== null };
  return {
    items: items.toReversed(),
    hasNextPage: request.before !== null,
    hasPreviousPage: more || request.after !== null,
  };
}
