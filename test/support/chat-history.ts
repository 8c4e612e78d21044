import { setTimeout as delay } from 'node:timers/promises';
import type { Transport } from './client.ts';
import { GraphQLRequestError } from './document.ts';
import { graphql } from './generated/index.ts';
import type { Person } from './people.ts';

/** What one attempt or one whole operation came to (Jepsen's method): an unknown may have happened. */
export type Outcome = 'ok' | 'failed' | 'unknown';

/** A message as its sender or a follower knows it. */
export interface Known {
  id: string;
  seq: number;
  body: string;
}

/** Everything that clients did to one chat and saw of it. */
export interface Recorded {
  /** Acknowledged to their senders. */
  acknowledged: Known[];
  /** What each follower was given, in the order in which it came. */
  followed: Known[][];
  /** The chat's history, read at the end. */
  history: Known[];
}

/**
 * What is wrong with what was recorded; nothing, when every acknowledged message is in history exactly once, seqs are
 * 1 to n, and every follower saw the whole of it, in order, each once.
 */
export function findFaults({ acknowledged, followed, history }: Recorded): string[] {
  const faults: string[] = [];
  history.forEach((message, index) => {
    if (message.seq !== index + 1) faults.push(`history has seq ${message.seq} at position ${index + 1}`);
  });
  const byId = new Map(history.map((message) => [message.id, message]));
  if (byId.size !== history.length) faults.push('history has an id twice');
  const bodies = new Map<string, number>();
  for (const { body } of history) bodies.set(body, (bodies.get(body) ?? 0) + 1);
  for (const [body, count] of bodies) if (count > 1) faults.push(`history has "${body}" ${count} times`);
  for (const message of acknowledged) {
    const kept = byId.get(message.id);
    if (!kept) faults.push(`acknowledged, but not in history: seq ${message.seq}, "${message.body}"`);
    else if (kept.seq !== message.seq || kept.body !== message.body)
      faults.push(`acknowledged as seq ${message.seq}, in history as ${kept.seq}`);
  }
  followed.forEach((messages, index) => {
    const seen = messages.map(({ seq }) => seq);
    const wanted = history.map(({ seq }) => seq);
    const wrong = wanted.findIndex((seq, position) => seen[position] !== seq);
    if (wrong !== -1) faults.push(`follower ${index} saw ${seen[wrong]} where ${wanted[wrong]} was due`);
    else if (seen.length > wanted.length)
      faults.push(`follower ${index} saw ${seen.slice(wanted.length).join()} besides`);
  });
  return faults.slice(0, 20);
}

const Send = graphql(/* GraphQL */ `
  mutation RecordedSend($input: SendMessageInput!) {
    sendMessage(input: $input) {
      id
      seq
      body
    }
  }
`);

/** An answer that says for certain that nothing was done, or that it may be tried again. */
function outcomeOf(error: unknown): Outcome {
  if (!(error instanceof GraphQLRequestError)) return 'unknown';
  return ['SERVICE_UNAVAILABLE', 'INTERNAL_SERVER_ERROR', 'TIMEOUT'].includes(String(error.code))
    ? 'unknown'
    : 'failed';
}

/**
 * Sends as a phone does: under one client id, again and again, at whatever node answers, until it knows.
 *
 * @throws what the server said, when it refused for certain; or when `deadlineMs` is over.
 */
export async function sendUntilKnown(
  person: Person,
  message: { chatId: string; body: string; clientId: string },
  { deadlineMs = 60_000, firstNode = 0 } = {},
): Promise<{ message: Known; attempts: number }> {
  const deadline = Date.now() + deadlineMs;
  for (let attempt = 1; ; attempt += 1) {
    try {
      const client = person.client(firstNode + attempt - 1);
      const { sendMessage } = await client.request(Send, { input: message });
      return { message: sendMessage, attempts: attempt };
    } catch (error) {
      if (outcomeOf(error) === 'failed' || Date.now() > deadline) throw error;
      await delay(50 + Math.random() * 100);
    }
  }
}

const Follow = graphql(/* GraphQL */ `
  subscription RecordedFollow($chatId: ID!, $afterSeq: Int) {
    messageAdded(chatId: $chatId, afterSeq: $afterSeq) {
      id
      seq
      body
    }
  }
`);

/** A subscriber that comes back, at the next node, behind the last seq that it saw, for as long as it is wanted. */
export class Follower {
  readonly seen: Known[] = [];
  /** How often it had to come back. */
  reconnects = 0;
  #wanted = true;
  readonly #onMessage: (message: Known) => void;
  #end: () => Promise<void> = async () => {};
  readonly #done: Promise<void>;

  constructor(
    person: Person,
    chatId: string,
    {
      node = 0,
      transport = 'ws',
      onMessage = () => {},
    }: { node?: number; transport?: Transport; onMessage?: (message: Known) => void } = {},
  ) {
    this.#onMessage = onMessage;
    this.#done = this.#run(person, chatId, node, transport);
  }

  get lastSeq(): number {
    return this.seen.at(-1)?.seq ?? 0;
  }

  async #run(person: Person, chatId: string, firstNode: number, transport: Transport) {
    for (let attempt = 0; this.#wanted; attempt += 1) {
      try {
        const client = person.client(firstNode + attempt);
        const stream = await client.subscribe(Follow, { chatId, afterSeq: this.lastSeq }, { transport });
        this.#end = () => stream.close();
        if (!this.#wanted) return await stream.close();
        for (;;) {
          const { messageAdded } = await stream.next(3_600_000);
          this.seen.push(messageAdded);
          this.#onMessage(messageAdded);
        }
      } catch {
        if (!this.#wanted) return;
        this.reconnects += 1;
        await delay(50 + Math.random() * 150);
      }
    }
  }

  async stop(): Promise<void> {
    this.#wanted = false;
    await this.#end();
    await this.#done;
  }
}

const Page = graphql(/* GraphQL */ `
  query RecordedHistory($chatId: ID!, $after: String) {
    chat(id: $chatId) {
      messages(first: 100, after: $after) {
        edges {
          node {
            id
            seq
            body
          }
        }
        pageInfo {
          hasNextPage
          endCursor
        }
      }
    }
  }
`);

/** The whole of it, oldest first. */
export async function readHistory(person: Person, chatId: string): Promise<Known[]> {
  const messages: Known[] = [];
  let after: string | null = null;
  for (;;) {
    const { chat }: { chat?: any } = await person.client().request(Page, { chatId, after });
    messages.push(...chat.messages.edges.map((edge: { node: Known }) => edge.node));
    if (!chat.messages.pageInfo.hasNextPage) return messages;
    after = chat.messages.pageInfo.endCursor as string;
  }
}
