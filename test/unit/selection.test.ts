import { Kind, parse } from 'graphql';
import type { FieldNode, FragmentDefinitionNode } from 'graphql';
import { expect, it } from 'vitest';
import { timesSelected } from '../../src/graphql/selection.ts';

/** Of all fields of the operation that are called `page`. */
function count(text: string, path = 'edges.node.body'): number {
  const fragments: Record<string, FragmentDefinitionNode> = {};
  const fieldNodes: FieldNode[] = [];
  for (const node of parse(text).definitions) {
    if (node.kind === Kind.FRAGMENT_DEFINITION) fragments[node.name.value] = node;
    if (node.kind === Kind.OPERATION_DEFINITION)
      for (const field of node.selectionSet.selections) if (field.kind === Kind.FIELD) fieldNodes.push(field);
  }
  const first = timesSelected({ fieldNodes, fragments }, path);
  expect(timesSelected({ fieldNodes, fragments }, path)).toBe(first);
  return first;
}

it.each([
  [0, '{ page { edges { node { id } cursor } } }'],
  [1, '{ page { edges { node { body } } } }'],
  [2, '{ page { edges { node { body again: body } } } }'],
  [1, '{ page { edges { node { body body ...F } } } } fragment F on Message { ... { body } }'],
  [5, '{ page { edges { node { a: body ...F } other: node { ...F } } } } fragment F on Message { b: body c: body }'],
  [2, '{ page { edges { node { body } } more: edges { node { body } } } }'],
  [1, '{ page { edges { node { body } } } page { edges { node { body } } } }'],
  [2, '{ page { edges { node { body } } } page { edges { node { too: body } } } }'],
  [0, '{ page { edges { node { chat { page { edges { node { body } } } } } } } }'],
])('%d: %s', (times, text) => {
  expect(count(text)).toBe(times);
});
