import { randomUUID } from 'node:crypto';

/** A message as Parley's API has it, for peers that keep none. */
export interface PeerMessage {
  id: string;
  seq: number;
  type: string;
  body: string;
  extraData: null;
  createdAt: string;
  author: PeerUser;
}

export interface PeerUser {
  id: string;
  firstName: string;
  lastName: string;
}

export const authorOf = (id: string): PeerUser => ({ id, firstName: 'Ada', lastName: 'Lovelace 1' });

export function messageOf(seq: number, body: string, author: PeerUser): PeerMessage {
  const createdAt = new Date().toISOString();
  return { id: randomUUID(), seq, type: 'TEXT', body, extraData: null, createdAt, author };
}
