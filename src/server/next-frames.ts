import type { Outlet } from '../realtime/lane.ts';

/** What became of bytes that were to be written: nothing, it is done with them, or it still needs them. */
export type Written = 'refused' | 'done' | 'waiting';

export interface FrameSink {
  /** Whether it would not refuse. */
  isFree(): boolean;
  push(frames: Buffer): Written;
}

/** Frames with room for an id. */
interface Template {
  bytes: Buffer;
  idsAt: number[];
}

/**
 * Makes the frames of the same answers once for all subscriptions whose ids are of one length, and puts the id of each
 * into them in turn. To be written to the socket of a connection without extensions, between two messages.
 */
export class NextFrames {
  // Everybody is given the same answers before anybody is given others.
  #answers: readonly string[] = [];
  /** By the length of an id in bytes. */
  #templates: Template[] = [];

  /** Of one subscription: each answer is a `next` message of graphql-transport-ws. */
  outlet(id: string, sink: FrameSink): Outlet {
    return new FrameOutlet(this, id, sink);
  }

  findTemplate(answers: readonly string[], idLength: number): Template {
    if (answers !== this.#answers) {
      this.#answers = answers;
      this.#templates = [];
    }
    return (this.#templates[idLength] ??= makeTemplate(answers, idLength));
  }
}

/** One object for each subscriber, and nothing to look up: whoever hands answers out visits thousands of them. */
class FrameOutlet implements Outlet {
  readonly #frames: NextFrames;
  readonly #sink: FrameSink;
  /** Its bytes in JSON, each a character: a Buffer would be two objects and a place elsewhere. */
  readonly #id: string;

  constructor(frames: NextFrames, id: string, sink: FrameSink) {
    this.#frames = frames;
    this.#sink = sink;
    this.#id = Buffer.from(JSON.stringify(id).slice(1, -1)).toString('latin1');
  }

  /** Reads what `push` will read, so that it is at hand by then. No id is empty. */
  isFree(): boolean {
    return this.#id.length > 0 && this.#sink.isFree();
  }

  push(answers: readonly string[]): boolean {
    const id = this.#id;
    const template = this.#frames.findTemplate(answers, id.length);
    for (const at of template.idsAt)
      for (let nth = 0; nth < id.length; nth += 1) template.bytes[at + nth] = id.charCodeAt(nth);
    const written = this.#sink.push(template.bytes);
    // The bytes are still to be read: the next id goes into others.
    if (written === 'waiting') template.bytes = Buffer.from(template.bytes);
    return written !== 'refused';
  }
}

function makeTemplate(answers: readonly string[], idLength: number): Template {
  const before = '{"id":"';
  const parts: Buffer[] = [];
  const idsAt: number[] = [];
  let length = 0;
  for (const answer of answers) {
    const message = Buffer.from(`${before}${' '.repeat(idLength)}","type":"next","payload":${answer}}`);
    const header = frameHeader(message.length);
    idsAt.push(length + header.length + before.length);
    parts.push(header, message);
    length += header.length + message.length;
  }
  return { bytes: Buffer.concat(parts), idsAt };
}

/** Of a whole text message, unmasked as a server's are (RFC 6455, 5.2). */
function frameHeader(length: number): Buffer {
  if (length < 126) return Buffer.from([0x81, length]);
  const header = Buffer.alloc(length < 65_536 ? 4 : 10);
  header[0] = 0x81;
  if (header.length === 4) {
    header[1] = 126;
    header.writeUInt16BE(length, 2);
  } else {
    header[1] = 127;
    header.writeUIntBE(length, 4, 6);
  }
  return header;
}
