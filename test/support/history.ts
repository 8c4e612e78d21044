import { graphql } from './generated/index.ts';
import type { ReadHistoryQuery } from './generated/graphql.ts';
import type { Person } from './people.ts';

const ReadHistory = graphql(/* GraphQL */ `
  query ReadHistory($chatId: ID!, $after: String) {
    chat(id: $chatId) {
      messages(first: 100, after: $after) {
        edges {
          node {
            id
            seq
            type
            body
            extraData
            clientId
            isRead
            createdAt
            editedAt
            deletedAt
            author {
              id
            }
          }
        }
        pageInfo {
          hasNextPage
          endCursor
        }
      }
    }
  }
`);

export type HistoryMessage = NonNullable<ReadHistoryQuery['chat']>['messages']['edges'][number]['node'];

/** Everything that was said, from the first message on. */
export async function readHistory(person: Person, chat: { id: string }): Promise<HistoryMessage[]> {
  const messages: HistoryMessage[] = [];
  let after: string | null | undefined;
  do {
    const data = await person.client().request(ReadHistory, { chatId: chat.id, after });
    if (!data.chat) throw new Error(`${person.firstName} sees no such chat`);
    messages.push(...data.chat.messages.edges.map(({ node }) => node));
    after = data.chat.messages.pageInfo.hasNextPage ? data.chat.messages.pageInfo.endCursor : null;
  } while (after != null);
  return messages;
}

/** 1, 2, 3 … to the last. */
export const seqsTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1);
