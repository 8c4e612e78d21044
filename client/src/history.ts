import type { Reference } from '@apollo/client';

/** `Chat.messages` as the cache keeps it. */
export interface StoredHistory {
  __typename: 'MessageConnection';
  edges: readonly StoredEdge[];
  pageInfo: StoredPageInfo;
}

export interface StoredEdge {
  __typename?: 'MessageEdge';
  cursor: string;
  node: Reference;
}

export interface StoredPageInfo {
  __typename?: 'PageInfo';
  hasPreviousPage: boolean;
  hasNextPage: boolean;
  startCursor: string | null;
  endCursor: string | null;
}

export type SeqOf = (node: Reference) => number;

/*
 * A chat's list in the cache never has a hole: seq is 1, 2, 3 … without a gap, so what touches the list is known by its
 * number, and so is what lies before it. What does not touch it waits for its turn, or takes the list's place.
 */

/** A page: joined where it touches the list. Else the newer of the two stays; older ones are a scroll away. */
export function joinPage(list: StoredHistory | undefined, page: StoredHistory, seqOf: SeqOf): StoredHistory {
  const isLast = (edges: readonly StoredEdge[]) =>
    edges.length > 0 && (!page.edges.length || lastSeq(edges, seqOf) > lastSeq(page.edges, seqOf));
  const ownsEnd = list && isLast(list.edges) ? list : page;
  return withEnds(joinEdges(list?.edges ?? [], page.edges, seqOf), ownsEnd.pageInfo.hasNextPage, seqOf);
}

/**
 * Messages that came one by one, in whatever order. Those that are further ahead than the next one are left out: they
 * come again, behind what is missing.
 */
export function joinLive(list: StoredHistory, live: readonly StoredEdge[], seqOf: SeqOf): StoredHistory {
  let { edges } = list;
  for (const edge of live.toSorted((a, b) => seqOf(a.node) - seqOf(b.node))) {
    const isAhead = edges.length > 0 ? seqOf(edge.node) > lastSeq(edges, seqOf) + 1 : seqOf(edge.node) > 1;
    if (!isAhead) edges = joinEdges(edges, [edge], seqOf);
  }
  if (edges === list.edges) return list;
  const hasGrown = list.edges.length === 0 || lastSeq(edges, seqOf) > lastSeq(list.edges, seqOf);
  return withEnds(edges, hasGrown ? false : list.pageInfo.hasNextPage, seqOf);
}

/** The newest so many. */
export function keepNewest(list: StoredHistory, count: number, seqOf: SeqOf): StoredHistory {
  if (list.edges.length <= count) return list;
  return withEnds(list.edges.slice(-count), list.pageInfo.hasNextPage, seqOf);
}

export function lastSeq(edges: readonly StoredEdge[], seqOf: SeqOf): number {
  const last = edges.at(-1);
  return last ? seqOf(last.node) : 0;
}

function joinEdges(list: readonly StoredEdge[], incoming: readonly StoredEdge[], seqOf: SeqOf): readonly StoredEdge[] {
  if (list.length === 0 || incoming.length === 0) return list.length === 0 ? incoming : list;
  const [listFirst, first] = [seqOf(list[0]!.node), seqOf(incoming[0]!.node)];
  const [listEnd, end] = [listFirst + list.length, first + incoming.length];
  if (first > listEnd) return incoming;
  if (end < listFirst) return list;
  return [
    ...list.slice(0, Math.max(0, first - listFirst)),
    ...incoming,
    ...list.slice(Math.max(0, Math.min(list.length, end - listFirst))),
  ];
}

function withEnds(edges: readonly StoredEdge[], hasNextPage: boolean, seqOf: SeqOf): StoredHistory {
  const [first, last] = [edges[0], edges.at(-1)];
  return {
    __typename: 'MessageConnection',
    edges,
    pageInfo: {
      __typename: 'PageInfo',
      hasPreviousPage: first !== undefined && seqOf(first.node) > 1,
      hasNextPage,
      startCursor: first?.cursor ?? null,
      endCursor: last?.cursor ?? null,
    },
  };
}
