/** The counters of a chat, as one statement saw them. */
export interface ChatHead {
  chatId: string;
  /** The seq of the newest message. */
  lastSeq: number;
  /** Counts every change that all members see. */
  revision: number;
  /** The revision at which the set of members last changed. */
  membersRevision: number;
}

export interface Membership {
  chatId: string;
  userId: string;
}

export interface UserHead {
  userId: string;
  /** Counts what changed for this person alone: joined or left a chat, read marks. */
  revision: number;
}

export interface UserChats extends UserHead {
  /** Transactions before this one had ended by then, and what they did is here. */
  horizon: bigint;
  /**
   * `userRevision`: the person's revision when this membership last changed for them. `changedIn`: the transaction in
   * which the chat or the membership last changed.
   */
  chats: Array<ChatHead & { userRevision: number; changedIn: bigint }>;
}

/** What a feed needs to know of a message; the rest it passes on untouched. */
export interface FeedMessage {
  chatId: string;
  seq: number;
  /** The chat's revision when the message last changed after it was sent; null: never. */
  revision: number | null;
  /** By the clock of the database. */
  createdAt: Date;
}

/** A range of one chat's messages: keys above `after`, at most `limit` of them, and none above `upTo`. */
export interface Range {
  chatId: string;
  after: number;
  upTo: number;
  limit: number;
}

/**
 * The truth that feeds read: the database. Each method is one statement for all that is asked. What was committed
 * before the call began is in the answer. Any of them may reject while the database is away.
 */
export interface FeedSource<Message extends FeedMessage> {
  /** Those of the chats whose revision differs from the one known; `head` is null where the chat is gone. */
  findChangedHeads(
    known: ReadonlyArray<{ chatId: string; revision: number }>,
  ): Promise<Array<{ chatId: string; head: ChatHead | null }>>;
  /** By seq, ascending within each chat. */
  listAdded(ranges: readonly Range[]): Promise<Message[]>;
  /** Changed after they were sent: by revision, ascending within each chat. */
  listUpdated(ranges: readonly Range[]): Promise<Message[]>;
  /** Those of the pairs that are memberships. */
  filterMemberships(pairs: readonly Membership[]): Promise<Membership[]>;
  /** Those of the people whose revision differs from the one known, and who still have an account. */
  findChangedUsers(known: readonly UserHead[]): Promise<UserHead[]>;
  /** Of those of the people who still have an account. */
  findUserChats(userIds: readonly string[]): Promise<UserChats[]>;
}
