import type { FieldFunctionOptions, FieldPolicy, Reference } from '@apollo/client';
import type { StoredPageInfo } from './history.ts';

/** `Query.chats` as the cache keeps it. */
export interface StoredChats {
  __typename: 'ChatConnection';
  /** Of the first page. */
  changeCursor: string;
  edges: readonly StoredChatEdge[];
  pageInfo: StoredPageInfo;
}

export interface StoredChatEdge {
  __typename: 'ChatEdge';
  cursor: string;
  node: Reference;
}

type ReadField = FieldFunctionOptions['readField'];

/** One list, latest activity first, whichever way its chats came; a chat that has left the cache leaves it. */
export const chatListPolicy: FieldPolicy<StoredChats, StoredChats> = {
  keyArgs: false,
  read(list, { canRead, readField }) {
    if (!list) return list;
    const edges = list.edges
      .filter(({ node }) => canRead(node))
      .toSorted((a, b) => activityOf(b, readField).localeCompare(activityOf(a, readField)));
    return { ...list, edges, pageInfo: { ...list.pageInfo, startCursor: edges[0]?.cursor ?? null } };
  },
  merge(list, page, { args, readField }) {
    if (!list) return page;
    const isFirst = !args?.['after'];
    const kept = isFirst ? list.edges.filter((edge) => isBehind(edge, page, readField)) : list.edges;
    const edges = union(kept, page.edges);
    // The deeper of the two ends: where paging goes on.
    const isDeeper = !isFirst || kept.length === 0;
    return {
      ...page,
      changeCursor: isFirst ? page.changeCursor : list.changeCursor,
      edges,
      pageInfo: isDeeper ? page.pageInfo : list.pageInfo,
    };
  },
};

/** Puts a chat that was heard of into the list: where it is the older of what is not loaded yet, it waits for its page. */
export function joinChat(list: StoredChats, edge: StoredChatEdge, readField: ReadField): StoredChats {
  if (list.edges.some(({ node }) => node.__ref === edge.node.__ref)) return list;
  const isBelow = list.edges.every((other) => activityOf(other, readField) > activityOf(edge, readField));
  if (isBelow && list.pageInfo.hasNextPage) return list;
  return { ...list, edges: [...list.edges, edge] };
}

/** A first page tells of every chat down to its end: one that should be there and is not, is the viewer's no more. */
function isBehind(edge: StoredChatEdge, page: StoredChats, readField: ReadField): boolean {
  const end = page.edges.at(-1);
  if (!end || !page.pageInfo.hasNextPage) return false;
  return activityOf(edge, readField) < activityOf(end, readField);
}

function union(first: readonly StoredChatEdge[], second: readonly StoredChatEdge[]): StoredChatEdge[] {
  const renewed = new Set(second.map(({ node }) => node.__ref));
  return [...first.filter(({ node }) => !renewed.has(node.__ref)), ...second];
}

/** RFC 3339 in UTC: in the order of its characters. */
function activityOf({ node }: StoredChatEdge, readField: ReadField): string {
  return readField<string>('updatedAt', node) ?? '';
}
