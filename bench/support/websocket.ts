import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import type { Socket } from 'node:net';

/*
 * The client's side of a WebSocket (RFC 6455), as cheap as can be: the load generator must never be what limits the
 * server. It reads into one buffer for all sockets, and takes text that comes in whole frames.
 */

const HEAD_END = Buffer.from('\r\n\r\n');
const OP_TEXT = 1;
const OP_CLOSE = 8;
const OP_PING = 9;
const OP_PONG = 10;
/** Where all sockets read into: what is left of it when a callback returns is copied. */
const SHARED_BUFFER = Buffer.allocUnsafe(256 * 1024);
/** Frames of a client are masked; with zeros the payload stays as it is. */
const MASK = Buffer.alloc(4);

export interface WebSocketOptions {
  port: number;
  path: string;
  subprotocol?: string | undefined;
  /** May be called before the promise of the socket is settled, hence the second argument. */
  onText: (text: string, socket: ClientSocket) => void;
  /** The server closed it, or it broke; not called after `close`. */
  onLost: (reason: string) => void;
}

export interface ClientSocket {
  send(text: string): void;
  close(): void;
}

export function openWebSocket(options: WebSocketOptions): Promise<ClientSocket> {
  return new Promise((resolve, reject) => {
    let isOpen = false;
    let rest: Buffer | undefined;

    const socket: Socket = connect({
      port: options.port,
      host: '127.0.0.1',
      noDelay: true,
      onread: {
        buffer: SHARED_BUFFER,
        callback(length) {
          const fresh = SHARED_BUFFER.subarray(0, length);
          let bytes = rest ? Buffer.concat([rest, fresh]) : fresh;
          rest = undefined;
          if (!isOpen) {
            const end = bytes.indexOf(HEAD_END);
            if (end !== -1) {
              const status = bytes.toString('latin1', 0, bytes.indexOf(13));
              if (!status.startsWith('HTTP/1.1 101')) fail(`the upgrade was answered: ${status}`);
              isOpen = true;
              resolve(client);
              bytes = bytes.subarray(end + HEAD_END.length);
            }
          }
          const used = isOpen ? readFrames(bytes) : 0;
          if (used < bytes.length) rest = Buffer.from(bytes.subarray(used));
          return true;
        },
      },
    });

    const client: ClientSocket = {
      send: (text) => void socket.write(frame(OP_TEXT, Buffer.from(text))),
      close() {
        options.onLost = () => {};
        socket.destroy();
      },
    };

    /** How many bytes were whole frames. */
    function readFrames(bytes: Buffer): number {
      let at = 0;
      while (at + 2 <= bytes.length) {
        let length = bytes[at + 1]! & 0x7f;
        let start = at + 2;
        if (length === 126) {
          if (at + 4 > bytes.length) return at;
          length = bytes.readUInt16BE(at + 2);
          start = at + 4;
        } else if (length === 127) {
          if (at + 10 > bytes.length) return at;
          length = Number(bytes.readBigUInt64BE(at + 2));
          start = at + 10;
        }
        if (start + length > bytes.length) return at;
        const opcode = bytes[at]! & 0x0f;
        at = start + length;
        if (opcode === OP_TEXT) options.onText(bytes.toString('latin1', start, at), client);
        else if (opcode === OP_PING) socket.write(frame(OP_PONG, bytes.subarray(start, at)));
        else if (opcode === OP_CLOSE) fail(`closed with ${length >= 2 ? bytes.readUInt16BE(start) : 'no code'}`);
      }
      return at;
    }

    function fail(reason: string) {
      reject(new Error(reason));
      options.onLost(reason);
      client.close();
    }

    socket.on('error', (error) => fail(error.message));
    socket.on('close', () => fail('the connection ended'));
    socket.write(
      `GET ${options.path} HTTP/1.1\r\nHost: 127.0.0.1:${options.port}\r\nUpgrade: websocket\r\n` +
        `Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n` +
        (options.subprotocol === undefined ? '' : `Sec-WebSocket-Protocol: ${options.subprotocol}\r\n`) +
        '\r\n',
    );
  });
}

function frame(opcode: number, payload: Buffer): Buffer {
  const head = payload.length < 126 ? Buffer.alloc(2) : Buffer.alloc(4);
  head[0] = 0x80 | opcode;
  if (payload.length < 126) head[1] = 0x80 | payload.length;
  else {
    head[1] = 0x80 | 126;
    head.writeUInt16BE(payload.length, 2);
  }
  return Buffer.concat([head, MASK, payload]);
}
