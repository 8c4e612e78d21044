import { connect } from 'node:net';
import { eventually, within } from './wait.ts';

/** A connection by hand: no client library would write some of what tests send. */
export interface Wire {
  write(bytes: string | Buffer): void;
  /** All that came so far, a character for each byte. */
  readonly received: string;
  /** All that came until the server has closed it; not how. */
  readonly closed: Promise<string>;
  /** Resolves once it has come. */
  sees(text: string | RegExp, deadlineMs?: number): Promise<void>;
  /** Nothing more will be written. */
  end(): void;
  /** Without a word. */
  destroy(): void;
  /** So that nothing can be written to it any more. */
  reset(): void;
}

export function openWire({ port }: { port: number }, from = '127.0.0.1'): Promise<Wire> {
  let received = '';
  const socket = connect({ port, host: '127.0.0.1', localAddress: from }).setEncoding('latin1');
  socket.on('data', (chunk: string) => (received += chunk));
  const closed = new Promise<string>((resolve) => socket.on('close', () => resolve(received)));
  const wire: Wire = {
    write: (bytes) => void (socket.writable && socket.write(bytes)),
    get received() {
      return received;
    },
    closed,
    async sees(text, deadlineMs) {
      const has = () => (typeof text === 'string' ? received.includes(text) : text.test(received));
      await eventually(
        () => {
          if (!has()) throw new Error(`${String(text)} is not in ${JSON.stringify(received.slice(-500))}`);
        },
        { deadlineMs: deadlineMs ?? 10_000 },
      );
    },
    end: () => void socket.end(),
    destroy: () => void socket.destroy(),
    reset: () => void socket.resetAndDestroy(),
  };
  return new Promise((resolve, reject) => {
    // A reset is an end like any other.
    socket.on('error', reject).once('connect', () => resolve(wire));
  });
}

/** Sends the bytes, and answers all that comes until the server closes the connection. */
export async function exchange(node: { port: number }, bytes: string | Buffer, deadlineMs = 10_000): Promise<string> {
  const wire = await openWire(node);
  wire.write(bytes);
  try {
    return await within(wire.closed, deadlineMs, 'the end of the connection');
  } finally {
    wire.destroy();
  }
}

/** The head of a response, its names in lower case. */
export function readHead(text: string): { status: number; headers: Record<string, string> } {
  const [first = '', ...lines] = text.split('\r\n\r\n', 1)[0]!.split('\r\n');
  const headers = lines.map((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  return { status: Number(first.split(' ')[1]), headers: Object.fromEntries(headers) as Record<string, string> };
}
