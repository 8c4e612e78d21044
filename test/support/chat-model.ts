import type { ChatKind, ChatRole } from './generated/graphql.ts';

/** What the rules refuse with. */
export type Refusal = 'NOT_FOUND' | 'FORBIDDEN' | 'CONFLICT' | 'BAD_USER_INPUT';

/** A chat as one member sees it: in the model, read afresh from a server, or kept up to date from events alone. */
export interface ChatView {
  id: string;
  kind: ChatKind;
  title: string | null;
  /** By id of the person. */
  members: { id: string; role: ChatRole }[];
  lastReadSeq: number;
  unreadCount: number;
  lastSeq: number | null;
  messages: MessageView[];
}

export interface MessageView {
  seq: number;
  id: string;
  body: string;
  authorId: string | null;
  clientId: string | null;
  edited: boolean;
  deleted: boolean;
  isRead: boolean;
}

interface ModelMember {
  role: ChatRole;
  lastReadSeq: number;
  /** Counts the changes of members: who came together has the same. */
  joined: number;
}

interface ModelMessage {
  id: string;
  body: string;
  authorId: string;
  clientId: string | null;
  /** The body that its client id stands for. */
  sent: string;
  edited: boolean;
  deleted: boolean;
}

export interface ModelChat {
  id: string;
  kind: ChatKind;
  title: string | null;
  members: Map<string, ModelMember>;
  messages: ModelMessage[];
}

const RANK: Record<ChatRole, number> = { MEMBER: 0, ADMIN: 1, OWNER: 2 };

/**
 * What Parley promises, in the simplest words that say it: people, chats and messages in memory, changed by one thing
 * at a time. Each method makes the change, or answers with what refuses it and changes nothing.
 */
export class ChatModel {
  readonly people = new Set<string>();
  readonly chats = new Map<string, ModelChat>();
  #changes = 0;

  chatsOf(personId: string): ModelChat[] {
    return [...this.chats.values()].filter((chat) => chat.members.has(personId));
  }

  openDirect(actorId: string, otherId: string, id: string): void {
    const standing = this.chatsOf(actorId).find((chat) => chat.kind === 'DIRECT' && chat.members.has(otherId));
    if (!standing) this.#open({ id, kind: 'DIRECT', title: null }, [actorId, otherId], 'MEMBER');
  }

  openGroup(actorId: string, otherIds: string[], title: string, id: string): void {
    this.#open({ id, kind: 'GROUP', title }, [actorId, ...otherIds], 'MEMBER').members.get(actorId)!.role = 'OWNER';
  }

  #open(chat: Pick<ModelChat, 'id' | 'kind' | 'title'>, memberIds: string[], role: ChatRole): ModelChat {
    const joined = (this.#changes += 1);
    const members = new Map(memberIds.map((id) => [id, { role, lastReadSeq: 0, joined }]));
    const opened = { ...chat, members, messages: [] };
    this.chats.set(chat.id, opened);
    return opened;
  }

