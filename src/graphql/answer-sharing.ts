import type { Plugin } from 'graphql-yoga';
import { execute, getOperationAST, isObjectType, print, TypeInfo, visit, visitWithTypeInfo } from 'graphql';
import type { DocumentNode, ExecutionArgs, GraphQLSchema, OperationDefinitionNode } from 'graphql';
import type { Logger } from '../logger.ts';
import { createSharedContext } from './context.ts';
import type { Context } from './context.ts';

/** What a subscription asks, whoever asks it. */
interface Question {
  /** The same for all who ask it with the same variables. */
  key: string;
  isPersonal: boolean;
  /** The variables that have a part in the answer. The subscription's own arguments say only what it is about. */
  variables: readonly string[];
}

/**
 * Subscribers who ask the same of the same feed share an execution and its serialisation. The schema says which fields
 * depend on the viewer; should it fail to, the shared context does, and nobody is given that answer.
 */
export function useAnswerSharing(logger: Logger): Plugin {
  const questions = new WeakMap<OperationDefinitionNode, Question>();

  function readQuestion({ schema, document }: ExecutionArgs, operation: OperationDefinitionNode): Question {
    const known = questions.get(operation);
    if (known) return known;
    const question = examine(schema, document, operation);
    questions.set(operation, question);
    return question;
  }

  return {
    onSubscribe({ args }) {
      const context = args.contextValue as unknown as Context;
      const operation = getOperationAST(args.document, args.operationName);
      if (!context.outlet || !operation) return;
      const question = readQuestion(args, operation);
      if (question.isPersonal) return;
      const onPersonal = () => {
        question.isPersonal = true;
        logger.warn({ operation: operation.name?.value }, 'a field that depends on the viewer is not marked');
      };
      context.share = {
        key: keyOf(args, question),
        createAnswer: () => createAnswer(args, context, onPersonal, question),
        outlet: context.outlet,
      };
    },
  };
}

/** Keeps nothing of the subscriber: it goes on answering when they have left. */
function createAnswer(
  { schema, document, operationName, variableValues }: ExecutionArgs,
  { services, liveLoaders, prisma }: Context,
  onPersonal: () => void,
  question: Question,
) {
  return async (event: unknown): Promise<string | null> => {
    if (question.isPersonal) return null;
    const contextValue = createSharedContext({ services, liveLoaders, prisma }, onPersonal);
    const args = { schema, document, operationName, variableValues, contextValue, rootValue: event };
    const result = await execute(args);
    // Errors are told to each for themself, with the id of their own request.
    return question.isPersonal || result.errors ? null : JSON.stringify(result);
  };
}

function keyOf({ variableValues }: ExecutionArgs, { key, variables }: Question): string {
  const values = variables.flatMap((variable) => {
    const value = variableValues && Object.hasOwn(variableValues, variable) ? variableValues[variable] : undefined;
    return value === undefined ? [] : [[variable, value]];
  });
  return values.length === 0 ? key : JSON.stringify([key, values]);
}

function examine(schema: GraphQLSchema, document: DocumentNode, { name }: OperationDefinitionNode): Question {
  const types = new TypeInfo(schema);
  const variables = new Set<string>();
  let isPersonal = false;
  const isOfSubscription = () => types.getParentType() === schema.getSubscriptionType() && !types.getDirective();
  visit(
    document,
    visitWithTypeInfo(types, {
      VariableDefinition: () => false,
      Argument: () => (isOfSubscription() ? false : undefined),
      Variable: ({ name }) => void variables.add(name.value),
      Field() {
        // Of an interface or a union nobody knows what it will be.
        const isKnown = isObjectType(types.getParentType());
        if (!isKnown || types.getFieldDef()?.extensions['viewerDependent'] === true) isPersonal = true;
      },
    }),
  );
  const key = JSON.stringify([document.loc?.source.body ?? print(document), name?.value]);
  return { key, isPersonal, variables: [...variables] };
}
