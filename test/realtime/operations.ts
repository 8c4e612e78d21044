import { graphql } from '../support/generated/index.ts';
import type { ChatRole, LiveChatsSubscription } from '../support/generated/graphql.ts';
import { openGroup } from '../support/people.ts';
import type { Person } from '../support/people.ts';
import type { Stream } from '../support/stream.ts';
import { eventually } from '../support/wait.ts';

/** What the stories of this folder ask of a server. */

export const Added = graphql(/* GraphQL */ `
  subscription LiveAdded($chatId: ID!, $afterSeq: Int) {
    messageAdded(chatId: $chatId, afterSeq: $afterSeq) {
      id
      seq
      body
      author {
        id
        firstName
      }
    }
  }
`);

export const Updated = graphql(/* GraphQL */ `
  subscription LiveUpdated($chatId: ID!, $afterRevision: Int) {
    messageUpdated(chatId: $chatId, afterRevision: $afterRevision) {
      id
      seq
      body
      isRead
      revision
      editedAt
      deletedAt
    }
  }
`);

export const Chats = graphql(/* GraphQL */ `
  subscription LiveChats {
    chatUpdated {
      id
      kind
      title
      unreadCount
      revision
      members {
        role
        user {
          id
        }
      }
      lastMessage {
        seq
        body
      }
    }
  }
`);

const History = graphql(/* GraphQL */ `
  query LiveHistory($chatId: ID!, $before: String) {
    chat(id: $chatId) {
      revision
      messages(last: 100, before: $before) {
        edges {
          node {
            id
            seq
            body
            isRead
            revision
            editedAt
            deletedAt
          }
        }
        pageInfo {
          hasPreviousPage
          startCursor
        }
      }
    }
  }
`);

const Edit = graphql(/* GraphQL */ `
  mutation LiveEdit($input: EditMessageInput!) {
    editMessage(input: $input) {
      revision
    }
  }
`);

const Delete = graphql(/* GraphQL */ `
  mutation LiveDelete($messageId: ID!) {
    deleteMessage(messageId: $messageId) {
      revision
    }
  }
`);

const MarkRead = graphql(/* GraphQL */ `
  mutation LiveMarkRead($chatId: ID!, $seq: Int!) {
    markRead(chatId: $chatId, seq: $seq) {
      unreadCount
    }
  }
`);

const Rename = graphql(/* GraphQL */ `
  mutation LiveRename($input: UpdateChatInput!) {
    updateChat(input: $input) {
      title
    }
  }
`);

const AddMembers = graphql(/* GraphQL */ `
  mutation LiveAddMembers($chatId: ID!, $userIds: [ID!]!) {
    addMembers(chatId: $chatId, userIds: $userIds) {
      id
    }
  }
`);

const RemoveMember = graphql(/* GraphQL */ `
  mutation LiveRemoveMember($chatId: ID!, $userId: ID!) {
    removeMember(chatId: $chatId, userId: $userId) {
      id
    }
  }
`);

const ChangeRole = graphql(/* GraphQL */ `
  mutation LiveChangeRole($chatId: ID!, $userId: ID!, $role: ChatRole!) {
    changeRole(chatId: $chatId, userId: $userId, role: $role) {
      id
    }
  }
`);

const Leave = graphql(/* GraphQL */ `
  mutation LiveLeave($chatId: ID!) {
    leaveChat(chatId: $chatId)
  }
`);

const DeleteChat = graphql(/* GraphQL */ `
  mutation LiveDeleteChat($chatId: ID!) {
    deleteChat(chatId: $chatId)
  }
`);

const Logout = graphql(/* GraphQL */ `
  mutation LiveLogout {
    logout
  }
`);

const DeleteAccount = graphql(/* GraphQL */ `
  mutation LiveDeleteAccount($password: String!) {
    deleteAccount(password: $password)
  }
`);

interface HasId {
  id: string;
}

export const editMessage = (by: Person, { id }: HasId, body: string) =>
  by.client().request(Edit, { input: { messageId: id, body } });
