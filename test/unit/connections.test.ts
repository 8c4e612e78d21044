import { describe, expect, it } from 'vitest';
import { UnauthenticatedError } from '../../src/errors.ts';
import { createPlaces } from '../../src/rate-limits/places.ts';
import { createConnections } from '../../src/realtime/connections.ts';

const viewer = (sessionId: string) => ({ userId: 'ann', sessionId, expiresAt: Date.now() + 60_000 });

function setUp(live: string[] = []) {
  const told: string[] = [];
  const connections = createConnections({
    filterLiveSessions: async () => new Set(live),
    places: createPlaces(2, () => {}),
    onOpened: () => told.push('opened'),
    onClosed: () => told.push('closed'),
  });
  return { connections, told };
}

describe('a live connection', () => {
  it('takes with it whatever was opened on it, and is closed once', () => {
    const { connections, told } = setUp();
    const connection = connections.open(viewer('phone'));
    connection.close();
    connection.close();
    expect(connection.signal.aborted).toBe(true);
    expect(told).toEqual(['opened', 'closed']);
  });

  it('is cut off when its session has ended elsewhere, and its neighbour is not', async () => {
    const { connections } = setUp(['tablet']);
    const [phone, tablet] = [connections.open(viewer('phone')), connections.open(viewer('tablet'))];
    await connections.sweep();
    expect(phone.signal.reason).toBeInstanceOf(UnauthenticatedError);
    expect(tablet.signal.aborted).toBe(false);
  });
});
