import { PrismaPg } from '@prisma/adapter-pg';
import { execute } from 'graphql';
import { v7 as uuidv7 } from 'uuid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLoaders } from '../../src/features/loaders.ts';
import { createServices } from '../../src/features/services.ts';
import { PrismaClient } from '../../src/generated/prisma/client.ts';
import type { Context } from '../../src/graphql/context.ts';
import { createSchema } from '../../src/graphql/schema.ts';
import { createLogger } from '../../src/logger.ts';
import { createMemoryBroker } from '../../src/realtime/memory-broker.ts';
import { backend, startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { graphql } from '../support/generated/index.ts';
import type { ChatsScreenQuery, ConversationScreenQuery } from '../support/generated/graphql.ts';
import { openDirectChat, openGroup, registerPerson, send } from '../support/people.ts';
import type { Person } from '../support/people.ts';

const ChatsScreen = graphql(/* GraphQL */ `
  query ChatsScreen($first: Int!) {
    chats(first: $first) {
      edges {
        node {
          id
          kind
          title
          unreadCount
          lastMessage {
            body
            isRead
            author {
              firstName
            }
          }
          members {
            role
            user {
              firstName
              isOnline
            }
          }
        }
      }
    }
  }
`);

const ConversationScreen = graphql(/* GraphQL */ `
  query ConversationScreen($chatId: ID!, $last: Int!) {
    chat(id: $chatId) {
      unreadCount
      messages(last: $last) {
        edges {
          node {
            seq
            body
            isRead
            author {
              firstName
              isOnline
            }
            chat {
              id
              title
            }
          }
        }
      }
    }
  }
`);

/**
 * The page of chats, the last messages, the unread counts, the members, who has read, the people (of the last messages
 * and of the members, who are known at different moments) and their presence.
 */
const CHATS_SCREEN_STATEMENTS = 8;

/** The chat, its unread count, the page, its authors, who has read, the chat of each message, and presence. */
const CONVERSATION_SCREEN_STATEMENTS = 7;

describe.runIf(backend === 'distributed')('the number of statements', () => {
  let cluster: Cluster;
  let prisma: PrismaClient;
  let statements: string[];
  let run: <Data>(viewer: Person, document: unknown, variables: Record<string, unknown>) => Promise<Data>;
  let ann: Person;

  beforeAll(async () => {
    cluster = await startCluster();
    ann = await registerPerson(cluster, { firstName: 'Ann' });

    const counting = new PrismaClient({
      adapter: new PrismaPg({ connectionString: cluster.databaseUrl }),
      log: [{ emit: 'event', level: 'query' }],
    });
    counting.$on('query', ({ query }) => void statements.push(query));
    prisma = counting;
    const logger = createLogger('silent');
    const services = createServices({
      config: { jwtSecret: new Uint8Array(32), accessTokenTtlMs: 60_000, refreshTokenTtlMs: 60_000 },
      prisma,
      broker: createMemoryBroker(logger),
      nodeId: uuidv7(),
      logger,
    });
    const schema = createSchema();
    run = async (viewer, document, variables) => {
      const contextValue: Context = {
        viewer: { userId: viewer.id, sessionId: uuidv7(), expiresAt: Date.now() + 60_000 },
        selves: new Set([viewer.id]),
        requestId: 'counted',
        userAgent: null,
        services,
        loaders: createLoaders(services),
        prisma,
        openLine: () => {
          throw new Error('nothing is followed here');
        },
        liveLoaders: createLoaders(services),
      };
      statements = [];
      const result = await execute({ schema, document: document as never, variableValues: variables, contextValue });
      expect(result.errors).toBeUndefined();
      return result.data as never;
    };
  });

  afterAll(async () => {
    await prisma?.$disconnect();
    await cluster?.stop();
  });

  it('of a page of chats is the same for 2 as for 20', { timeout: 60_000 }, async () => {
    for (let n = 0; n < 20; n += 1) {
      const [bob, cleo] = (await Promise.all(
        ['Bob', 'Cleo'].map((firstName) => registerPerson(cluster, { firstName })),
      )) as [Person, Person];
      const chat = n % 2 ? await openDirectChat(ann, bob) : await openGroup(ann, [bob, cleo]);
      await send(ann, chat, 'hello');
      await send(bob, chat, 'answer');
    }

    for (const first of [2, 20]) {
      const { chats } = await run<ChatsScreenQuery>(ann, ChatsScreen, { first });
      expect(chats.edges).toHaveLength(first);
      for (const { node } of chats.edges) {
        expect(node).toMatchObject({ unreadCount: 1, lastMessage: { body: 'answer', author: { firstName: 'Bob' } } });
        expect(node.members).toHaveLength(node.kind === 'DIRECT' ? 2 : 3);
      }
      expect(statements).toHaveLength(CHATS_SCREEN_STATEMENTS);
    }
  });

  it('of a conversation is the same for 2 messages as for 50, whoever wrote them', async () => {
    const others = await Promise.all(Array.from({ length: 9 }, () => registerPerson(cluster, { firstName: 'Writer' })));
    const chat = await openGroup(ann, others);
    for (let n = 0; n < 50; n += 1) await send([ann, ...others][n % 10]!, chat, `${n}`);

    for (const last of [2, 50]) {
      const data = await run<ConversationScreenQuery>(ann, ConversationScreen, { chatId: chat.id, last });
      expect(data.chat?.unreadCount).toBe(45);
      const messages = data.chat!.messages.edges.map(({ node }) => node);
      expect(messages).toHaveLength(last);
      expect(new Set(messages.map(({ author }) => author?.firstName))).toContain('Writer');
      expect(statements).toHaveLength(CONVERSATION_SCREEN_STATEMENTS);
    }
  });
});
