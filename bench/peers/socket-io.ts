import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdapter } from '@socket.io/redis-adapter';
import { Redis } from 'ioredis';
import { Server } from 'socket.io';
import { authorOf, messageOf } from './chat.ts';

/*
 * Socket.IO with its Redis adapter, as its documentation has it: rooms, and nothing else. It keeps no message, and asks
 * nobody who they are.
 */

const publisher = new Redis(process.env['REDIS_URL']!);
const http = createServer();
const server = new Server(http, { adapter: createAdapter(publisher, publisher.duplicate()) });
const author = authorOf(randomUUID());
let seq = 0;

server.on('connection', (socket) => {
  socket.on('join', (chatId: string) => void socket.join(chatId));
  socket.on('send', (chatId: string, body: string, acknowledge: (seq: number) => void) => {
    const message = messageOf((seq += 1), body, author);
    server.to(chatId).emit('message', message);
    acknowledge(message.seq);
  });
});
http.listen(0, '127.0.0.1', () => console.log(`http://localhost:${(http.address() as AddressInfo).port}`));
