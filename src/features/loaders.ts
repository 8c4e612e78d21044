import DataLoader from 'dataloader';
import { cancelledWithAll } from '../cancellation.ts';
import type { Cancellation } from '../cancellation.ts';
import { TooComplexError } from '../errors.ts';
import { groupBy } from '../group-by.ts';
import { LIMITS as INPUT_LIMITS } from '../input-rules.ts';
import { jsonLength } from '../json-length.ts';
import { createLimiter } from '../limiter.ts';
import type { Limiter } from '../limiter.ts';
import type { Page, PageRequest } from '../persistence/paging.ts';
import type { MemberCount, MemberRow, ReadFloor } from './chats/chat-store.ts';
import type { MessageView } from './messages/message-store.ts';
import type { Membership } from '../realtime/source.ts';
import type { Services } from './services.ts';

/**
 * Nothing is kept: a mutation or an event never shows what was true before it. What all operations ask for while the
 * node reads what its sockets have brought goes into the same statement, which begins after that.
 */
const OPTIONS = { cache: false, maxBatchSize: 1_000, batchScheduleFn: (send: () => void) => void setImmediate(send) };

/** How a read is run. Default: once. An event that was lost for a failed read would not come again. */
type Run = <T>(read: () => Promise<T>) => Promise<T>;

/** For whom something is read: one operation, or one event of a subscription. */
export interface Asker {
  cancellation: Cancellation;
}

/** How much one answer may make of what the document does not say: it is refused when it turns out to be more. */
interface Limits {
  /** Of pages and the like, one by one. */
  reads: number;
  members: number;
  /** Of what people wrote, in code units: as much is read, and as much is told, each as often as it is asked for. */
  characters: number;
}

/** A page of the longest messages that there can be comes to 2.4 million characters. */
const LIMITS: Limits = { reads: 200, members: 20_000, characters: 4_000_000 };
/** Of an answer that is kept for many: when it turns out to be more, each of them is answered alone. */
const SHARED_LIMITS: Limits = { reads: 20, members: 2_000, characters: 400_000 };

/** Of those reads of one operation: the others need connections, too. */
const READS_AT_ONCE = 3;

/** Of so many chats one operation may show all members: only of more are they counted before they are read. */
const CHATS_UNCOUNTED = LIMITS.members / INPUT_LIMITS.groupMembers;
/** Chats whose members are read for those who ask at once; for more there is another statement. */
const CHATS_AT_ONCE = 100;

/** What an operation, or an event, has come to so far. */
interface Tally {
  readonly cancellation: Cancellation | undefined;
  readonly limits: Limits;
  reads: number;
  members: number;
  charactersRead: number;
  charactersTold: number;
}

/** What is asked for. Of the others whose asking shares the statement, an operation knows nothing. */
interface Ask<Key> {
  key: Key;
  tally: Tally;
}

type Batch<Key, Value> = DataLoader<Ask<Key>, Value>;

type Find<Key, Row> = (keys: readonly Key[], cancellation: Cancellation | undefined) => Promise<Row[]>;

/**
 * What types of several features show of each other, read in one statement for all who ask at once. Answers the loaders
 * of an operation or of an event; a statement is cancelled when all who share it are. Without an asker: of an answer
 * that is made for many.
 */
export function createLoaders(services: Services, run: Run = (read) => read()): (asker?: Asker) => Loaders {
  const batches = createBatches(services, run);
  return (asker) => new Loaders(services, batches, run, asker);
}

type Batches = ReturnType<typeof createBatches>;

function createBatches({ users, presence, chats, messages }: Services, run: Run) {
  const patiently =
    <Key, Row>(find: Find<Key, Row>): Find<Key, Row> =>
    (keys, cancellation) =>
      run(() => find(keys, cancellation));
  const loadOne = <Row>(find: Find<string, Row>, idOf: (row: Row) => string) => batchOne(patiently(find), idOf);
  const ofMemberships = <Row>(find: Find<Membership, Row>, pairOf: (row: Row) => Membership) =>
    batchMemberships(patiently(find), pairOf);
  return {
    user: loadOne(
      (ids, cancellation) => users.findMany(ids, { cancellation }),
      (user) => user.id,
    ),
    presence: loadOne(presence.findMany, (state) => state.userId),
    chat: loadOne(chats.findMany, (chat) => chat.id),
    lastMessage: loadOne(messages.findLast, (message) => message.chatId),
    members: batchMembers(patiently(chats.countMembers), patiently(chats.listMembers)),
    readFloors: batchMany<ReadFloor>(patiently(chats.findReadFloors), (floor) => floor.chatId),
    chatOfMember: ofMemberships(chats.findByMemberships, (chat) => ({ chatId: chat.id, userId: chat.memberId })),
    unread: ofMemberships(chats.countUnread, (count) => count),
  };
}