  rename(actorId: string, chatId: string, title: string): Refusal | undefined {
    return this.#asGroup(actorId, chatId, 'ADMIN', (chat) => {
      chat.title = title;
    });
  }

  addMember(actorId: string, chatId: string, personId: string): Refusal | undefined {
    return this.#asGroup(actorId, chatId, 'ADMIN', (chat) => {
      if (!this.people.has(personId)) return 'NOT_FOUND';
      if (chat.members.has(personId)) return 'CONFLICT';
      chat.members.set(personId, {
        role: 'MEMBER',
        lastReadSeq: chat.messages.length,
        joined: (this.#changes += 1),
      });
    });
  }

  removeMember(actorId: string, chatId: string, personId: string): Refusal | undefined {
    const chat = this.chats.get(chatId);
    const actor = chat?.members.get(actorId);
    const target = chat?.members.get(personId);
    if (!chat || !actor || !target) return 'NOT_FOUND';
    if (chat.kind === 'DIRECT') return 'FORBIDDEN';
    if (actor.role !== 'OWNER' && (actor.role !== 'ADMIN' || target.role !== 'MEMBER')) return 'FORBIDDEN';
    if (actorId === personId) return 'BAD_USER_INPUT';
    chat.members.delete(personId);
  }

  leave(actorId: string, chatId: string): Refusal | undefined {
    return this.#asGroup(actorId, chatId, 'MEMBER', (chat) => {
      if (this.#isLastOwner(chat, actorId)) return 'CONFLICT';
      chat.members.delete(actorId);
    });
  }

  changeRole(actorId: string, chatId: string, personId: string, role: ChatRole): Refusal | undefined {
    return this.#asGroup(actorId, chatId, 'OWNER', (chat) => {
      const member = chat.members.get(personId);
      if (!member) return 'NOT_FOUND';
      if (role !== 'OWNER' && this.#isLastOwner(chat, personId)) return 'CONFLICT';
      member.role = role;
    });
  }

  deleteChat(actorId: string, chatId: string): Refusal | undefined {
    return this.#asGroup(actorId, chatId, 'OWNER', (chat) => void this.chats.delete(chat.id));
  }

  deleteAccount(personId: string): void {
    this.people.delete(personId);
    for (const chat of this.chatsOf(personId)) {
      const { role } = chat.members.get(personId)!;
      chat.members.delete(personId);
      const heir = [...chat.members].toSorted(
        ([aId, a], [bId, b]) => RANK[b.role] - RANK[a.role] || a.joined - b.joined || (aId < bId ? -1 : 1),
      )[0];
      if (!heir) this.chats.delete(chat.id);
      else if (role === 'OWNER') heir[1].role = 'OWNER';
    }
  }

  send(
    actorId: string,
    chatId: string,
    message: { id: string; body: string; clientId: string | null },
  ): Refusal | undefined {
    const chat = this.#chatOf(actorId, chatId);
    if (!chat) return 'NOT_FOUND';
    const standing = chat.messages.find(
      ({ authorId, clientId }) => authorId === actorId && clientId !== null && clientId === message.clientId,
    );
    if (standing) return standing.sent === message.body ? undefined : 'CONFLICT';
    chat.messages.push({ ...message, authorId: actorId, sent: message.body, edited: false, deleted: false });
  }

  edit(actorId: string, chatId: string, seq: number, body: string): Refusal | undefined {
    const message = this.#chatOf(actorId, chatId)?.messages[seq - 1];
    if (!message) return 'NOT_FOUND';
    if (message.authorId !== actorId) return 'FORBIDDEN';
    if (message.deleted) return 'CONFLICT';
    Object.assign(message, { body, edited: true });
  }

  deleteMessage(actorId: string, chatId: string, seq: number): Refusal | undefined {
    const chat = this.#chatOf(actorId, chatId);
    const message = chat?.messages[seq - 1];
    if (!chat || !message) return 'NOT_FOUND';
    if (message.authorId !== actorId && chat.members.get(actorId)!.role === 'MEMBER') return 'FORBIDDEN';
    Object.assign(message, { body: '', deleted: true });
  }

  markRead(actorId: string, chatId: string, seq: number): Refusal | undefined {
    const chat = this.#chatOf(actorId, chatId);
    if (!chat) return 'NOT_FOUND';
    const member = chat.members.get(actorId)!;
    member.lastReadSeq = Math.max(member.lastReadSeq, Math.min(seq, chat.messages.length));
  }

  /** By id. */
  view(personId: string): ChatView[] {
    return this.chatsOf(personId)
      .map((chat) => this.#viewOf(chat, personId))
      .toSorted((a, b) => (a.id < b.id ? -1 : 1));
  }

  #viewOf(chat: ModelChat, personId: string): ChatView {
    const { lastReadSeq } = chat.members.get(personId)!;
    const unread = chat.messages.slice(lastReadSeq).filter(({ authorId }) => authorId !== personId);
    return {
      id: chat.id,
      kind: chat.kind,
      title: chat.title,
      members: [...chat.members].map(([id, { role }]) => ({ id, role })).toSorted((a, b) => (a.id < b.id ? -1 : 1)),
      lastReadSeq,
      unreadCount: unread.length,
      lastSeq: chat.messages.length || null,
      messages: chat.messages.map(({ id, body, authorId, clientId, edited, deleted }, index) => {
        const others = [...chat.members].filter(([id]) => id !== authorId);
        return {
          seq: index + 1,
          id,
          body,
          clientId,
          edited,
          deleted,
          authorId: this.people.has(authorId) ? authorId : null,
          isRead: others.length > 0 && others.every(([, member]) => member.lastReadSeq > index),
        };
      }),
    };
  }

  #chatOf(personId: string, chatId: string): ModelChat | undefined {
    const chat = this.chats.get(chatId);
    return chat?.members.has(personId) ? chat : undefined;
  }

  #isLastOwner(chat: ModelChat, personId: string): boolean {
    const owners = [...chat.members].filter(([, { role }]) => role === 'OWNER');
    return owners.length === 1 && owners[0]![0] === personId;
  }

  #asGroup(
    actorId: string,
    chatId: string,
    atLeast: ChatRole,
    change: (chat: ModelChat) => Refusal | undefined | void,
  ): Refusal | undefined {
    const chat = this.#chatOf(actorId, chatId);
    if (!chat) return 'NOT_FOUND';
    if (chat.kind === 'DIRECT') return 'FORBIDDEN';
    if (RANK[chat.members.get(actorId)!.role] < RANK[atLeast]) return 'FORBIDDEN';
    return change(chat) ?? undefined;
  }
}
