import { IncomingMessage } from 'node:http';

/** Far more than an honest body has, of which Node stops to read after some 64 KB while nobody takes it. */
const MAX_UNREAD_PIECES = 1_000;

/**
 * A request of which so many pieces at most wait to be read: while its turn has not come (`pipelining.ts`), Node bounds
 * their bytes alone, and a chunk of one byte weighs three hundred. More of them end the connection.
 */
export class BoundedRequest extends IncomingMessage {
  #unread = 0;

  override push(piece: unknown, encoding?: BufferEncoding): boolean {
    if (!this.readableFlowing) this.#unread += 1;
    if (this.#unread <= MAX_UNREAD_PIECES) return super.push(piece, encoding);
    this.socket.destroy();
    return false;
  }
}
