import { ServerResponse } from 'node:http';
import type { IncomingMessage, OutgoingHttpHeader, OutgoingHttpHeaders } from 'node:http';
import { SECURITY_HEADERS } from './security-headers.ts';

/** Names and values by turns. */
const PRESET: readonly string[] = Object.entries(SECURITY_HEADERS).flat();

type Headers = OutgoingHttpHeaders | OutgoingHttpHeader[];

/**
 * An answer that says what every answer must, whoever writes it: a header is preset, and goes out unless it was set or is
 * written otherwise. Names are in lower case.
 *
 * Headers that are written as a list, name and value by turns, go out as they stand, which costs a quarter less than to set
 * each.
 */
export class SecuredResponse<Request extends IncomingMessage = IncomingMessage> extends ServerResponse<Request> {
  readonly #preset: string[] = [...PRESET];

  preset(name: string, value: string): void {
    this.#preset.push(name, value);
  }

  /**
   * A large text goes out as bytes: of what waits for a slow reader, Node counts the characters of texts, and for each
   * there are up to three bytes, beside the text itself.
   */
  override end(...written: unknown[]): this {
    return super.end(...(inBytes(written) as []));
  }

  override write(...written: unknown[]): boolean {
    return super.write(...(inBytes(written) as [unknown]));
  }

  override writeHead(status: number, reason?: string | Headers, headers?: Headers): this {
    const [message, own] = typeof reason === 'string' ? [reason, headers] : [undefined, reason];
    const isList = Array.isArray(own);
    const list: OutgoingHttpHeader[] = isList ? [...own] : [];
    for (let at = 0; at < this.#preset.length; at += 2) {
      const name = this.#preset[at]!;
      if (this.hasHeader(name)) continue;
      if (!isList) this.setHeader(name, this.#preset[at + 1]!);
      else if (!own.includes(name)) list.push(name, this.#preset[at + 1]!);
    }
    const all = isList ? list : own;
    return message === undefined ? super.writeHead(status, all) : super.writeHead(status, message, all);
  }
}

/** In characters; of what is smaller, a connection holds no more than three times as much. */
const LARGE = 16_000;

function inBytes(written: unknown[]): unknown[] {
  const [text, encoding, ...others] = written;
  if (typeof text !== 'string' || text.length < LARGE) return written;
  const bytes = Buffer.from(text, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8');
  return [bytes, encoding, ...others];
}
