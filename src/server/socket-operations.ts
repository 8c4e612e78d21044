export interface SocketOperations {
  /** How many the client waits for or listens to. */
  readonly wanted: number;
  /** How many are at work, whether or not the client still wants to know. */
  readonly running: number;
  subscribe(id: string, text: string): void;
  complete(id: string, text: string): void;
}

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
 *
 * `handle` hands the message to graphql-ws, resolves when all that came of it is over, and never rejects.
 */
export function createSocketOperations(
  handle: (text: string) => Promise<void>,
  onDuplicate: () => void,
): SocketOperations {
  const operations = new Map<string, Operation>();

  async function run(id: string, text: string) {
    for (let next: string | undefined = text; next !== undefined;) {
      const operation: Operation = { isLeft: false, next: undefined };
      operations.set(id, operation);
      await handle(next);
      next = operation.next;
    }
    operations.delete(id);
  }

  return {
    get wanted() {
      return [...operations.values()].filter(({ isLeft }) => !isLeft).length;
    },

    get running() {
      return operations.size;
    },

    subscribe(id, text) {
      const standing = operations.get(id);
      if (!standing) return void run(id, text);
      if (!standing.isLeft || standing.next !== undefined) return onDuplicate();
      standing.next = text;
    },

    complete(id, text) {
      const standing = operations.get(id);
      if (!standing) return;
      standing.next = undefined;
      if (standing.isLeft) return;
      standing.isLeft = true;
      void handle(text);
    },
  };
}
