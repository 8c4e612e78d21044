import type { Cancellation } from '../cancellation.ts';
import { NotFoundError, TooComplexError, UnauthenticatedError } from '../errors.ts';
import { jsonLength } from '../json-length.ts';
import { createLimiter } from '../limiter.ts';
import type { Limiter, Turn } from '../limiter.ts';
import { Batch } from './batch.ts';
import { CHATS_AT_ONCE, nameOfMembership, readMany, readMemberships, readMembers, readOne } from './batched-reads.ts';
import type { Find, Read } from './batched-reads.ts';
import { createFairness } from './fairness.ts';
import type { Fairness } from './fairness.ts';
import type { Shares } from './shares.ts';
import { LIMITS, SHARED_LIMITS } from './tally.ts';
import type { Limits, Tally } from './tally.ts';
import type { Page, PageRequest } from '../persistence/paging.ts';
import type { MemberRow, ReadFloor } from './chats/chat-store.ts';
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
  /** Undefined: nobody is signed in. */
  sessionId?: string | undefined;
  cancellation: Cancellation;
}

/**
 * So long what was found out about the asker is believed: that their session lives, and what chats they are in. Whoever
 * waits in turn for longer could read and write for as long after it was taken from them.
 */
const BELIEF_MS = 500;

/** Whom the answers are made for that many are given. */
const EVERYBODY = 'everybody';

/** Of those reads of one operation: the others need connections, too. */
const READS_AT_ONCE = 3;

/** Of more fields of members, what an answer shows is shown in turn with what else is to be done. */
const VALUES_AT_ONCE = 2_000;

/** About what the names, the id and the times of a person come to. */
const PROFILE_CHARACTERS = 200;

/** How often the answer shows what is loaded. */
interface Told {
  body: number;
  extraData: number;
}

/** What the answer shows of each member. */
interface Shown {
  people: number;
  fields: number;
}

type Loading<Key, Value> = Batch<Key, Tally, Value>;

interface LoadersOptions {
  /** Default: nobody else reads. */
  fairness?: Fairness;
  run?: Run;
  /** Of who asks. Default: those of an operation. */
  limits?: Limits;
}

/**
 * What types of several features show of each other, read in one statement for all who ask at once. Answers the loaders
 * of an operation or of an event; a statement is cancelled when all who share it are. Without an asker: of an answer
 * that is made for many.
 */
export function createLoaders(
  services: Services,
  { fairness = createFairness(Infinity), run = (read) => read(), limits = LIMITS }: LoadersOptions = {},
): (asker?: Asker) => Loaders {
  const batches = createBatches(services, fairness.shares, run);
  const sources: Sources = { services, batches, fairness, run, limits };
  return (asker) => new Loaders(sources, asker);
}

type Batches = ReturnType<typeof createBatches>;

function createBatches({ users, presence, chats, messages }: Services, shares: Shares, run: Run) {
  const patiently =
    <Key, Row>(find: Find<Key, Row>): Find<Key, Row> =>
    (keys, cancellation) =>
      run(() => find(keys, cancellation));
  const inBatches = <Value>(read: Read<string, Value>, maxAsks = MAX_ASKS): Loading<string, Value> =>
    new Batch({ shares, maxAsks, nameOf: (id) => id, read });
  const loadOne = <Row>(find: Find<string, Row>, idOf: (row: Row) => string) =>
    inBatches(readOne(patiently(find), idOf));
  const loadMany = <Row>(find: Find<string, Row>, idOf: (row: Row) => string) =>
    inBatches(readMany(patiently(find), idOf));
  const ofMemberships = <Row>(find: Find<Membership, Row>, pairOf: (row: Row) => Membership) =>
    new Batch({ shares, maxAsks: MAX_ASKS, nameOf: nameOfMembership, read: readMemberships(patiently(find), pairOf) });
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
  fairness: Fairness;
  run: Run;
  limits: Limits;
}

/** The loaders of one operation or event. A loader is made when it is asked for: most operations need one or two. */
export class Loaders {
  readonly #sources: Sources;
  readonly #tally: Tally;
  readonly #turn: Turn;
  readonly #sessionId: string | undefined;
  readonly #begunAt = performance.now();
  #limit: Limiter | undefined;
  /** The answer has grown past a limit. */
  isTooMuch = false;
  /** Of an answer that is too much nothing will be told: one error is enough, and each costs. */
  isAllOrNothing = false;

