import pg from 'pg';

/** What node-postgres knows of a connection's other end. */
interface Session {
  host: string;
  port: number;
  ssl: pg.ConnectionConfig['ssl'];
  sslNegotiation: string;
  processID: number;
  secretKey: number;
}

/** What it has for a connection that carries nothing but a request to cancel. */
interface Wire extends pg.Connection {
  connect(portOrPath: number | string, host?: string): void;
  requestSsl(): void;
  cancel(processId: number, secretKey: number): void;
}

/**
 * Asks PostgreSQL to end what a session is doing, over a connection of its own (Frontend/Backend Protocol, "Canceling
 * Requests in Progress"). Answers whether PostgreSQL has taken the request: it closes that connection behind it, and the
 * request meets nothing that the session is told to do from then on. Never rejects.
 */
export function requestCancel(client: pg.ClientBase, timeoutMs: number): Promise<boolean> {
  const { host, port, ssl, sslNegotiation, processID, secretKey } = client as unknown as Session;
  const wire = new pg.Connection({ ssl, sslNegotiation } as pg.ConnectionConfig) as Wire;
  return new Promise((resolve) => {
    let isSent = false;
    const done = (wasTaken: boolean) => {
      clearTimeout(timer);
      wire.stream.destroy();
      resolve(wasTaken);
    };
    const send = () => {
      isSent = true;
      wire.cancel(processID, secretKey);
    };
    const timer = setTimeout(() => done(false), timeoutMs);
    wire.on('error', () => done(false));
    wire.on('end', () => done(isSent));
    wire.on(ssl ? 'sslconnect' : 'connect', send);
    if (ssl && sslNegotiation !== 'direct') wire.on('connect', () => wire.requestSsl());
    if (host.startsWith('/')) wire.connect(`${host}/.s.PGSQL.${port}`);
    else wire.connect(port, host);
  });
}
