/** About what a reader is given in one piece, and so what waits in memory for one that has stopped reading. */
const PIECE_CHARACTERS = 64 * 1024;

interface Piece {
  answers: readonly string[];
  /** The key of the last message answered. */
  upTo: number;
}

/** Answers in the order of their messages, cut for readers that have got differently far. */
export class Pieces<Message> {
  readonly #messages: readonly Message[];
  readonly #answers: readonly string[];
  readonly #keyOf: (message: Message) => number;
  /** By the position before it: whoever has got as far is given the same object. */
  readonly #cut = new Map<number, Piece | null>();

  constructor(messages: readonly Message[], answers: readonly string[], keyOf: (message: Message) => number) {
    this.#messages = messages;
    this.#answers = answers;
    this.#keyOf = keyOf;
  }

  areOf(messages: readonly Message[]): boolean {
    return messages.length === this.#messages.length && messages.every((message, at) => message === this.#messages[at]);
  }

  /** The answer to the message, if it is the very one. */
  find(message: Message): string | undefined {
    return this.#answers[this.#messages.indexOf(message)];
  }

  /** What comes behind the position; null: nothing. */
  behind(position: number): Piece | null {
    let piece = this.#cut.get(position);
    if (piece === undefined) {
      piece = this.#cutBehind(position);
      this.#cut.set(position, piece);
    }
    return piece;
  }

  #cutBehind(position: number): Piece | null {
    const from = this.#messages.findIndex((message) => this.#keyOf(message) > position);
    if (from === -1) return null;
    let end = from;
    let characters = 0;
    while (end < this.#answers.length && characters < PIECE_CHARACTERS) {
      characters += this.#answers[end]!.length;
      end += 1;
    }
    return { answers: this.#answers.slice(from, end), upTo: this.#keyOf(this.#messages[end - 1]!) };
  }
}
