import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { expect, it, onTestFinished } from 'vitest';
import WebSocket from 'ws';
import { createPlaces } from '../../src/rate-limits/places.ts';
import { attachWebSocket } from '../../src/server/websocket.ts';
import type { WebSocketOptions } from '../../src/server/websocket.ts';
import { eventually } from '../support/wait.ts';

/** An endpoint where each address has so many places, and clients that say theirs. */
async function setUp(max: number) {
  const server = createServer();
  const endpoint = attachWebSocket(server, {
    isAllowedOrigin: () => true,
    readClient: ({ headers }) => ({ address: String(headers['x-address']), userAgent: null }),
    addressSockets: createPlaces(max, () => {}),
    logger: pino({ level: 'silent' }),
  } as Partial<WebSocketOptions> as WebSocketOptions);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    await endpoint.drain(0);
    server.close();
  });
  return async (address: string) => {
    const socket = new WebSocket(
      `ws://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`,
      'graphql-transport-ws',
      { headers: { 'x-address': address } },
    );
    const closed = once(socket, 'close') as Promise<[code: number]>;
    await once(socket, 'open');
    return { socket, closed };
  };
}

it('turns away with 1013 who comes from an address that has no place left, and takes the next when one is gone', async () => {
  const open = await setUp(2);
  const standing = [await open('192.0.2.1'), await open('192.0.2.1'), await open('192.0.2.2')];
  for (let n = 0; n < 3; n += 1) expect((await (await open('192.0.2.1')).closed)[0]).toBe(1013);
  expect(standing.map(({ socket }) => socket.readyState)).toEqual([1, 1, 1]);
  standing[0]!.socket.close();
  await standing[0]!.closed;
  const next = await eventually(async () => {
    const { socket, closed } = await open('192.0.2.1');
    socket.ping();
    // A socket that is turned away is closed before it can answer.
    await Promise.race([once(socket, 'pong'), closed.then(() => Promise.reject(new Error('turned away')))]);
    return socket;
  });
  expect(next.readyState).toBe(WebSocket.OPEN);
  for (const { closed } of [await open('192.0.2.1')]) expect((await closed)[0]).toBe(1013);
});