  constructor(sources: Sources, asker: Asker | undefined) {
    this.#sources = sources;
    const limits = asker ? sources.limits : SHARED_LIMITS;
    this.#sessionId = asker?.sessionId;
    this.#turn = { rank: sources.fairness.nextRank(), cancellation: asker?.cancellation };
    this.#tally = {
      person: asker?.person ?? EVERYBODY,
      cancellation: asker?.cancellation,
      limits,
      reads: 0,
      members: 0,
      values: 0,
      loads: 0,
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
    const { fairness, run } = this.#sources;
    return this.#limit(() =>
      fairness.turns(tally.person, this.#turn, () => {
        // What was read before may have been too much.
        if (tally.charactersRead > tally.limits.characters) throw this.#tooMuch();
        return this.whileSignedIn(() => run(() => read(tally.cancellation)));
      }),
    );
  }

  /**
   * For what has statements of its own and is no read.
   *
   * @param sessionId for what must not wait for others of the person's sessions.
   * @throws TimeoutError when nobody waits for it any more.
   * @throws UnauthenticatedError when the session has ended meanwhile.
   */
  inTurn<T>(work: () => Promise<T> | T, sessionId?: string): Promise<T> {
    const { turns, sessionTurns } = this.#sources.fairness;
    const begin = () => this.whileSignedIn(work);
    return sessionId === undefined
      ? turns(this.#tally.person, this.#turn, begin)
      : sessionTurns(sessionId, this.#turn, begin);
  }

  /** @throws UnauthenticatedError when the session has ended since the operation began: the work has not. */
  whileSignedIn<T>(work: () => Promise<T> | T): Promise<T> | T {
    const sessionId = this.#sessionId;
    if (sessionId === undefined || !this.#hasWaited()) return work();
    const { services, run } = this.#sources;
    return run(() => services.liveSessions.find(sessionId)).then((session) => {
      if (!session) throw new UnauthenticatedError('SESSION_REVOKED');
      return work();
    });
  }

  #hasWaited(): boolean {
    return performance.now() - this.#begunAt > BELIEF_MS;
  }

  /** To be asked behind what was read of a chat. @throws NotFoundError when the asker has left it meanwhile. */
  async #checkMembership(chatId: string): Promise<void> {
    if (this.#sessionId === undefined || !this.#hasWaited()) return;
    const chat = await this.chatOfMember.load({ chatId, userId: this.#tally.person });
    if (!chat) throw new NotFoundError();
  }

  /**
   * A page of messages.
   *
   * @throws TooComplexError when it is one read, or one text, too many.
   * @throws NotFoundError when the asker has left the chat meanwhile.
   */
  async messages(chatId: string, page: PageRequest<number>, told: Told): Promise<Page<MessageView>> {
    const found = await this.run(async (cancellation) => {
      const read = await this.#sources.services.messages.list(chatId, page, cancellation);
      this.#keep(read.items, told);
      return read;
    });
    await this.#checkMembership(chatId);
    return found;
  }

  /** @throws TooComplexError when it is one text too many. @throws NotFoundError likewise. */
  async lastMessage(chatId: string, told: Told): Promise<MessageView | null> {
    const message = await this.#of(this.#sources.batches.lastMessage).load(chatId);
    if (message) this.#keep([message], told);
    await this.#checkMembership(chatId);
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

  /**
   * @param shown how often each is shown as a person, and how many fields of theirs there are.
   * @throws TooComplexError when they, or what is shown of them, are too much for one answer.
   * @throws NotFoundError when the asker has left the chat meanwhile.
   */
  async members(chatId: string, { people, fields }: Shown): Promise<MemberRow[]> {
    const tally = this.#tally;
    const members = await this.#of(this.#sources.batches.members).load(chatId);
    await this.#checkMembership(chatId);
    tally.members += members?.length ?? Infinity;
    if (!members || tally.members > tally.limits.members) throw this.#tooMuch();
    tally.values += fields * members.length;
    if (tally.values > tally.limits.values) throw this.#tooMuch();
    tally.charactersTold += people * members.length * PROFILE_CHARACTERS;
    this.#checkCharacters();
    // They are shown without a pause, whoever else waits.
    if (fields * members.length > VALUES_AT_ONCE) await this.#sources.fairness.breathe(tally.person);
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
    return new Loader(batch, this);
  }

  /** For its loaders. @throws TooComplexError when it is one too many. */
  load<Key, Value>(batch: Loading<Key, Value>, key: Key): Promise<Value> {
    const tally = this.#tally;
    tally.loads += 1;
    return tally.loads > tally.limits.loads ? Promise.reject(this.#tooMuch()) : batch.load(key, tally);
  }
}

class Loader<Key, Value> {
  readonly #batch: Loading<Key, Value>;
  readonly #loaders: Loaders;

  constructor(batch: Loading<Key, Value>, loaders: Loaders) {
    this.#batch = batch;
    this.#loaders = loaders;
  }

  load(key: Key): Promise<Value> {
    return this.#loaders.load(this.#batch, key);
  }
}
