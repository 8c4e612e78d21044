import { EventEmitter } from 'node:events';
import type { Server } from 'node:http';
import { Duplex } from 'node:stream';
import { pino } from 'pino';
import { expect, it, onTestFinished } from 'vitest';
import { limitConnections } from '../../src/server/connection-limits.ts';
import { attachWebSocket } from '../../src/server/websocket.ts';
import type { WebSocketOptions } from '../../src/server/websocket.ts';

const fail = () => {
  throw new Error('nobody has thought of this');
};

function setUp() {
  const server = new EventEmitter() as Server;
  const lines: string[] = [];
  const logger = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) });
  const stream = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
  return { server, lines, logger, stream };
}

it('a connection over which something throws is destroyed, and the process goes on', () => {
  const { server, lines, logger, stream } = setUp();
  const places = { take: fail, giveBack: () => {}, isUnused: () => true };
  limitConnections(server, { connections: places, addressConnections: places }, logger);
  server.emit('connection', stream);
  expect(stream.destroyed).toBe(true);
  expect(lines).toEqual([expect.stringMatching(/"level":50.*nobody has thought of this/)]);
});

it('so is an upgrade, before and after the handshake', () => {
  for (const failing of [{ isAllowedOrigin: fail }, { readClient: fail }]) {
    const { server, lines, logger, stream } = setUp();
    const options: Partial<WebSocketOptions> = { isAllowedOrigin: () => true, logger, ...failing };
    const endpoint = attachWebSocket(server, options as WebSocketOptions);
    onTestFinished(() => endpoint.drain(0));
    const headers = {
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
    };
    server.emit('upgrade', { method: 'GET', url: '/graphql', headers }, stream, Buffer.alloc(0));
    expect(stream.destroyed).toBe(true);
    expect(lines).toEqual([expect.stringMatching(/"level":50.*nobody has thought of this/)]);
  }
});
