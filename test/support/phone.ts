import { setTimeout as delay } from 'node:timers/promises';
import type { ChatView, MessageView } from './chat-model.ts';
import { GraphQLRequestError } from './document.ts';
import type { Client } from './client.ts';
import { graphql } from './generated/index.ts';
import type { PhoneChatFragment, PhoneMessageFragment } from './generated/graphql.ts';
import type { Socket } from './sockets.ts';
import { ConnectionClosedError } from './stream.ts';
import type { Stream } from './stream.ts';

export const PhoneMessage = graphql(/* GraphQL */ `
  fragment PhoneMessage on Message {
    id
    seq
    body
    clientId
    isRead
    revision
    editedAt
    deletedAt
    author {
      id
    }
  }
`);

export const PhoneChat = graphql(/* GraphQL */ `
  fragment PhoneChat on Chat {
    id
    kind
    title
    unreadCount
    revision
    changeCursor
    members {
      role
      lastReadSeq
      user {
        id
      }
    }
    lastMessage {
      seq
    }
  }
`);

const List = graphql(/* GraphQL */ `
  query PhoneList {
    chats(first: 100) {
      changeCursor
      edges {
        node {
          id
        }
      }
    }
  }
`);

const Open = graphql(/* GraphQL */ `
  query PhoneOpen($chatId: ID!) {
    chat(id: $chatId) {
      ...PhoneChat
      messages(last: 100) {
        edges {
          node {
            ...PhoneMessage
          }
        }
      }
    }
  }
`);

const ChatUpdated = graphql(/* GraphQL */ `
  subscription PhoneChatUpdated($after: String) {
    chatUpdated(after: $after) {
      ...PhoneChat
    }
  }
`);

const MessageAdded = graphql(/* GraphQL */ `
  subscription PhoneMessageAdded($chatId: ID!, $afterSeq: Int) {
    messageAdded(chatId: $chatId, afterSeq: $afterSeq) {
      ...PhoneMessage
    }
  }
`);

const MessageUpdated = graphql(/* GraphQL */ `
  subscription PhoneMessageUpdated($chatId: ID!, $afterRevision: Int) {
    messageUpdated(chatId: $chatId, afterRevision: $afterRevision) {
      ...PhoneMessage
    }
  }
`);

interface Held {
  chat: PhoneChatFragment;
  messages: Map<number, PhoneMessageFragment>;
  /** The highest that was seen. */
  seq: number;
  revision: number;
}

const FOREVER_MS = 3_600_000;

/**
 * Somebody's phone: it reads each chat once, when it first hears of it, and from then on keeps what it has up to date
 * from events alone, over whatever becomes of its connection.
 */
export class Phone {
  /** What no server may do to a client: a gap, a repeat, a step back, an error without a cause. */
  readonly complaints: string[] = [];
  readonly #personId: string;
  readonly #client: (nodeIndex: number) => Client;
  readonly #chats = new Map<string, Held>();
  #cursor: string | null = null;
  #online = false;
  #node: number;
  #socket: Socket | undefined;
  #running = Promise.resolve();
  #signedOut = false;

  constructor(personId: string, client: (nodeIndex: number) => Client, node: number) {
    this.#personId = personId;
    this.#client = client;
    this.#node = node;
    this.goOnline();
  }

  get online(): boolean {
    return this.#online;
  }

  /** The server has ended its session. */
  get signedOut(): boolean {
    return this.#signedOut;
  }

