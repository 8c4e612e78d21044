import type { GraphQLSchema } from 'graphql';
import type { Context } from './context.ts';

/** The mark of a mutation whose statement is shared with those of others: one person alone cannot have many. */
export const COALESCED = { coalesced: true } as const;

/** Of what one person has done, so much is under way at a time: the connections to the database are for everybody. */
export function takeTurns(schema: GraphQLSchema): GraphQLSchema {
  for (const field of Object.values(schema.getMutationType()!.getFields())) {
    const { resolve } = field;
    if (!resolve || field.extensions['coalesced']) continue;
    // Who is not signed in is limited by address, and nobody else at the same address is to wait for them.
    field.resolve = (root, args, context: Context, info) =>
      context.viewer
        ? context.loaders.inTurn(() => resolve(root, args, context, info))
        : resolve(root, args, context, info);
  }
  return schema;
}
