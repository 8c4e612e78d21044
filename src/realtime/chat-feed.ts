import { NotFoundError } from '../errors.ts';
import type { BrokerSubscription } from './broker.ts';
import type { Breathe } from './breather.ts';
import type { LiveCursor } from './live-cursor.ts';
import { Lane } from './lane.ts';
import type { Outlet, Share } from './lane.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { ChatHead, FeedMessage } from './source.ts';
import { Tail } from './tail.ts';
import { Tidings } from './tidings.ts';

/** `added`: every message, by seq. `updated`: messages that changed after they were sent, by revision. */
export type FeedKind = 'added' | 'updated';

export interface Listener<Message> {
  userId: string;
  kind: FeedKind;
  /** The seq (`added`) or revision (`updated`) up to which the person has been given everything. */
  position: number;
  /** The set of members, by its revision, in which the person was found last. */
  memberAsOf: number;
  cursor: LiveCursor<Message>;
  /** With those who asked the same; null: nobody else is given the same answers. */
  lane: Lane<Message> | null;
  /** It has everything, and is handed what comes by its lane. Else it reads by its cursor. */
  waitsInLane: boolean;
  /** How many messages it asks the database for next. */
  batch: number;
  /** The lane's way to the subscriber. */
  outlet: Outlet | null;
}

export type Watcher = (chatId: string) => void;

export interface ChatFeedOptions<Message> {
  /** How much of what somebody wrote the message holds. */
  charactersOf: (message: Message) => number;
  /** What each answer that is made for many waits for. */
  breathe: Breathe;
  onFailure: (error: unknown) => void;
  metrics: Metrics;
}

/** Of one kind. The clients of a chat ask a few things; each lane of somebody who asks a thousand has work of its own. */
const MAX_LANES = 20;
/** Of them, opened by one person: nobody takes all of them from the others. */
const LANES_OF_ONE = 4;

/**
 * What one node knows of one chat that somebody here listens to. The tails hold everything up to `head`; whoever was
 * found in the set of members that `head` names may be given it.
 */
export class ChatFeed<Message extends FeedMessage> {
  readonly chatId: string;
  readonly listeners = new Set<Listener<Message>>();
  /** Told that the chat changed, or is gone; they read for themselves. */
  readonly watchers = new Set<Watcher>();
  head: ChatHead;
  readonly tails: Record<FeedKind, Tail<Message>>;
  readonly #lanes: Record<FeedKind, Map<string, Lane<Message>>> = { added: new Map(), updated: new Map() };
  readonly #breathe: Breathe;
  readonly #onFailure: (error: unknown) => void;
  readonly #metrics: Metrics;
  readonly tidings = new Tidings();
  subscription: BrokerSubscription | undefined;

  constructor(head: ChatHead, { charactersOf, breathe, onFailure, metrics }: ChatFeedOptions<Message>) {
    this.chatId = head.chatId;
    this.head = head;
    this.#breathe = breathe;
    this.#onFailure = onFailure;
    this.#metrics = metrics;
    this.tails = {
      added: new Tail<Message>(head.lastSeq, (message) => message.seq, charactersOf),
      updated: new Tail<Message>(head.revision, (message) => message.revision ?? 0, charactersOf),
    };
  }

  get isIdle(): boolean {
    return this.listeners.size === 0 && this.watchers.size === 0;
  }

  /** Whether the person was found in the set of members that the head names. Else they have to be asked for. */
  isKnownMember(listener: Listener<Message>): boolean {
    return listener.memberAsOf >= this.head.membersRevision;
  }

  /** Null: there are too many, or too many that this person has opened, and the listener reads for itself. */
  laneOf(kind: FeedKind, { key, createAnswer }: Share<Message>, userId: string): Lane<Message> | null {
    const lanes = this.#lanes[kind];
    const standing = lanes.get(key);
    if (standing) return standing;
    const ownLanes = [...lanes.values()].filter(({ openedBy }) => openedBy === userId);
    if (lanes.size >= MAX_LANES || ownLanes.length >= LANES_OF_ONE) return null;
    const lane = new Lane<Message>({
      tail: this.tails[kind],
      answer: createAnswer(),
      breathe: () => this.#breathe(this.chatId),
      mayHear: (listener) => this.isKnownMember(listener),
      onFailure: this.#onFailure,
      metrics: this.#metrics,
      onEmpty: () => void lanes.delete(key),
      openedBy: userId,
    });
    lanes.set(key, lane);
    return lane;
  }

  add(listener: Listener<Message>): void {
    this.listeners.add(listener);
    listener.lane?.add(listener);
  }

  remove(listener: Listener<Message>): void {
    this.listeners.delete(listener);
    listener.lane?.remove(listener);
  }

  /** Takes messages that leave nothing out up to the seq, and tells how long they have been on their way. */
  takeAdded(messages: readonly Message[], upTo: number): void {
    const tail = this.tails.added;
    if (this.listeners.size > 0)
      for (const message of messages) if (message.seq > tail.end) this.#metrics.reachedFeed(message.createdAt);
    tail.append(messages, upTo);
  }

  /** A message changed after it was sent: whoever is given it from memory later is given what it is now. */
  refreshAdded(message: Message): void {
    this.tails.added.replace(message, (item, than) => (item.revision ?? 0) > (than.revision ?? 0));
  }

  /** Moves on to a newer head, once the tails hold what lies between. */
  moveTo(head: ChatHead): void {
    if (head.revision <= this.head.revision) return;
    this.head = head;
    for (const listener of this.listeners) if (!listener.waitsInLane) listener.cursor.wake();
    for (const lanes of Object.values(this.#lanes)) for (const lane of lanes.values()) lane.wake();
    for (const watch of this.watchers) watch(this.chatId);
  }

  /** Silences the person: what they may not see is as if it were not there. */
  evict(userId: string): void {
    for (const listener of [...this.listeners])
      if (listener.userId === userId) listener.cursor.fail(new NotFoundError());
  }

  /** The chat was deleted. */
  close(): void {
    for (const listener of [...this.listeners]) listener.cursor.fail(new NotFoundError());
    for (const watch of [...this.watchers]) watch(this.chatId);
  }
}
