import { cancelledWithAll } from '../cancellation.ts';
import type { Cancellation } from '../cancellation.ts';
import { TooComplexError } from '../errors.ts';
import { groupBy } from '../group-by.ts';
import { LIMITS as INPUT_LIMITS } from '../input-rules.ts';
import { jsonLength } from '../json-length.ts';
import { createFairLimiter, createLimiter } from '../limiter.ts';
import type { Limiter } from '../limiter.ts';
import { Batch } from './batch.ts';
import type { Ask as AskBy } from './batch.ts';
import { Shares } from './shares.ts';
import type { Page, PageRequest } from '../persistence/paging.ts';
import type { MemberCount, MemberRow, ReadFloor } from './chats/chat-store.ts';
import type { MessageView } from './messages/message-store.ts';
import type { Membership } from '../realtime/source.ts';
import type { Services } from './services.ts';

/** Of one statement for all who ask at once. */
const MAX_ASKS = 1_000;

/** How a read is run. Default: once. An event that was lost for a failed read would not come again. */
type Run = <T>(read: () => Promise<T>) => Promise<T>;

/** For whom something is read: one operation, or one event of a subscription. */
export interface Asker {
  /** A user's id, or the address of nobody signed in. */
  person: string;
  cancellation: Cancellation;
}

/** Whom the answers are made for that many are given. */
const EVERYBODY = 'everybody';

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
const SHARED_LIMITS: Limits = { reads: 0, members: 2_000, characters: 400_000 };

/** Of those reads of one operation: the others need connections, too. */
const READS_AT_ONCE = 3;

/** About what the names, the id and the times of a person come to. */
const PROFILE_CHARACTERS = 200;

/** How often the answer shows what is loaded. */
interface Told {
  body: number;
  extraData: number;
}

/** Of so many chats one operation may show all members: only of more are they counted before they are read. */
const CHATS_UNCOUNTED = LIMITS.members / INPUT_LIMITS.groupMembers;
/** Chats whose members are read for those who ask at once; for more there is another statement. */
const CHATS_AT_ONCE = 100;

/** What an operation, or an event, has come to so far. */
interface Tally {
  readonly person: string;
  readonly cancellation: Cancellation | undefined;
  readonly limits: Limits;
  reads: number;
  members: number;
  charactersRead: number;
  charactersTold: number;
}

type Ask<Key> = AskBy<Key, Tally>;

type Loading<Key, Value> = Batch<Key, Tally, Value>;

type Find<Key, Row> = (keys: readonly Key[], cancellation: Cancellation | undefined) => Promise<Row[]>;

/**
 * How one person's reads stand beside those of others, whatever the transport.
 *
 * @param share how many statements one person may have under way on this node: so many for pages, and as many for what
 * is read in batches. The rest of the pool is for others.
 */
export function createFairness(share: number) {
  return { turns: createFairLimiter(share), shares: new Shares(share) };
}

type Fairness = ReturnType<typeof createFairness>;

interface LoadersOptions {
  /** Default: nobody else reads. */
  fairness?: Fairness;
  run?: Run;
}

/**
 * What types of several features show of each other, read in one statement for all who ask at once. Answers the loaders
 * of an operation or of an event; a statement is cancelled when all who share it are. Without an asker: of an answer
 * that is made for many.
 */
export function createLoaders(
  services: Services,
  { fairness = createFairness(Infinity), run = (read) => read() }: LoadersOptions = {},
): (asker?: Asker) => Loaders {
  const batches = createBatches(services, fairness.shares, run);
  const { turns } = fairness;
  return (asker) => new Loaders({ services, batches, turns, run }, asker);
}

type Batches = ReturnType<typeof createBatches>;