export const deleteMessage = (by: Person, { id }: HasId) => by.client().request(Delete, { messageId: id });
export const markRead = (by: Person, { id }: HasId, seq: number, nodeIndex = 0) =>
  by.client(nodeIndex).request(MarkRead, { chatId: id, seq });
export const rename = (by: Person, { id }: HasId, title: string) =>
  by.client().request(Rename, { input: { chatId: id, title } });
export const addMember = (by: Person, { id }: HasId, who: Person) =>
  by.client().request(AddMembers, { chatId: id, userIds: [who.id] });
export const removeMember = (by: Person, { id }: HasId, who: Person) =>
  by.client().request(RemoveMember, { chatId: id, userId: who.id });
export const changeRole = (by: Person, { id }: HasId, who: Person, role: ChatRole) =>
  by.client().request(ChangeRole, { chatId: id, userId: who.id, role });
export const leave = (who: Person, { id }: HasId) => who.client().request(Leave, { chatId: id });
export const deleteChat = (by: Person, { id }: HasId) => by.client().request(DeleteChat, { chatId: id });
export const logOut = (who: Person) => who.client().request(Logout);
export const deleteAccount = (who: Person) => who.client().request(DeleteAccount, { password: who.password });

/** The whole chat as its member reads it now, oldest first, and the revision that is no newer than what was read. */
export async function readHistory(who: Person, chat: HasId, nodeIndex = 0) {
  const read = async (before: string | null) => {
    const { chat: found } = await who.client(nodeIndex).request(History, { chatId: chat.id, before });
    if (!found) throw new Error('no such chat');
    return found;
  };
  let page = await read(null);
  const { revision } = page;
  const messages = page.messages.edges.map(({ node }) => node);
  while (page.messages.pageInfo.hasPreviousPage) {
    page = await read(page.messages.pageInfo.startCursor ?? null);
    messages.unshift(...page.messages.edges.map(({ node }) => node));
  }
  return { revision, messages };
}

/** first … last, as `seq`s come. */
export const seqs = (first: number, last: number): number[] =>
  Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index);

/** Does it `count` times, some at a time. */
export async function many<T>(count: number, act: (nth: number) => Promise<T>, atOnce = 8): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  const work = async () => {
    while (next < count) {
      const nth = next++;
      results[nth] = await act(nth);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return results;
}

export type LiveChat = LiveChatsSubscription['chatUpdated'];

/** A live `chatUpdated`, and a way to know that it has told everything so far. */
export interface ChatListening {
  readonly stream: Stream<LiveChatsSubscription>;
  /** What comes for the chat, up to the first that passes. What comes for others meanwhile is skipped. */
  until(chat: HasId, passes: (chat: LiveChat) => boolean): Promise<LiveChat>;
  /** What has come until now for any chat; proved complete by a change that was made after the others. */
  settle(): Promise<LiveChat[]>;
}

/** Nothing tells when a subscription is live: a group of the person's own is renamed until it is heard of. */
export async function listenToChats(who: Person, nodeIndex = 0): Promise<ChatListening> {
  const probe = await openGroup(who, [], 'probe');
  const stream = await who.client(nodeIndex).subscribe(Chats, {});
  let turn = 0;
  let title = '';
  const turnProbe = () => rename(who, probe, (title = `probe ${++turn}`));
  await eventually(async () => {
    await turnProbe();
    await stream.next(300);
  });

  async function settle(): Promise<LiveChat[]> {
    const heard: LiveChat[] = [];
    await turnProbe();
    for (;;) {
      const { chatUpdated } = await stream.next();
      if (chatUpdated.id !== probe.id) heard.push(chatUpdated);
      else if (chatUpdated.title === title) return heard;
    }
  }

  await settle();
  return {
    stream,
    settle,
    async until(chat, passes) {
      for (;;) {
        const { chatUpdated } = await stream.next();
        if (chatUpdated.id === chat.id && passes(chatUpdated)) return chatUpdated;
      }
    },
  };
}
