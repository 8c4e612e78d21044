import DataLoader from 'dataloader';
import { cancelledWithAll } from '../cancellation.ts';
import type { Cancellation } from '../cancellation.ts';
import { TooComplexError } from '../errors.ts';
import { groupBy } from '../group-by.ts';
import { createLimiter } from '../limiter.ts';
import type { Limiter } from '../limiter.ts';
import type { MemberRow, ReadFloor } from './chats/chat-store.ts';
import type { Membership } from '../realtime/source.ts';
import type { Services } from './services.ts';

/**
 * Nothing is kept: a mutation or an event never shows what was true before it. What all operations ask for while the
 * node reads what its sockets have brought goes into the same statement, which begins after that.
 */
const OPTIONS = { cache: false, maxBatchSize: 1_000, batchScheduleFn: (send: () => void) => void setImmediate(send) };

/** How a read is run. Default: once. An event that was lost for a failed read would not come again. */
type Run = <T>(read: () => Promise<T>) => Promise<T>;

/** What one operation asks for. Of the others whose asking shares the statement, it knows nothing. */
interface Ask<Key> {
  key: Key;
  cancellation: Cancellation | undefined;
}

type Batch<Key, Value> = DataLoader<Ask<Key>, Value>;

type Find<Key, Row> = (keys: readonly Key[], cancellation: Cancellation | undefined) => Promise<Row[]>;

/**
 * What types of several features show of each other, read in one statement for all who ask at once. Answers the loaders
 * of an operation; a statement is cancelled when all operations that share it are.
 */
export function createLoaders(
  services: Services,
  run: Run = (read) => read(),
): (cancellation?: Cancellation) => Loaders {
  const batches = createBatches(services, run);
  return (cancellation) => new Loaders(batches, run, cancellation);
}

type Batches = ReturnType<typeof createBatches>;

function createBatches({ users, presence, chats, messages }: Services, run: Run) {
  const patiently =
    <Key, Row>(find: Find<Key, Row>): Find<Key, Row> =>
    (keys, cancellation) =>
      run(() => find(keys, cancellation));
  const loadOne = <Row>(find: Find<string, Row>, idOf: (row: Row) => string) => batchOne(patiently(find), idOf);
  const loadMany = <Row>(find: Find<string, Row>, idOf: (row: Row) => string) => batchMany(patiently(find), idOf);
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
    members: loadMany<MemberRow>(chats.listMembers, (member) => member.chatId),
    readFloors: loadMany<ReadFloor>(chats.findReadFloors, (floor) => floor.chatId),
    chatOfMember: ofMemberships(chats.findByMemberships, (chat) => ({ chatId: chat.id, userId: chat.memberId })),
    unread: ofMemberships(chats.countUnread, (count) => count),
  };
}

/** Of the reads of one operation that are not loaded by batches: the others need connections, too. */
const READS_AT_ONCE = 3;
const MAX_READS = 200;
/** In one answer. How many a chat has, the document does not say. */
const MAX_MEMBERS = 20_000;

/** The loaders of one operation. A loader is made when it is asked for: most operations need one or two. */
export class Loaders {
  readonly #batches: Batches;
  readonly #run: Run;
  readonly #cancellation: Cancellation | undefined;
  #limit: Limiter | undefined;
  #reads = 0;
  #members = 0;

  constructor(batches: Batches, run: Run, cancellation: Cancellation | undefined) {
    this.#batches = batches;
    this.#run = run;
    this.#cancellation = cancellation;
  }

  /** For what is not loaded by batches. @throws TooComplexError when it is one read too many for one operation. */
  async run<T>(read: (cancellation: Cancellation | undefined) => Promise<T>): Promise<T> {
    // What serves many events is not bounded by one answer.
    if (!this.#cancellation) return this.#run(() => read(undefined));
    this.#reads += 1;
    if (this.#reads > MAX_READS) throw new TooComplexError();
    this.#limit ??= createLimiter(READS_AT_ONCE);
    return this.#limit(() => this.#run(() => read(this.#cancellation)));
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

  get lastMessage() {
    return this.#of(this.#batches.lastMessage);
  }

  /** @throws TooComplexError when they are too many for one answer. */
  async members(chatId: string): Promise<MemberRow[]> {
    const members = await this.#of(this.#batches.members).load(chatId);
    if (this.#cancellation) this.#members += members.length;
    if (this.#members > MAX_MEMBERS) throw new TooComplexError();
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
    return new Loader(batch, this.#cancellation);
  }
}

class Loader<Key, Value> {
  readonly #batch: Batch<Key, Value>;
  readonly #cancellation: Cancellation | undefined;

  constructor(batch: Batch<Key, Value>, cancellation: Cancellation | undefined) {
    this.#batch = batch;
    this.#cancellation = cancellation;
  }

  load(key: Key): Promise<Value> {
    return this.#batch.load({ key, cancellation: this.#cancellation });
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

function distinctIds(asks: ReadonlyArray<Ask<string>>): string[] {
  return [...new Set(asks.map(({ key }) => key))];
}

function cancellationOf(asks: ReadonlyArray<Ask<unknown>>): Cancellation | undefined {
  return cancelledWithAll(asks.map(({ cancellation }) => cancellation));
}