function createBatches({ users, presence, chats, messages }: Services, shares: Shares, run: Run) {
  const patiently =
    <Key, Row>(find: Find<Key, Row>): Find<Key, Row> =>
    (keys, cancellation) =>
      run(() => find(keys, cancellation));
  const inBatches = <Key, Value>(read: Read<Key, Value>, maxAsks = MAX_ASKS): Loading<Key, Value> =>
    new Batch({ shares, maxAsks, read });
  const loadOne = <Row>(find: Find<string, Row>, idOf: (row: Row) => string) =>
    inBatches(readOne(patiently(find), idOf));
  const loadMany = <Row>(find: Find<string, Row>, idOf: (row: Row) => string) =>
    inBatches(readMany(patiently(find), idOf));
  const ofMemberships = <Row>(find: Find<Membership, Row>, pairOf: (row: Row) => Membership) =>
    inBatches(readMemberships(patiently(find), pairOf));
  return {
    user: loadOne(
      (ids, cancellation) => users.findMany(ids, { cancellation }),
      (user) => user.id,
    ),
    presence: loadOne(presence.findMany, (state) => state.userId),
    chat: loadOne(chats.findMany, (chat) => chat.id),
    lastMessage: loadOne(messages.findLast, (message) => message.chatId),
    members: inBatches(readMembers(patiently(chats.countMembers), patiently(chats.listMembers)), CHATS_AT_ONCE),
    readFloors: loadMany<ReadFloor>(chats.findReadFloors, (floor) => floor.chatId),
    chatOfMember: ofMemberships(chats.findByMemberships, (chat) => ({ chatId: chat.id, userId: chat.memberId })),
    unread: ofMemberships(chats.countUnread, (count) => count),
  };
}

/** What all loaders of one kind share. */
interface Sources {
  services: Services;
  batches: Batches;
  turns: Fairness['turns'];
  run: Run;
}

/** The loaders of one operation or event. A loader is made when it is asked for: most operations need one or two. */
export class Loaders {
  readonly #sources: Sources;
  readonly #tally: Tally;
  #limit: Limiter | undefined;
  /** The answer has grown past a limit. */
  isTooMuch = false;
  /** Of an answer that is too much nothing will be told: one error is enough, and each costs. */
  isAllOrNothing = false;

  constructor(sources: Sources, asker: Asker | undefined) {
    this.#sources = sources;
    const limits = asker ? LIMITS : SHARED_LIMITS;
    this.#tally = {
      person: asker?.person ?? EVERYBODY,
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
    const { turns, run } = this.#sources;
    return this.#limit(() =>
      turns(tally.person, () => {
        // What was read before may have been too much.
        if (tally.charactersRead > tally.limits.characters) throw this.#tooMuch();
        return run(() => read(tally.cancellation));
      }),
    );
  }

  /** A page of messages. @throws TooComplexError when it is one read, or one text, too many. */
  messages(chatId: string, page: PageRequest<number>, told: Told): Promise<Page<MessageView>> {
    return this.run(async (cancellation) => {
      const found = await this.#sources.services.messages.list(chatId, page, cancellation);
      this.#keep(found.items, told);
      return found;
    });
  }

  /** @throws TooComplexError when it is one text too many. */
  async lastMessage(chatId: string, told: Told): Promise<MessageView | null> {
    const message = await this.#of(this.#sources.batches.lastMessage).load(chatId);
    if (message) this.#keep([message], told);
    return message;
  }

  #keep(messages: readonly MessageView[], told: Told): void {
    const tally = this.#tally;
    for (const { body, extraData } of messages) {
      const attached = jsonLength(extraData);
      tally.charactersRead += body.length + attached;
      tally.charactersTold += told.body * body.length + told.extraData * attached;
    }
    this.#checkCharacters();
  }

  #checkCharacters(): void {
    const { charactersRead, charactersTold, limits } = this.#tally;
    if (Math.max(charactersRead, charactersTold) > limits.characters) this.#refuse();
  }

  #refuse(): void {
    if (!(this.isTooMuch && this.isAllOrNothing)) throw this.#tooMuch();
  }

  #tooMuch(): TooComplexError {
    this.isTooMuch = true;
    return new TooComplexError();
  }

  get user() {
    return this.#of(this.#sources.batches.user);
  }

  get presence() {
    return this.#of(this.#sources.batches.presence);
  }

  get chat() {
    return this.#of(this.#sources.batches.chat);
  }

  /** @throws TooComplexError when they are too many for one answer. @param told how often each is shown as a person. */
  async members(chatId: string, told = 0): Promise<MemberRow[]> {
    const tally = this.#tally;
    const members = await this.#of(this.#sources.batches.members).load(chatId);
    tally.members += members?.length ?? Infinity;
    if (!members || tally.members > tally.limits.members) throw this.#tooMuch();
    tally.charactersTold += told * members.length * PROFILE_CHARACTERS;
    this.#checkCharacters();
    return members;
  }

  /** The two who have read least of a chat. */
  get readFloors() {
    return this.#of(this.#sources.batches.readFloors);
  }

  /** For those who are members of it: nobody else finds it. */
  get chatOfMember() {
    return this.#of(this.#sources.batches.chatOfMember);
  }

  get unread() {
    return this.#of(this.#sources.batches.unread);
  }

  #of<Key, Value>(batch: Loading<Key, Value>): Loader<Key, Value> {
    return new Loader(batch, this.#tally);
  }
}

