import { once } from 'node:events';
import { createServer, get } from 'node:http';
import type { ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { createPlaces } from '../../src/rate-limits/places.ts';
import { inPlace, takePlace } from '../../src/server/operation-places.ts';
import { deferred, eventually } from '../support/wait.ts';

/** A server on which each request is what the test makes of it, and a client. */
async function serve(handle: (response: ServerResponse) => void) {
  const server = createServer((_request, response) => handle(response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const ask = () => get({ port: (server.address() as AddressInfo).port, agent: false }, (answer) => answer.resume());
  return ask;
}

/** Whether the one place there is can be had. */
function isFree(places: ReturnType<typeof createPlaces>): boolean {
  const taken = places.take('ann');
  if (taken) places.giveBack('ann');
  return taken;
}

it('a place is had until the response has left', async () => {
  const places = createPlaces(1, () => {});
  const asked = deferred();
  const ask = await serve((response) => {
    expect(takePlace(places, 'ann', response)).toBeTypeOf('function');
    asked.resolve();
    setTimeout(() => response.end('done'), 50);
  });
  const request = ask();
  await asked.promise;
  expect(isFree(places)).toBe(false);
  await once(request, 'close');
  await eventually(() => expect(isFree(places)).toBe(true));
});

it('a place is given back once, when the client goes or when it is left before', async () => {
  const places = createPlaces(2, () => {});
  const asked = deferred();
  const closed = deferred();
  const ask = await serve((response) => {
    const leave = takePlace(places, 'ann', response) as () => void;
    response.once('close', () => {
      leave();
      closed.resolve();
    });
    asked.resolve();
  });
  // One that stays taken, so that one given back too often would show.
  places.take('ann');
  const request = ask();
  request.on('error', () => {});
  await asked.promise;
  expect(isFree(places)).toBe(false);
  request.destroy();
  await closed.promise;
  expect(places.take('ann')).toBe(true);
  expect(places.take('ann')).toBe(false);
});

it('a place is not kept for a connection that is gone before it is taken', async () => {
  const places = createPlaces(1, () => {});
  const taken = deferred();
  const ask = await serve((response) => {
    // As when the client leaves while its token is looked at.
    response.req.socket.destroy();
    response.once('close', () => {
      expect(takePlace(places, 'ann', response)).toBeTypeOf('function');
      taken.resolve();
    });
  });
  ask().on('error', () => {});
  await taken.promise;
  expect(isFree(places)).toBe(true);
});

it('a place on a socket is had until the operation is done, or has failed, and one more is refused after a second', async () => {
  const places = createPlaces(1, () => {});
  const gate = deferred();
  const first = inPlace(places, 'ann', async () => {
    await gate.promise;
    throw new Error('failed');
  });
  const askedAt = performance.now();
  await expect(inPlace(places, 'ann', () => 'never')).rejects.toMatchObject({ code: 'RATE_LIMITED' });
  expect(performance.now() - askedAt).toBeGreaterThan(900);
  expect(await inPlace(places, 'bob', () => 'at once')).toBe('at once');
  gate.resolve();
  await expect(first).rejects.toThrow('failed');
  expect(isFree(places)).toBe(true);
});
