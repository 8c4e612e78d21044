import { GraphQLError, isObjectType } from 'graphql';
import type { ExecutionResult, GraphQLFieldResolver, GraphQLSchema } from 'graphql';
import type { ErrorCode } from '../errors.ts';

/** More than a full page has items would be told nobody; each costs far more than the field that it stands for. */
export const MAX_FIELD_ERRORS = 100;

/** Of an answer, or of a document, that is refused, more than these a client does not need to mend it. */
export const MAX_ERRORS = 5;

/** In place of every error beyond the last that counts. It has a path, so that the executor makes no other of it. */
const SURPLUS = new GraphQLError('Too many fields have failed.', {
  path: [],
  extensions: { code: 'QUERY_TOO_COMPLEX' satisfies ErrorCode },
});

/**
 * Once more have failed, no field of an answer is resolved any more. What fails is counted where it is thrown,
 * since a field that may not be null takes its neighbours' errors away with it, after each has been made.
 */
export function boundFieldErrors(schema: GraphQLSchema): GraphQLSchema {
  const subscription = schema.getSubscriptionType();
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type) || type.name.startsWith('__')) continue;
    for (const field of Object.values(type.getFields())) {
      if (!field.resolve) continue;
      if (type === subscription) field.resolve = forgetting(field.resolve);
      // Without a context it reads what is there already.
      else if (field.resolve.length > 2) field.resolve = counting(field.resolve);
    }
  }
  return schema;
}

type Resolve = GraphQLFieldResolver<unknown, object>;

/** By the context: an operation has one of its own, a subscription one for all its events, which come in turn. */
const failures = new WeakMap<object, number>();

function counting(resolve: Resolve): Resolve {
  return (parent, args, context, info) => {
    if ((failures.get(context) ?? 0) > MAX_FIELD_ERRORS) throw SURPLUS;
    const fail = (error: unknown): never => {
      const count = (failures.get(context) ?? 0) + 1;
      failures.set(context, count);
      throw count > MAX_FIELD_ERRORS ? SURPLUS : error;
    };
    try {
      const result = resolve(parent, args, context, info);
      return result instanceof Promise ? result.catch(fail) : result;
    } catch (error) {
      return fail(error);
    }
  };
}

function forgetting(resolve: Resolve): Resolve {
  return (event, args, context, info) => {
    failures.delete(context);
    return resolve(event, args, context, info);
  };
}

/**
 * The result, or null with the first of its errors where there are too many. GraphQL specification, "Data": it is null
 * where an error prevented a valid response. Nobody is left with a null that has no error.
 */
export function boundResult<Result extends ExecutionResult>(result: Result): Result {
  const { errors } = result;
  const own = errors?.filter((error) => error !== SURPLUS && error.originalError !== SURPLUS);
  if (!own || (own.length === errors!.length && own.length <= MAX_FIELD_ERRORS)) return result;
  return { ...result, data: null, errors: own.length > 0 ? own.slice(0, MAX_ERRORS) : [SURPLUS] };
}
