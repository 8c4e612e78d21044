import { once } from 'node:events';
import { createServer, get } from 'node:http';
import type { ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import type { Viewer } from '../../src/auth/viewer.ts';
import { createPlaces } from '../../src/rate-limits/places.ts';
import { createOperationPlaces } from '../../src/server/operation-places.ts';
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

const viewer = (userId: string, sessionId = `of ${userId}`): Viewer => ({ userId, sessionId, expiresAt: Infinity });
const ANN = viewer('ann');

function setUp({ ofUser, ofSession = ofUser }: { ofUser: number; ofSession?: number }) {
  const userOperations = createPlaces(ofUser, () => {});
  const sessionOperations = createPlaces(ofSession, () => {});
  const places = createOperationPlaces({ userOperations, sessionOperations, addressOperations: userOperations });
  /** Whether so many more can be had. */
  const areFree = (count: number): boolean => {
    const taken = Array.from({ length: count }, () => userOperations.take('ann') && sessionOperations.take('of ann'));
    for (const isTaken of taken)
      if (isTaken) {
        userOperations.giveBack('ann');
        sessionOperations.giveBack('of ann');
      }
    return taken.every(Boolean);
  };
  return { places, areFree };
}

it('a place is had until the response has left', async () => {
  const { places, areFree } = setUp({ ofUser: 1 });
  const asked = deferred();
  const ask = await serve((response) => {
    expect(places.take(ANN, '', response)).toBeTypeOf('function');
    asked.resolve();
    setTimeout(() => response.end('done'), 50);
  });
  const request = ask();
  await asked.promise;
  expect(areFree(1)).toBe(false);
  await once(request, 'close');
  await eventually(() => expect(areFree(1)).toBe(true));
});

it('a place is given back once, when the client goes or when it is left before', async () => {
  const { places, areFree } = setUp({ ofUser: 2 });
  const asked = deferred();
  const closed = deferred();
  const ask = await serve((response) => {
    const leave = places.take(ANN, '', response) as () => void;
    response.once('close', () => {
      leave();
      closed.resolve();
    });
    asked.resolve();
  });
  // One that stays taken, so that one given back too often would show.
  const standing = deferred();
  const other = places.during(ANN, () => standing.promise);
  const request = ask();
  request.on('error', () => {});
  await asked.promise;
  expect(areFree(1)).toBe(false);
  request.destroy();
  await closed.promise;
  expect(areFree(1)).toBe(true);
  expect(areFree(2)).toBe(false);
  standing.resolve();
  await other;
  expect(areFree(2)).toBe(true);
});

it('a place is not kept for a connection that is gone before it is taken', async () => {
  const { places, areFree } = setUp({ ofUser: 1 });
  const taken = deferred();
  const ask = await serve((response) => {
    // As when the client leaves while its token is looked at.
    response.req.socket.destroy();
    response.once('close', () => {
      expect(places.take(ANN, '', response)).toBeTypeOf('function');
      taken.resolve();
    });
  });
  ask().on('error', () => {});
  await taken.promise;
  expect(areFree(1)).toBe(true);
});

it('a place on a socket is had until the operation is done, or has failed, and one more is refused after a second', async () => {
  const { places, areFree } = setUp({ ofUser: 1 });
  const gate = deferred();
  const first = places.during(ANN, async () => {
    await gate.promise;
    throw new Error('failed');
  });
  const askedAt = performance.now();
  await expect(places.during(ANN, () => 'never')).rejects.toMatchObject({ code: 'RATE_LIMITED' });
  expect(performance.now() - askedAt).toBeGreaterThan(900);
  expect(await places.during(viewer('bob'), () => 'at once')).toBe('at once');
  gate.resolve();
  await expect(first).rejects.toThrow('failed');
  expect(areFree(1)).toBe(true);
});

it('one session has a part of its user’s places, and takes none where it is refused', async () => {
  const { places } = setUp({ ofUser: 3, ofSession: 2 });
  const gate = deferred();
  const hold = (who: Viewer) => places.during(who, () => gate.promise);
  const held = [hold(viewer('ann', 'stolen')), hold(viewer('ann', 'stolen'))];
  await expect(hold(viewer('ann', 'stolen'))).rejects.toMatchObject({ code: 'RATE_LIMITED' });
  held.push(hold(viewer('ann', 'own')));
  await expect(hold(viewer('ann', 'own'))).rejects.toMatchObject({ code: 'RATE_LIMITED' });
  gate.resolve();
  await Promise.all(held);
  const all = ['stolen', 'stolen', 'own'].map((sessionId) => places.during(viewer('ann', sessionId), () => sessionId));
  expect(await Promise.all(all)).toEqual(['stolen', 'stolen', 'own']);
});

it('whoever is refused waits for a second, unless too many do', async () => {
  const { places } = setUp({ ofUser: 1 });
  const gate = deferred();
  const held = places.during(ANN, () => gate.promise);
  const askedAt = performance.now();
  const waits: number[] = [];
  const refusals = Array.from({ length: 250 }, async () => {
    await expect(places.during(ANN, () => 'never')).rejects.toMatchObject({ code: 'RATE_LIMITED' });
    waits.push(performance.now() - askedAt);
  });
  await Promise.all(refusals);
  expect(waits.filter((ms) => ms > 900)).toHaveLength(200);
  gate.resolve();
  await held;
});
