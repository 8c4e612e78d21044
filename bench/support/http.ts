import { connect } from 'node:net';

export interface HttpConnection {
  /** One request at a time. The body of the answer. @throws when the status is not 200. */
  request(body: string): Promise<string>;
  close(): void;
}

export interface HttpTarget {
  port: number;
  path: string;
  /** Default: POST. */
  method?: string;
  headers?: Record<string, string>;
}

const HEAD_END = Buffer.from('\r\n\r\n');

/** A connection that is kept alive, by hand: a client of Node's own would cost more than the server. */
export function openHttp({ port, path, method = 'POST', headers = {} }: HttpTarget): Promise<HttpConnection> {
  const fields = Object.entries({ host: `127.0.0.1:${port}`, 'content-type': 'application/json', ...headers });
  const head = `${method} ${path} HTTP/1.1\r\n${fields.map(([name, value]) => `${name}: ${value}\r\n`).join('')}`;
  let pending: { resolve: (body: string) => void; reject: (error: Error) => void } | undefined;
  let received: Buffer = Buffer.alloc(0);

  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  const fail = (error: Error) => pending?.reject(error);
  socket.on('error', fail);
  socket.on('close', () => fail(new Error('the connection ended')));
  socket.on('data', (chunk) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    const answer = readAnswer(received);
    if (!answer) return;
    received = Buffer.alloc(0);
    if (answer.status === '200') pending?.resolve(answer.body);
    else fail(new Error(`HTTP ${answer.status}: ${answer.body.slice(0, 300)}`));
  });

  const connection: HttpConnection = {
    request: (body) =>
      new Promise((resolve, reject) => {
        pending = { resolve, reject };
        socket.write(`${head}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
      }),
    close: () => socket.destroy(),
  };
  return new Promise((resolve, reject) => {
    socket.once('connect', () => resolve(connection));
    socket.once('error', reject);
  });
}

/** Null until all of it is there. */
function readAnswer(bytes: Buffer): { status: string; body: string } | null {
  const headEnd = bytes.indexOf(HEAD_END);
  if (headEnd === -1) return null;
  const head = bytes.toString('latin1', 0, headEnd);
  const status = head.slice(9, 12);
  const bodyStart = headEnd + HEAD_END.length;
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  if (length !== undefined) {
    const end = bodyStart + Number(length);
    return bytes.length < end ? null : { status, body: bytes.toString('utf8', bodyStart, end) };
  }
  if (!/\r\ntransfer-encoding: *chunked/i.test(head)) throw new Error(`an answer of unknown length: ${head}`);
  const body = readChunks(bytes.subarray(bodyStart));
  return body === null ? null : { status, body };
}

function readChunks(bytes: Buffer): string | null {
  const chunks: Buffer[] = [];
  for (let at = 0; ;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd === -1) return null;
    const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    const start = lineEnd + 2;
    if (bytes.length < start + size + 2) return null;
    if (size === 0) return Buffer.concat(chunks).toString();
    chunks.push(bytes.subarray(start, start + size));
    at = start + size + 2;
  }
}