/** The loaders of one operation or event. A loader is made when it is asked for: most operations need one or two. */
export class Loaders {
  readonly #services: Services;
  readonly #batches: Batches;
  readonly #run: Run;
  readonly #tally: Tally;
  #limit: Limiter | undefined;
  /** The answer has grown past a limit. */
  isTooMuch = false;
  /** Of an answer that is too much nothing will be told: one error is enough, and each costs. */
  isAllOrNothing = false;

  constructor(services: Services, batches: Batches, run: Run, asker: Asker | undefined) {
    this.#services = services;
    this.#batches = batches;
    this.#run = run;
    const limits = asker ? LIMITS : SHARED_LIMITS;
    this.#tally = {
      cancellation: asker?.cancellation,
      limits,
      reads: 0,
      members: 0,
      charactersRead: 0,
      charactersTold: 0,
    };
  }

  /** For what is not loaded by batches. @throws TooComplexError when it is one read too many. */
  async run<T>(read: (cancellation: Cancellation | undefined) => Promise<T>): Promise<T> {
    const tally = this.#tally;
    tally.reads += 1;
    if (tally.reads > tally.limits.reads) throw this.#tooMuch();
    this.#limit ??= createLimiter(READS_AT_ONCE);
    return this.#limit(() => {
      // What was read before may have been too much.
      if (tally.charactersRead > tally.limits.characters) throw this.#tooMuch();
      return this.#run(() => read(tally.cancellation));
    });
  }

  /** A page of messages. @throws TooComplexError when it is one read, or one text, too many. */
  messages(chatId: string, page: PageRequest<number>): Promise<Page<MessageView>> {
    return this.run(async (cancellation) => {
      const found = await this.#services.messages.list(chatId, page, cancellation);
      this.#keep(found.items);
      return found;
    });
  }

  /** @throws TooComplexError when it is one text too many. */
  async lastMessage(chatId: string): Promise<MessageView | null> {
    const message = await this.#of(this.#batches.lastMessage).load(chatId);
    if (message) this.#keep([message]);
    return message;
  }

  #keep(messages: readonly MessageView[]): void {
    const tally = this.#tally;
    for (const message of messages) tally.charactersRead += message.body.length + jsonLength(message.extraData);
    if (tally.charactersRead > tally.limits.characters) this.#refuse();
  }

  /** To be called for each place of the answer that shows it. @throws TooComplexError when the answer grows too long. */
  tell(characters: number): void {
    const tally = this.#tally;
    tally.charactersTold += characters;
    if (tally.charactersTold > tally.limits.characters) this.#refuse();
  }

  #refuse(): void {
    if (!(this.isTooMuch && this.isAllOrNothing)) throw this.#tooMuch();
  }

  #tooMuch(): TooComplexError {
    this.isTooMuch = true;
    return new TooComplexError();
  }

  get user() {
    return this.#of(this.#batches.user);
  }

  get presence() {
    return this.#of(this.#batches.presence);
  }

  get chat() {
    return this.#of(this.#batches.chat);
  }

  /** @throws TooComplexError when they are too many for one answer. */
  async members(chatId: string): Promise<MemberRow[]> {
    const tally = this.#tally;
    const members = await this.#of(this.#batches.members).load(chatId);
    tally.members += members?.length ?? Infinity;
    if (!members || tally.members > tally.limits.members) throw this.#tooMuch();
    return members;
  }

  /** The two who have read least of a chat. */
  get readFloors() {
    return this.#of(this.#batches.readFloors);
  }

  /** For those who are members of it: nobody else finds it. */
  get chatOfMember() {
    return this.#of(this.#batches.chatOfMember);
  }

  get unread() {
    return this.#of(this.#batches.unread);
  }

  #of<Key, Value>(batch: Batch<Key, Value>): Loader<Key, Value> {
    return new Loader(batch, this.#tally);
  }
}

