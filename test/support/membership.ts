import { graphql } from './generated/index.ts';
import type { ChatRole } from './generated/graphql.ts';
import type { Person } from './people.ts';

export const AddMembers = graphql(/* GraphQL */ `
  mutation AddMembers($chatId: ID!, $userIds: [ID!]!) {
    addMembers(chatId: $chatId, userIds: $userIds) {
      id
      members {
        role
        lastReadSeq
        user {
          id
        }
      }
    }
  }
`);

export const RemoveMember = graphql(/* GraphQL */ `
  mutation RemoveMember($chatId: ID!, $userId: ID!) {
    removeMember(chatId: $chatId, userId: $userId) {
      id
      lastMessage {
        seq
      }
      members {
        user {
          id
        }
      }
    }
  }
`);

export const LeaveChat = graphql(/* GraphQL */ `
  mutation LeaveChat($chatId: ID!) {
    leaveChat(chatId: $chatId)
  }
`);

export const ChangeRole = graphql(/* GraphQL */ `
  mutation ChangeRole($chatId: ID!, $userId: ID!, $role: ChatRole!) {
    changeRole(chatId: $chatId, userId: $userId, role: $role) {
      id
      members {
        role
        user {
          id
        }
      }
    }
  }
`);

interface Place {
  id: string;
}

export async function addMember(by: Person, chat: Place, person: Person): Promise<void> {
  await by.client().request(AddMembers, { chatId: chat.id, userIds: [person.id] });
}

export async function removeMember(by: Person, chat: Place, person: Person): Promise<void> {
  await by.client().request(RemoveMember, { chatId: chat.id, userId: person.id });
}

export async function changeRole(by: Person, chat: Place, person: Person, role: ChatRole): Promise<void> {
  await by.client().request(ChangeRole, { chatId: chat.id, userId: person.id, role });
}

export async function leaveChat(person: Person, chat: Place): Promise<void> {
  await person.client().request(LeaveChat, { chatId: chat.id });
}
