import type { GraphQLSchema } from 'graphql';
import type { Context } from './context.ts';

/** The mark of a mutation whose statement is shared with those of others: one person alone cannot have many. */
export const COALESCED = { coalesced: true } as const;

/**
 * The mark of a mutation that takes rights away: it waits for others of its own session alone, so that whoever has a token
 * that was stolen does not keep the owner from ending it.
 */
export const OF_SESSION = { turnsOfSession: true } as const;

/** Of what one person has done, so much is under way at a time: the connections to the database are for everybody. */
export function takeTurns(schema: GraphQLSchema): GraphQLSchema {
  for (const field of Object.values(schema.getMutationType()!.getFields())) {
    const { resolve } = field;
    if (!resolve) continue;
    const isCoalesced = field.extensions['coalesced'] === true;
    const isOfSession = field.extensions['turnsOfSession'] === true;
    field.resolve = (root, args, context: Context, info) => {
      const { viewer, loaders } = context;
      const run = () => resolve(root, args, context, info);
      // Who is not signed in is limited by address, and nobody else at the same address is to wait for them.
      if (!viewer) return run();
      // Those before it in the document may have taken long.
      if (isCoalesced) return loaders.whileSignedIn(run);
      return loaders.inTurn(run, isOfSession ? viewer.sessionId : undefined);
    };
  }
  return schema;
}
