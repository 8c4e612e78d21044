import { lexicographicSortSchema } from 'graphql';
import type { GraphQLSchema } from 'graphql';
import { builder } from './builder.ts';
import { boundFieldErrors } from './field-errors.ts';
import { takeTurns } from './mutation-turns.ts';
import '../features/accounts/account-schema.ts';
import '../features/chats/chat-schema.ts';
import '../features/messages/message-schema.ts';
import '../features/sessions/provider-schema.ts';
import '../features/sessions/session-schema.ts';
import '../features/users/user-schema.ts';

/** Every noun's types and operations, in one schema. The only file here that imports features. */
export function createSchema(): GraphQLSchema {
  return boundFieldErrors(takeTurns(lexicographicSortSchema(builder.toSchema())));
}
