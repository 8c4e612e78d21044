import { Kind } from 'graphql';
import type { FieldNode, GraphQLResolveInfo, SelectionSetNode } from 'graphql';

type Place = Pick<GraphQLResolveInfo, 'fieldNodes' | 'fragments'>;

/** Instead of a path: whatever it leads to. */
const EVERYTHING = '*';

const known = new WeakMap<FieldNode, Map<string, number>>();

/**
 * At how many places of its answer a field shows what lies behind the path, under one name or several: of a page of
 * messages, how often each of them tells its `edges.node.body`. What a directive leaves out is counted.
 */
export function timesSelected(place: Place, path: string): number {
  return countOnce(place, path);
}

/** How many fields of its answer lie beneath a field, however deep, each under every name. Counted likewise. */
export function fieldsSelected(place: Place): number {
  return countOnce(place, EVERYTHING);
}

function countOnce(place: Place, path: string): number {
  const node = place.fieldNodes[0]!;
  if (place.fieldNodes.length > 1) return count(place, path);
  let counts = known.get(node);
  if (!counts) known.set(node, (counts = new Map()));
  let times = counts.get(path);
  if (times === undefined) counts.set(path, (times = count(place, path)));
  return times;
}

function count({ fieldNodes, fragments }: Place, path: string): number {
  const names = path.split('.');
  const places = new Set<string>();

  function look({ selections }: SelectionSetNode, depth: number, before: string): void {
    for (const selection of selections) {
      if (selection.kind === Kind.INLINE_FRAGMENT) look(selection.selectionSet, depth, before);
      else if (selection.kind === Kind.FRAGMENT_SPREAD)
        look(fragments[selection.name.value]!.selectionSet, depth, before);
      else if (path === EVERYTHING || selection.name.value === names[depth]) {
        const here = `${before}.${(selection.alias ?? selection.name).value}`;
        if (path === EVERYTHING || depth === names.length - 1) places.add(here);
        if (selection.selectionSet) look(selection.selectionSet, depth + 1, here);
      }
    }
  }

  for (const { selectionSet } of fieldNodes) if (selectionSet) look(selectionSet, 0, '');
  return places.size;
}