class Loader<Key, Value> {
  readonly #batch: Loading<Key, Value>;
  readonly #tally: Tally;

  constructor(batch: Loading<Key, Value>, tally: Tally) {
    this.#batch = batch;
    this.#tally = tally;
  }

  load(key: Key): Promise<Value> {
    return this.#batch.load(key, this.#tally);
  }
}

/** One value for each, in their order. */
type Read<Key, Value> = (asks: ReadonlyArray<Ask<Key>>) => Promise<Value[]>;

function readOne<Row>(find: Find<string, Row>, idOf: (row: Row) => string): Read<string, Row | null> {
  return async (asks) => {
    const found = await find(distinctIds(asks), cancellationOf(asks));
    const rows = new Map(found.map((row) => [idOf(row), row]));
    return asks.map(({ key }) => rows.get(key) ?? null);
  };
}

function readMany<Row>(find: Find<string, Row>, idOf: (row: Row) => string): Read<string, Row[]> {
  return async (asks) => {
    const rows = groupBy(await find(distinctIds(asks), cancellationOf(asks)), idOf);
    return asks.map(({ key }) => rows.get(key) ?? []);
  };
}

function readMemberships<Row>(
  find: Find<Membership, Row>,
  pairOf: (row: Row) => Membership,
): Read<Membership, Row | null> {
  const nameOf = ({ chatId, userId }: Membership) => `${chatId} ${userId}`;
  return async (asks) => {
    const wanted = new Map(asks.map(({ key }) => [nameOf(key), key]));
    const found = await find([...wanted.values()], cancellationOf(asks));
    const rows = new Map(found.map((row) => [nameOf(pairOf(row)), row]));
    return asks.map(({ key }) => rows.get(nameOf(key)) ?? null);
  };
}

/** Null: the operation asks for more members than it may show, and none are read for it. */
function readMembers(
  count: Find<string, MemberCount>,
  list: Find<string, MemberRow>,
): Read<string, MemberRow[] | null> {
  return async (asks) => {
    const cancellation = cancellationOf(asks);
    let ids = distinctIds(asks);
    let parts = [ids];
    const refused = new Set<Tally>();
    if (ids.length > CHATS_UNCOUNTED) {
      const sizes = new Map((await count(ids, cancellation)).map(({ chatId, members }) => [chatId, members]));
      const sizeOf = (chatId: string) => sizes.get(chatId) ?? 0;
      for (const [tally, own] of groupBy(asks, ({ by }) => by))
        if (own.reduce((sum, { key }) => sum + sizeOf(key), tally.members) > tally.limits.members) refused.add(tally);
      ids = distinctIds(asks.filter(({ by }) => !refused.has(by)));
      parts = cut(ids, sizeOf, LIMITS.members);
    }
    const members = new Map<string, MemberRow[]>();
    for (const part of parts)
      for (const [chatId, rows] of groupBy(await list(part, cancellation), (member) => member.chatId))
        members.set(chatId, rows);
    return asks.map(({ key, by }) => (refused.has(by) ? null : (members.get(key) ?? [])));
  };
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
  return cancelledWithAll(asks.map(({ by }) => by.cancellation));
}
