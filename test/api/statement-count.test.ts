import { execute } from 'graphql';
import { v7 as uuidv7 } from 'uuid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLoaders } from '../../src/features/loaders.ts';
import { createServices } from '../../src/features/services.ts';
import type { Services } from '../../src/features/services.ts';
import type { Context } from '../../src/graphql/context.ts';
import { secretKey } from '../../src/auth/signing-keys.ts';
import { Deadline } from '../../src/graphql/deadline.ts';
import { createSchema } from '../../src/graphql/schema.ts';
import { createLogger } from '../../src/logger.ts';
import { NO_METRICS } from '../../src/metrics/metrics.ts';
import { UNLIMITED } from '../../src/rate-limits/rate-limits.ts';
import { createMemoryBroker } from '../../src/realtime/memory-broker.ts';
import { backend, startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { graphql } from '../support/generated/index.ts';
import type {
  ChatsScreenQuery,
  ConversationScreenQuery,
  FindChatQuery,
  WhoAmIQuery,
} from '../support/generated/graphql.ts';
import { openDirectChat, openGroup, registerPerson, send } from '../support/people.ts';
import type { Person } from '../support/people.ts';
import { openWatched } from '../support/statements.ts';
import type { Statement, WatchedDatabase } from '../support/statements.ts';
import { eventually } from '../support/wait.ts';

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

const WhoAmI = graphql(/* GraphQL */ `
  query WhoAmI {
    me {
      id
    }
  }
`);

const FindChat = graphql(/* GraphQL */ `
  query FindChat($chatId: ID!) {
    chat(id: $chatId) {
      id
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
 * The page of chats, the last messages with their authors, the unread counts, the members as people, who has read, and
 * presence: of the authors and of the members, who are known at different moments.
 */
const CHATS_SCREEN_STATEMENTS = 6;

/** The chat, its unread count, the page with its authors, who has read, the chat of each message, and presence. */
const CONVERSATION_SCREEN_STATEMENTS = 6;

describe.runIf(backend === 'distributed')('the number of statements', () => {
  let cluster: Cluster;
  let database: WatchedDatabase;
  let statements: Statement[];
  let services: Services;
  let run: <Data>(viewer: Person, document: unknown, variables: Record<string, unknown>) => Promise<Data>;
  let ann: Person;

  beforeAll(async () => {
    cluster = await startCluster();
    ann = await registerPerson(cluster, { firstName: 'Ann' });

    database = await openWatched(cluster.databaseUrl!);
    statements = database.statements;
    const logger = createLogger('silent');
    services = createServices({
      config: {
        jwtSecret: new Uint8Array(32),
        formerJwtSecret: undefined,
        signingKey: secretKey(new Uint8Array(32)),
        formerSigningKeys: [],
        provider: undefined,
        accessTokenTtlMs: 60_000,
        refreshTokenTtlMs: 60_000,
      },
      prisma: database.prisma,
      query: database.query,
      broker: createMemoryBroker(logger),
      rateLimits: UNLIMITED,
      nodeId: uuidv7(),
      logger,
    });
    const schema = createSchema();
    const loadersFor = createLoaders(services);
    run = async (viewer, document, variables) => {
      const contextValue: Context = {
        viewer: { userId: viewer.id, sessionId: uuidv7(), expiresAt: Date.now() + 60_000 },
        selves: [viewer.id],
        requestId: 'counted',
        client: { address: '', userAgent: null },
        deadline: new Deadline(() => false),
        services,
        loaders: loadersFor({ person: 'somebody', cancellation: new Deadline(() => false) }),
        prisma: database.prisma,
        openLine: () => {
          throw new Error('nothing is followed here');
        },
        liveLoaders: loadersFor,
        metrics: NO_METRICS,
      };
      const result = await execute({ schema, document: document as never, variableValues: variables, contextValue });
      expect(result.errors).toBeUndefined();
      return result.data as never;
    };
  });

  afterAll(async () => {
    await database?.close();
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
      statements.length = 0;
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
      statements.length = 0;
      const data = await run<ConversationScreenQuery>(ann, ConversationScreen, { chatId: chat.id, last });
      expect(data.chat?.unreadCount).toBe(45);
      const messages = data.chat!.messages.edges.map(({ node }) => node);
      expect(messages).toHaveLength(last);
      expect(new Set(messages.map(({ author }) => author?.firstName))).toContain('Writer');
      expect(statements).toHaveLength(CONVERSATION_SCREEN_STATEMENTS);
    }
  });

  it('of 50 people who ask at once who they are is 1', async () => {
    const people = await Promise.all(Array.from({ length: 3 }, () => registerPerson(cluster)));
    const asking = Array.from({ length: 50 }, (_, nth) => people[nth % 3]!);
    statements.length = 0;
    // Each in a turn of its own, as requests are read from their sockets.
    const answers = await Promise.all(
      asking.map(async (person) => {
        await new Promise((resolve) => setImmediate(resolve));
        return run<WhoAmIQuery>(person, WhoAmI, {});
      }),
    );
    expect(answers.map(({ me }) => me.id)).toEqual(asking.map(({ id }) => id));
    expect(statements).toHaveLength(1);
  });

  it('of several people who ask at once for each other’s chats is 1, and each finds their own alone', async () => {
    const [bob, cleo] = (await Promise.all(
      ['Bob', 'Cleo'].map((firstName) => registerPerson(cluster, { firstName })),
    )) as [Person, Person];
    const group = await openGroup(ann, [bob]);
    const pair = await openDirectChat(bob, cleo);
    statements.length = 0;
    const asked = [ann, bob, cleo].flatMap((person) => [group, pair].map(({ id }) => ({ person, id })));
    const found = await Promise.all(
      asked.map(({ person, id }) => run<FindChatQuery>(person, FindChat, { chatId: id })),
    );
    expect(found.map(({ chat }) => chat?.id ?? null)).toEqual([group.id, null, group.id, pair.id, null, pair.id]);
    expect(statements).toHaveLength(1);
  });

  it('of 500 sends into 20 chats at once, each of them twice, is 1: as of one that comes alone', async () => {
    const chats = await Promise.all(Array.from({ length: 20 }, () => openGroup(ann, [])));
    const viewer = { userId: ann.id, sessionId: uuidv7(), expiresAt: Date.now() + 60_000 };
    for (const count of [1, 250]) {
      const inputs = Array.from({ length: count }, (_, nth) => ({
        chatId: chats[nth % 20]!.id,
        body: `${nth}`,
        clientId: `${count}: ${nth}`,
      }));
      statements.length = 0;
      const all = count === 1 ? inputs : [...inputs, ...inputs];
      const sent = await Promise.all(all.map((input) => services.messages.send(viewer, input)));
      expect(sent.map(({ body }) => body)).toEqual(all.map(({ body }) => body));
      expect(new Set(sent.map(({ id }) => id)).size).toBe(count);
      expect(statements).toHaveLength(1);
    }
  });

  it('of 50 sends at once that somebody on this node listens to is 1: the listener has them without a read', async () => {
    const chat = await openGroup(ann, []);
    const viewer = { userId: ann.id, sessionId: uuidv7(), expiresAt: Date.now() + 60_000 };
    const heard = await services.messages.followAdded(viewer, chat.id, null);
    // A feed reads until it has compared itself with the database.
    let last = 0;
    await eventually(async () => {
      statements.length = 0;
      await services.messages.send(viewer, { chatId: chat.id, body: 'before' });
      last = (await heard.next()).value!.seq;
      expect(statements).toHaveLength(1);
    });
    statements.length = 0;
    const sends = Array.from({ length: 50 }, (_, nth) =>
      services.messages.send(viewer, { chatId: chat.id, body: `${nth}` }),
    );
    for (let seq = last + 1; seq <= last + 50; seq += 1) expect((await heard.next()).value).toMatchObject({ seq });
    await Promise.all(sends);
    expect(statements).toHaveLength(1);
    await heard.return();
  });
});
