import { Kind } from 'graphql';
import type { DocumentNode, FragmentDefinitionNode, SelectionSetNode } from 'graphql';

/** Fields of one response name, and what they select. */
interface Group {
  size: number;
  inner: SelectionSetNode[];
}

/** What no field is called. */
const SPREADS = '...';

/**
 * How often two fields of one response name meet in one place of an answer, or one meets itself. Validation compares
 * such pairs, to know that they can be merged (GraphQL, 5.3.2), each a few times at most, and spreads in one place
 * likewise: these count as fields of one name. An answer above the limit says only that it is passed: the count ends
 * there, and takes time in proportion to itself. Of a circle of fragments it would not find the end before.
 */
export function countMeetings(
  document: DocumentNode,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
  limit: number,
): number {
  let count = 0;

  /** Of all that is selected in one place. */
  function visit(selectionSets: readonly SelectionSetNode[]): void {
    const groups = new Map<string, Group>();
    const spread = new Set<string>();

    function meet(name: string): Group {
      const group = groups.get(name) ?? { size: 0, inner: [] };
      groups.set(name, group);
      group.size += 1;
      count += group.size;
      return group;
    }

    function collect({ selections }: SelectionSetNode): void {
      for (const selection of selections) {
        if (count > limit) return;
        if (selection.kind === Kind.FIELD) {
          const group = meet((selection.alias ?? selection.name).value);
          if (selection.selectionSet) group.inner.push(selection.selectionSet);
        } else if (selection.kind === Kind.INLINE_FRAGMENT) {
          count += 1;
          collect(selection.selectionSet);
        } else {
          meet(SPREADS);
          const name = selection.name.value;
          const fragment = spread.has(name) ? undefined : fragments.get(name);
          spread.add(name);
          if (fragment) collect(fragment.selectionSet);
        }
      }
    }

    selectionSets.forEach(collect);
    for (const { inner } of groups.values()) if (inner.length > 0) visit(inner);
  }

  // Fragments also by themselves: nobody need spread one, and of two with the same name only one is spread.
  for (const definition of document.definitions) if ('selectionSet' in definition) visit([definition.selectionSet]);
  return count;
}
