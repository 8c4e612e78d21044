interface Operation {
  /** The client has left it; its work goes on until it notices. */
  isLeft: boolean;
  /** The message that takes the id over once the work has ended. */
  next: string | undefined;
}

/**
 * The operations of one socket, from `subscribe` until their work has ended. graphql-ws frees an id as soon as the
 * client completes it: what such an operation still had to say would go out under the id's next one, and would not
 * stop with it. So the next one waits for the end of the last.
 */
export class SocketOperations {
  readonly #handle: (text: string) => Promise<void>;
  readonly #onDuplicate: () => void;
  readonly #operations = new Map<string, Operation>();
  #whenIdle: (() => void)[] = [];

  /** @param handle hands the message to graphql-ws, resolves when all that came of it is over, and never rejects. */
  constructor(handle: (text: string) => Promise<void>, onDuplicate: () => void) {
    this.#handle = handle;
    this.#onDuplicate = onDuplicate;
  }

  /** How many the client waits for or listens to. */
  get wanted(): number {
    return [...this.#operations.values()].filter(({ isLeft }) => !isLeft).length;
  }

  /** How many are at work, whether or not the client still wants to know. */
  get running(): number {
    return this.#operations.size;
  }

  /** Whether the client has left the one that runs under the id now; asked again later, it is still about that one. */
  leaving(id: string): () => boolean {
    const operation = this.#operations.get(id);
    return () => operation?.isLeft ?? true;
  }

  subscribe(id: string, text: string): void {
    const standing = this.#operations.get(id);
    if (!standing) return this.#run(id, text);
    if (!standing.isLeft || standing.next !== undefined) return this.#onDuplicate();
    standing.next = text;
  }

  complete(id: string, text: string): void {
    const standing = this.#operations.get(id);
    if (!standing) return;
    standing.next = undefined;
    if (standing.isLeft) return;
    standing.isLeft = true;
    void this.#handle(text);
  }

  /** Resolves as soon as none is at work. */
  idle(): Promise<void> {
    return new Promise((resolve) => (this.#operations.size === 0 ? resolve() : this.#whenIdle.push(resolve)));
  }

  #run(id: string, text: string): void {
    const operation: Operation = { isLeft: false, next: undefined };
    this.#operations.set(id, operation);
    void this.#handle(text).then(() => {
      if (operation.next !== undefined) return this.#run(id, operation.next);
      this.#operations.delete(id);
      if (this.#operations.size > 0) return;
      for (const done of this.#whenIdle) done();
      this.#whenIdle = [];
    });
  }
}
