import type { Plugin, YogaInitialContext } from 'graphql-yoga';
import { getOperationAST, Kind } from 'graphql';
import type { DocumentNode, GraphQLSchema, OperationDefinitionNode, SelectionSetNode } from 'graphql';
import type { LimitedOperation, RateLimits } from '../rate-limits/rate-limits.ts';
import type { Context } from './context.ts';

/** The mark of a root field that each address may ask for so often. */
export const limitedByAddress = (operation: LimitedOperation) => ({ limitedByAddress: operation });

type Counts = ReadonlyMap<LimitedOperation, number>;

/**
 * Counts what an operation asks for against the address that it comes from, each alias singly, before any of it is run:
 * so it is refused as a whole, with a status, whatever the transport.
 */
export interface AddressLimits {
  /** What of a sound document's operation is limited; null: nothing. */
  find(document: DocumentNode, operationName?: string | null): Counts | null;
  /** @throws RateLimitedError */
  count(counts: Counts, address: string): Promise<void>;
}

export function createAddressLimits(schema: GraphQLSchema, countAddress: RateLimits['countAddress']): AddressLimits {
  const known = new WeakMap<OperationDefinitionNode, Counts>();
  return {
    find(document, operationName) {
      const operation = getOperationAST(document, operationName);
      if (!operation) return null;
      const counts = known.get(operation) ?? countLimited(schema, document, operation);
      known.set(operation, counts);
      return counts.size > 0 ? counts : null;
    },
    async count(counts, address) {
      for (const [operation, times] of counts) await countAddress(operation, address, times);
    },
  };
}

/** The same for what comes by Yoga. */
export function useAddressLimits({ find, count }: AddressLimits): Plugin {
  return {
    onValidate({ params: { documentAST }, context, extendContext }) {
      return ({ valid }) => {
        const { operationName } = (context as unknown as YogaInitialContext).params;
        const limited = valid ? find(documentAST, operationName) : null;
        if (limited) extendContext({ limited } as object);
      };
    },
    onContextBuilding({ context }) {
      const { limited, client } = context as unknown as Context & { limited?: Counts };
      return limited && count(limited, client.address);
    },
  };
}

/** What the document spells out at the root, also what a directive would skip; fields of one name are run once. */
export function countLimited(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
): Counts {
  const fields = schema.getRootType(operation.operation)!.getFields();
  const fragments = new Map(
    document.definitions.flatMap((node) => (node.kind === Kind.FRAGMENT_DEFINITION ? [[node.name.value, node]] : [])),
  );
  const limited = new Map<string, LimitedOperation>();

  function look({ selections }: SelectionSetNode): void {
    for (const selection of selections) {
      if (selection.kind === Kind.FIELD) {
        const mark = fields[selection.name.value]?.extensions['limitedByAddress'] as LimitedOperation | undefined;
        if (mark) limited.set((selection.alias ?? selection.name).value, mark);
      } else if (selection.kind === Kind.INLINE_FRAGMENT) look(selection.selectionSet);
      else {
        const fragment = fragments.get(selection.name.value);
        // Once: spread again, it has the same names.
        fragments.delete(selection.name.value);
        if (fragment) look(fragment.selectionSet);
      }
    }
  }

  look(operation.selectionSet);
  const counts = new Map<LimitedOperation, number>();
  for (const mark of limited.values()) counts.set(mark, (counts.get(mark) ?? 0) + 1);
  return counts;
}
