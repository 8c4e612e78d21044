import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BadUserInputError } from '../../src/errors.ts';
import { readPageRequest, stringCursors, toConnection } from '../../src/graphql/pagination.ts';
import type { PageArguments } from '../../src/graphql/pagination.ts';
import { toPage } from '../../src/persistence/paging.ts';
import type { PageRequest } from '../../src/persistence/paging.ts';
import { runScript } from '../support/script.ts';

const cursors = stringCursors<number>('number', String, (text) => (/^\d+$/.test(text) ? Number(text) : null));
const cursor = (key: number) => cursors.encode(key);

describe('the page that is asked for', () => {
  it.each<[PageArguments, Partial<PageRequest<number>>]>([
    [{}, { limit: 20, direction: 'forward', after: null, before: null }],
    [
      { first: null, after: null },
      { limit: 20, direction: 'forward' },
    ],
    [{ first: 1 }, { limit: 1, direction: 'forward' }],
    [{ first: 100 }, { limit: 100 }],
    [{ last: 5 }, { limit: 5, direction: 'backward' }],
    [
      { first: 5, before: cursor(9) },
      { limit: 5, direction: 'forward', before: 9 },
    ],
    [
      { last: 5, after: cursor(3) },
      { limit: 5, direction: 'backward', after: 3 },
    ],
    [{ after: cursor(3) }, { limit: 20, direction: 'forward', after: 3 }],
    [{ before: cursor(3) }, { limit: 20, direction: 'backward', before: 3 }],
    [
      { after: cursor(3), before: cursor(9) },
      { direction: 'forward', after: 3, before: 9 },
    ],
  ])('%j', (args, request) => {
    expect(readPageRequest(args, cursors)).toMatchObject(request);
  });

  it('is the newest where a list is read from its end', () => {
    expect(readPageRequest({}, cursors, 'backward')).toMatchObject({ direction: 'backward', limit: 20 });
    expect(readPageRequest({ after: cursor(3) }, cursors, 'backward')).toMatchObject({ direction: 'forward' });
    expect(readPageRequest({ first: 3 }, cursors, 'backward')).toMatchObject({ direction: 'forward' });
  });

  it.each<[PageArguments, string]>([
    [{ first: 0 }, 'first'],
    [{ first: -1 }, 'first'],
    [{ first: 101 }, 'first'],
    [{ last: 0 }, 'last'],
    [{ last: 101 }, 'last'],
    [{ first: 1, last: 1 }, 'last'],
    [{ after: '' }, 'after'],
    [{ after: 'nonsense' }, 'after'],
    [{ before: Buffer.from('other:3').toString('base64url') }, 'before'],
    [{ before: Buffer.from('number:three').toString('base64url') }, 'before'],
    [{ after: cursor(1).repeat(100) }, 'after'],
  ])('is refused: %j', (args, field) => {
    const error = refusalOf(args);
    expect(error).toBeInstanceOf(BadUserInputError);
    expect(error.extensions).toEqual({ field });
  });
});

describe('a page', () => {
  it('and its neighbours are a list, whatever its length, walked from either end', () => {
    fc.assert(
      fc.property(fc.nat(30), fc.integer({ min: 1, max: 12 }), (length, size) => {
        const list = Array.from({ length }, (_, index) => index + 1);
        expect(walk(list, size, 'forward').flat()).toEqual(list);
        expect(walk(list, size, 'backward').toReversed().flat()).toEqual(list);
      }),
    );
  });

  it('tells what lies on its far side by the cursor alone', () => {
    const request = { limit: 2, after: 3, before: 9 };
    expect(toPage([4, 5], { ...request, direction: 'forward' })).toEqual({
      items: [4, 5],
      hasNextPage: true,
      hasPreviousPage: true,
    });
    expect(toPage([8, 7], { ...request, direction: 'backward' })).toEqual({
      items: [7, 8],
      hasNextPage: true,
      hasPreviousPage: true,
    });
  });
});

describe('a connection', () => {
  it('names its first and last edge', () => {
    const page = { items: [4, 5, 6], hasNextPage: true, hasPreviousPage: false };
    const { edges, pageInfo } = toConnection(page, (item) => item, cursors);
    expect(edges.map((edge) => [edge.node, edge.cursor])).toEqual([4, 5, 6].map((node) => [node, cursor(node)]));
    expect(pageInfo).toEqual({
      hasNextPage: true,
      hasPreviousPage: false,
      startCursor: cursor(4),
      endCursor: cursor(6),
    });
  });

  it('that nobody holds goes with the quick collection of garbage', async () => {
    expect(await runScript(new URL('passing-garbage.ts', import.meta.url), 'connection')).toBe('gone\n');
  });

  it('has no cursors when it is empty', () => {
    const page = { items: [], hasNextPage: false, hasPreviousPage: false };
    expect(toConnection(page, (item: number) => item, cursors).pageInfo).toEqual({
      hasNextPage: false,
      hasPreviousPage: false,
      startCursor: null,
      endCursor: null,
    });
  });
});

describe('a cursor', () => {
  it('comes back as the key it was made of, and is no other list’s', () => {
    const [one, two] = ['one', 'two'].map((list) =>
      stringCursors<string>(
        list,
        (key) => key,
        (text) => text,
      ),
    );
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (key) => {
        expect(one!.decode(one!.encode(key))).toBe(key);
        expect(two!.decode(one!.encode(key))).toBeNull();
        expect(one!.encode(key)).toMatch(/^[\w-]*$/);
      }),
    );
  });
});

/** Asks for one page after the other, as a client does, of a store that holds the list. */
function walk(list: number[], first: number, direction: 'forward' | 'backward'): number[][] {
  const pages: number[][] = [];
  let edge: string | null = null;
  for (;;) {
    const request: PageRequest<number> = readPageRequest(
      direction === 'forward' ? { first, after: edge } : { last: first, before: edge },
      cursors,
    );
    const { edges, pageInfo } = toConnection(toPage(rowsOf(list, request), request), (item) => item, cursors);
    pages.push(edges.map(({ node }) => node));
    if (!(direction === 'forward' ? pageInfo.hasNextPage : pageInfo.hasPreviousPage)) return pages;
    edge = direction === 'forward' ? pageInfo.endCursor : pageInfo.startCursor;
  }
}

function rowsOf(list: number[], { limit, direction, after, before }: PageRequest<number>): number[] {
  const rows = list.filter((item) => (after === null || item > after) && (before === null || item < before));
  return (direction === 'forward' ? rows : rows.toReversed()).slice(0, limit + 1);
}

function refusalOf(args: PageArguments): BadUserInputError {
  try {
    readPageRequest(args, cursors);
  } catch (error) {
    return error as BadUserInputError;
  }
  throw new Error('nothing was refused');
}