class Loader<Key, Value> {
  readonly #batch: Batch<Key, Value>;
  readonly #tally: Tally;

  constructor(batch: Batch<Key, Value>, tally: Tally) {
    this.#batch = batch;
    this.#tally = tally;
  }

  load(key: Key): Promise<Value> {
    return this.#batch.load({ key, tally: this.#tally });
  }
}

function batchOne<Row>(find: Find<string, Row>, idOf: (row: Row) => string): Batch<string, Row | null> {
  return new DataLoader(async (asks) => {
    const found = await find(distinctIds(asks), cancellationOf(asks));
    const rows = new Map(found.map((row) => [idOf(row), row]));
    return asks.map(({ key }) => rows.get(key) ?? null);
  }, OPTIONS);
}

function batchMemberships<Row>(
  find: Find<Membership, Row>,
  pairOf: (row: Row) => Membership,
): Batch<Membership, Row | null> {
  const nameOf = ({ chatId, userId }: Membership) => `${chatId} ${userId}`;
  return new DataLoader(async (asks) => {
    const wanted = new Map(asks.map(({ key }) => [nameOf(key), key]));
    const found = await find([...wanted.values()], cancellationOf(asks));
    const rows = new Map(found.map((row) => [nameOf(pairOf(row)), row]));
    return asks.map(({ key }) => rows.get(nameOf(key)) ?? null);
  }, OPTIONS);
}

function batchMany<Row>(find: Find<string, Row>, idOf: (row: Row) => string): Batch<string, Row[]> {
  return new DataLoader(async (asks) => {
    const rows = groupBy(await find(distinctIds(asks), cancellationOf(asks)), idOf);
    return asks.map(({ key }) => rows.get(key) ?? []);
  }, OPTIONS);
}

/** Null: the operation asks for more members than it may show, and none are read for it. */
function batchMembers(
  count: Find<string, MemberCount>,
  list: Find<string, MemberRow>,
): Batch<string, MemberRow[] | null> {
  return new DataLoader(
    async (asks) => {
      const cancellation = cancellationOf(asks);
      let ids = distinctIds(asks);
      let parts = [ids];
      const refused = new Set<Tally>();
      if (ids.length > CHATS_UNCOUNTED) {
        const sizes = new Map((await count(ids, cancellation)).map(({ chatId, members }) => [chatId, members]));
        const sizeOf = (chatId: string) => sizes.get(chatId) ?? 0;
        for (const [tally, own] of groupBy(asks, (ask) => ask.tally))
          if (own.reduce((sum, { key }) => sum + sizeOf(key), tally.members) > tally.limits.members) refused.add(tally);
        ids = distinctIds(asks.filter(({ tally }) => !refused.has(tally)));
        parts = cut(ids, sizeOf, LIMITS.members);
      }
      const members = new Map<string, MemberRow[]>();
      for (const part of parts)
        for (const [chatId, rows] of groupBy(await list(part, cancellation), (member) => member.chatId))
          members.set(chatId, rows);
      return asks.map(({ key, tally }) => (refused.has(tally) ? null : (members.get(key) ?? [])));
    },
    { ...OPTIONS, maxBatchSize: CHATS_AT_ONCE },
  );
}

/** Into parts of at most so much, or of one item that is more. */
function cut<Item>(items: readonly Item[], sizeOf: (item: Item) => number, max: number): Item[][] {
  const parts: Item[][] = [];
  let size = Infinity;
  for (const item of items) {
    size += sizeOf(item);
    if (size > max) {
      parts.push([]);
      size = sizeOf(item);
    }
    parts.at(-1)!.push(item);
  }
  return parts;
}

function distinctIds(asks: ReadonlyArray<Ask<string>>): string[] {
  return [...new Set(asks.map(({ key }) => key))];
}

function cancellationOf(asks: ReadonlyArray<Ask<unknown>>): Cancellation | undefined {
  return cancelledWithAll(asks.map(({ tally }) => tally.cancellation));
}
