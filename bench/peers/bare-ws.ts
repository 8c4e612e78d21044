import { randomUUID } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import type { WebSocket } from 'ws';
import { authorOf, messageOf } from './chat.ts';

/*
 * As little as a WebSocket server can do: it writes a frame once, and hands the same buffer to every socket. It answers
 * graphql-transport-ws in form, so that the same clients can listen to it, but reads no document, checks nobody, keeps
 * nothing, and gives every listener the same id.
 */

const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false });
const listeners = new Set<WebSocket>();
const author = authorOf(randomUUID());
let seq = 0;

server.on('connection', (socket) => {
  socket.on('close', () => listeners.delete(socket));
  socket.on('message', (data: Buffer) => {
    const { id, type, payload } = JSON.parse(data.toString());
    if (type === 'connection_init') socket.send('{"type":"connection_ack"}');
    else if (payload.query.startsWith('subscription')) listeners.add(socket);
    else {
      const message = messageOf((seq += 1), payload.variables.input.body, author);
      socket.send(JSON.stringify({ id, type: 'next', payload: { data: { sendMessage: { seq } } } }));
      const next = { id: randomUUID(), type: 'next', payload: { data: { messageAdded: message } } };
      const frame = Buffer.from(JSON.stringify(next));
      for (const listener of listeners) listener.send(frame, { binary: false });
    }
  });
});
server.on('listening', () => console.log(`http://localhost:${(server.address() as AddressInfo).port}`));
