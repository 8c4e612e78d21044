import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';

/** Stands between a server and its PostgreSQL, and counts the statements that go through. */
export interface StatementCounter {
  url: string;
  /** So far, of all connections. */
  readonly count: number;
  close(): void;
}

const BIND = 'B'.codePointAt(0);
const SIMPLE_QUERY = 'Q'.codePointAt(0);

export async function startStatementCounter(databaseUrl: string): Promise<StatementCounter> {
  const target = new URL(databaseUrl);
  let count = 0;
  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname);
    const onData = createMessageCounter(() => (count += 1));
    client.on('data', onData).pipe(upstream);
    upstream.pipe(client);
    client.on('error', () => upstream.destroy());
    upstream.on('error', () => client.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = new URL(databaseUrl);
  url.port = String((server.address() as AddressInfo).port);
  return {
    url: url.href,
    get count() {
      return count;
    },
    close: () => void server.close(),
  };
}

/** Reads what a client says: a start without a type, then messages of a type, a length and the rest. */
function createMessageCounter(onStatement: () => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  let headLength = 0;
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= headLength + 4) {
      const length = headLength + rest.readInt32BE(headLength);
      if (rest.length < length) return;
      if (headLength === 1 && (rest[0] === BIND || rest[0] === SIMPLE_QUERY)) onStatement();
      headLength = 1;
      rest = rest.subarray(length);
    }
  };
}
