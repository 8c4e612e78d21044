import { Kind } from 'graphql';
import type { DocumentNode, FragmentDefinitionNode, SelectionSetNode } from 'graphql';
import { countMeetings } from './document-meetings.ts';

export interface DocumentLimits {
  tokens: number;
  depth: number;
  aliases: number;
  directives: number;
  /** Fields, counted where each fragment is spread. */
  fields: number;
  /** Of fields of one name in one place, each with each: what validation compares, in the whole document. */
  meetings: number;
}

export const DOCUMENT_LIMITS: DocumentLimits = {
  tokens: 1_000,
  depth: 12,
  aliases: 15,
  directives: 50,
  fields: 2_000,
  meetings: 10_000,
};

/** Of the text, in UTF-16 units. Some 16 for each token: an introspection has 2,000, an app's screen as many. */
const MAX_CHARACTERS = 16_000;
/** Whoever tells where an error is counts the lines from the start. Nobody writes more of them than tokens. */
const MAX_LINES = 1_000;

/** Whether a text is too long to be parsed. */
export function isTooLong(text: string): boolean {
  return text.length > MAX_CHARACTERS || text.split(/\r\n|[\n\r]/, MAX_LINES + 1).length > MAX_LINES;
}

/** Depth of the introspection query that every tool sends; it reads the schema, not the data. */
const INTROSPECTION_DEPTH = 16;

type Measure = Pick<DocumentLimits, 'depth' | 'aliases' | 'fields'>;

const NOTHING: Measure = { depth: 0, aliases: 0, fields: 0 };

/** Of a fragment that is being measured. */
const UNFINISHED: Measure = { ...NOTHING };

/**
 * Whether a document would cost too much; to be known before validation, whose own rules can be made to cost. Sizes are
 * those of the document with its fragments spread out, but each fragment is measured once: all but the meetings take
 * time in proportion to the text. OWASP GraphQL cheat sheet, "DoS prevention".
 */
export function isTooComplex(document: DocumentNode, limits: DocumentLimits): boolean {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions)
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  const measured = new Map<string, Measure>();
  let directives = 0;
  let isCircular = false;

  function measureFragment(name: string): Measure {
    const known = measured.get(name);
    isCircular ||= known === UNFINISHED;
    if (known) return known;
    const fragment = fragments.get(name);
    measured.set(name, UNFINISHED);
    // A circle, or an unknown fragment: validation will say so.
    const measure = fragment ? measureSelections(fragment.selectionSet) : NOTHING;
    measured.set(name, measure);
    return measure;
  }

  function measureSelections(selectionSet: SelectionSetNode): Measure {
    const sum = { ...NOTHING };
    for (const selection of selectionSet.selections) {
      directives += selection.directives?.length ?? 0;
      const inner =
        selection.kind === Kind.FRAGMENT_SPREAD
          ? measureFragment(selection.name.value)
          : selection.selectionSet
            ? measureSelections(selection.selectionSet)
            : NOTHING;
      const isField = selection.kind === Kind.FIELD;
      const isSchema = isField && selection.name.value === '__schema';
      const depth = isSchema && inner.depth < INTROSPECTION_DEPTH ? 1 : inner.depth + (isField ? 1 : 0);
      sum.depth = Math.max(sum.depth, depth);
      sum.aliases += inner.aliases + (isField && selection.alias ? 1 : 0);
      sum.fields += inner.fields + (isField ? 1 : 0);
    }
    return sum;
  }

  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) {
      // Also where nobody spreads it: validation walks it all the same. Its depth counts where it is spread, which
      // may be in an introspection.
      directives += definition.directives?.length ?? 0;
      if (exceeds({ ...measureFragment(definition.name.value), depth: 0 }, limits)) return true;
    }
    if (definition.kind !== Kind.OPERATION_DEFINITION) continue;
    directives += definition.directives?.length ?? 0;
    for (const variable of definition.variableDefinitions ?? []) directives += variable.directives?.length ?? 0;
    if (exceeds(measureSelections(definition.selectionSet), limits)) return true;
  }
  if (directives > limits.directives) return true;
  return !isCircular && countMeetings(document, fragments, limits.meetings) > limits.meetings;
}

function exceeds(measure: Measure, limits: DocumentLimits): boolean {
  return measure.depth > limits.depth || measure.aliases > limits.aliases || measure.fields > limits.fields;
}
