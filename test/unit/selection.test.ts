import { Kind, parse } from 'graphql';
import type { FieldNode, FragmentDefinitionNode } from 'graphql';
import { expect, it } from 'vitest';
import { fieldsSelected, timesSelected } from '../../src/graphql/selection.ts';

/** All fields of the operation, as if they were one. */
function readPlace(text: string) {
  const fragments: Record<string, FragmentDefinitionNode> = {};
  const fieldNodes: FieldNode[] = [];
  for (const node of parse(text).definitions) {
    if (node.kind === Kind.FRAGMENT_DEFINITION) fragments[node.name.value] = node;
    if (node.kind === Kind.OPERATION_DEFINITION)
      for (const field of node.selectionSet.selections) if (field.kind === Kind.FIELD) fieldNodes.push(field);
  }
  return { fieldNodes, fragments };
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
  const place = readPlace(text);
  for (let turn = 0; turn < 2; turn += 1) expect(timesSelected(place, 'edges.node.body')).toBe(times);
});

it.each([
  [0, '{ list }'],
  [2, '{ list { role joinedAt } }'],
  [3, '{ list { role again: role role more: role } }'],
  [4, '{ list { user { id firstName name: firstName } } }'],
  [7, '{ list { user { id ...F } who: user { ...F } } } fragment F on User { firstName ... { lastName: avatarUrl } }'],
  [3, '{ list { ...M } } fragment M on ChatMember { role ...N } fragment N on ChatMember { user { id } role }'],
  [3, '{ list { role user { id } } list { role user { id } } }'],
  [4, '{ list { role user { id } } list { user { firstName } } }'],
  [2, '{ list { role @skip(if: true) joinedAt @include(if: false) } }'],
])('%d beneath it: %s', (fields, text) => {
  const place = readPlace(text);
  for (let turn = 0; turn < 2; turn += 1) {
    expect(fieldsSelected(place)).toBe(fields);
    expect(timesSelected(place, 'user.email')).toBe(0);
  }
});
