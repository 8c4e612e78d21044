import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import WebSocket, { WebSocketServer } from 'ws';
import { NextFrames } from '../../src/server/next-frames.ts';
import { createSocketWatch } from '../../src/server/socket-watch.ts';
import { eventually } from '../support/wait.ts';

/** A socket as the endpoint makes it, and a client that keeps what comes. */
async function setUp() {
  const server = createServer();
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  const watch = createSocketWatch(pino({ level: 'silent' }));
  const watched = new Promise<{
    socket: WebSocket;
    isFree: () => boolean;
    push: (answers: string[]) => boolean;
    send: (text: string) => unknown;
  }>((resolve) => {
    server.on('upgrade', (request, stream, head) =>
      sockets.handleUpgrade(request, stream, head, (socket) => {
        const watchedSocket = watch.watch(socket, stream);
        const outlet = new NextFrames().outlet('id', watchedSocket);
        resolve({
          socket,
          isFree: () => outlet.isFree(),
          push: (answers) => outlet.push(answers),
          send: (text) => watchedSocket.send(text),
        });
      }),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const received: string[] = [];
  client.on('message', (data: Buffer) => received.push(data.toString()));
  await once(client, 'open');
  onTestFinished(() => {
    client.terminate();
    watch.stop();
    server.close();
  });
  return { ...(await watched), client, received };
}

const numbers = (received: string[]) => received.map((text) => (JSON.parse(text) as { payload: number }).payload);

afterEach(() => void vi.useRealTimers());

describe('what is pushed into a socket', () => {
  it('comes in its place among what is sent', async () => {
    const { push, send, received } = await setUp();
    for (let nth = 0; nth < 90; nth += 3) {
      void send(`{"payload":${nth}}`);
      expect(push([String(nth + 1), String(nth + 2)])).toBe(true);
    }
    await eventually(() => expect(received).toHaveLength(90));
    expect(numbers(received)).toEqual(Array.from({ length: 90 }, (_, nth) => nth));
  });

  it('is refused while the peer has not taken what came before, and taken again after that', async () => {
    const { socket, isFree, push, client, received } = await setUp();
    expect(isFree()).toBe(true);
    client.pause();
    const answer = (nth: number) => `${nth}${' '.repeat(64 * 1024)}`;
    let taken = 0;
    // The kernels between take some of it.
    while (push([answer(taken)])) taken += 1;
    expect(taken).toBeLessThan(1_000);
    expect(socket.bufferedAmount).toBeLessThan(2 * 64 * 1024);
    expect([isFree(), push([answer(taken)])]).toEqual([false, false]);
    client.resume();
    await eventually(() => expect(isFree()).toBe(true));
    expect(push([answer(taken)])).toBe(true);
    await eventually(() => expect(received).toHaveLength(taken + 1));
    expect(numbers(received)).toEqual(Array.from({ length: taken + 1 }, (_, nth) => nth));
  });

  it('counts for the watch: a peer that takes nothing more is closed, with no other message', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'performance'] });
    const { push, client } = await setUp();
    const closed = once(client, 'close');
    client.pause();
    while (push([' '.repeat(64 * 1024)]));
    vi.advanceTimersByTime(18_000);
    client.resume();
    expect((await closed)[0]).toBe(1013);
  });

  it('and was taken does not', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'performance'] });
    const { socket, push, client } = await setUp();
    client.pause();
    while (push([' '.repeat(64 * 1024)]));
    client.resume();
    await eventually(() => expect(socket.bufferedAmount).toBe(0));
    expect(push(['1'])).toBe(true);
    vi.advanceTimersByTime(18_000);
    expect(socket.readyState).toBe(socket.OPEN);
  });

  it('is refused once the socket closes', async () => {
    const { socket, isFree, push } = await setUp();
    socket.close(1012);
    expect([isFree(), push(['1'])]).toEqual([false, false]);
  });
});