  goOnline(): void {
    if (this.#online) return;
    this.#online = true;
    this.#running = this.#running.then(() => this.#run());
  }

  async goOffline(): Promise<void> {
    this.#online = false;
    await this.#socket?.close();
    await this.#running;
  }

  /** It comes back by itself, at the next node. */
  async dropConnection(): Promise<void> {
    await this.#socket?.close();
  }

  view(): ChatView[] {
    return [...this.#chats.values()]
      .map(({ chat, messages }) => toChatView(chat, [...messages.values()], this.#personId))
      .toSorted((a, b) => (a.id < b.id ? -1 : 1));
  }

  async #run(): Promise<void> {
    for (; this.#online; this.#node += 1) {
      try {
        const client = this.#client(this.#node);
        const socket = await client.openSocket();
        this.#socket = socket;
        if (!this.#online) return await socket.close();
        await this.#follow(client, socket);
        const { code } = await socket.closed;
        this.#signedOut = code === 4401;
      } catch (error) {
        await this.#socket?.close();
        this.#signedOut = isSignedOut(error);
        if (error instanceof GraphQLRequestError && !this.#signedOut)
          this.complaints.push(`was refused: ${error.message}`);
      }
      if (this.#signedOut) this.#online = false;
      await delay(20);
    }
  }

  async #follow(client: Client, socket: Socket): Promise<void> {
    if (this.#cursor === null) {
      const { chats } = await client.request(List);
      for (const { node } of chats.edges) await this.#open(client, socket, node.id);
      this.#cursor = chats.changeCursor;
    } else {
      for (const held of this.#chats.values()) this.#listen(client, socket, held);
    }
    const stream = socket.subscribe(ChatUpdated, { after: this.#cursor });
    void this.#consume(stream, async ({ chatUpdated: chat }) => {
      const held = this.#chats.get(chat.id);
      if (held) held.chat = chat;
      else await this.#open(client, socket, chat.id);
      this.#cursor = chat.changeCursor;
    }).then((end) => end && this.complaints.push(`the list of chats ended: ${end.message}`));
  }

  /** Reads a chat, and listens from there. Of one that is gone it forgets what it had. */
  async #open(client: Client, socket: Socket, chatId: string): Promise<void> {
    const { chat } = await client.request(Open, { chatId });
    if (!chat) return void this.#chats.delete(chatId);
    const messages = new Map(chat.messages.edges.map(({ node }) => [node.seq, node]));
    const held = { chat, messages, seq: Math.max(0, ...messages.keys()), revision: chat.revision };
    this.#chats.set(chatId, held);
    this.#listen(client, socket, held);
  }

  #listen(client: Client, socket: Socket, held: Held): void {
    const chatId = held.chat.id;
    const added = socket.subscribe(MessageAdded, { chatId, afterSeq: held.seq });
    const updated = socket.subscribe(MessageUpdated, { chatId, afterRevision: held.revision });
    const end = Promise.race([
      this.#consume(added, ({ messageAdded: message }) => {
        if (message.seq !== held.seq + 1)
          this.complaints.push(`seq ${message.seq} came after ${held.seq} in chat ${chatId}`);
        held.seq = message.seq;
        // What was told of it may have come first, over the other subscription.
        if ((held.messages.get(message.seq)?.revision ?? 0) <= (message.revision ?? 0))
          held.messages.set(message.seq, message);
      }),
      this.#consume(updated, ({ messageUpdated: message }) => {
        if (message.revision! <= held.revision)
          this.complaints.push(`revision ${message.revision} came after ${held.revision} in chat ${chatId}`);
        held.revision = message.revision!;
        held.messages.set(message.seq, message);
      }),
    ]);
    void end.then(async (refusal) => {
      if (!refusal) return;
      if (refusal.code !== 'NOT_FOUND') this.complaints.push(`chat ${chatId} ended: ${refusal.message}`);
      await Promise.all([added.close(), updated.close()]);
      // Removed; and maybe let in again since.
      if (this.#chats.get(chatId) === held) await this.#open(client, socket, chatId).catch(() => socket.close());
    });
  }

  /** Answers with what the server ended the subscription with; with nothing, when the connection is gone. */
  async #consume<Data>(
    stream: Stream<Data>,
    take: (data: Data) => void | Promise<void>,
  ): Promise<GraphQLRequestError | undefined> {
    try {
      for (;;) await take(await stream.next(FOREVER_MS));
    } catch (error) {
      if (error instanceof GraphQLRequestError && error.code !== 'UNAUTHENTICATED') return error;
      return undefined;
    }
  }
}

function isSignedOut(error: unknown): boolean {
  if (error instanceof ConnectionClosedError) return error.code === 4401 || error.code === 4403;
  return error instanceof GraphQLRequestError && error.code === 'UNAUTHENTICATED';
}

export function toChatView(
  chat: PhoneChatFragment,
  messages: readonly PhoneMessageFragment[],
  personId: string,
): ChatView {
  return {
    id: chat.id,
    kind: chat.kind,
    title: chat.title ?? null,
    members: chat.members.map(({ user, role }) => ({ id: user.id, role })).toSorted((a, b) => (a.id < b.id ? -1 : 1)),
    lastReadSeq: chat.members.find(({ user }) => user.id === personId)?.lastReadSeq ?? -1,
    unreadCount: chat.unreadCount,
    lastSeq: chat.lastMessage?.seq ?? null,
    messages: messages.map(toMessageView).toSorted((a, b) => a.seq - b.seq),
  };
}

function toMessageView(message: PhoneMessageFragment): MessageView {
  const { seq, id, body, isRead } = message;
  return {
    seq,
    id,
    body,
    isRead,
    authorId: message.author?.id ?? null,
    clientId: message.clientId ?? null,
    edited: message.editedAt != null,
    deleted: message.deletedAt != null,
  };
}
