import type { Cancellation } from '../cancellation.ts';

/** How much one answer may make of what the document does not say: it is refused when it turns out to be more. */
export interface Limits {
  /** Of pages and the like, one by one. */
  reads: number;
  members: number;
  /** Of fields beneath members: each member as often as something of theirs is asked for. */
  values: number;
  /** Of what is read in batches: each as often as it is asked for, though the same is read once. */
  loads: number;
  /** Of what people wrote, in code units: as much is read, and as much is told, each as often as it is asked for. */
  characters: number;
}

/** A page of the longest messages that there can be comes to 2.4 million characters. */
export const LIMITS: Limits = {
  reads: 200,
  members: 20_000,
  values: 200_000,
  loads: 200_000,
  characters: 4_000_000,
};
/** Of an event, which comes as often as somebody writes. */
export const EVENT_LIMITS: Limits = { ...LIMITS, members: 2_000, values: 20_000, loads: 20_000 };
/** Of an answer that is kept for many: when it turns out to be more, each of them is answered alone. */
export const SHARED_LIMITS: Limits = {
  reads: 0,
  members: 2_000,
  values: 20_000,
  loads: 20_000,
  characters: 400_000,
};

/** What an operation, or an event, has come to so far. */
export interface Tally {
  readonly person: string;
  readonly cancellation: Cancellation | undefined;
  readonly limits: Limits;
  reads: number;
  members: number;
  values: number;
  loads: number;
  charactersRead: number;
  charactersTold: number;
}
