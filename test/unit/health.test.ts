import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createHealth } from '../../src/server/health.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A database that answers when the test says so. */
function openHealth() {
  const pings: { answer(): void; fail(error: Error): void }[] = [];
  const pingDatabase = () => new Promise<void>((resolve, reject) => pings.push({ answer: resolve, fail: reject }));
  const health = createHealth({ pingDatabase, brokerStatus: () => 'up' });
  const ask = () =>
    new Promise<number>((resolve) => {
      let status = 0;
      const response = {
        writeHead: (code: number) => ((status = code), response),
        end: () => resolve(status),
      } as unknown as ServerResponse;
      health.handle('/readyz', { method: 'GET' } as IncomingMessage, response);
    });
  return { ask, pings, health };
}

it('whoever asks within a second is told what the first was, also before that is known', async () => {
  const { ask, pings } = openHealth();
  const [first, second] = [ask(), ask()];
  pings[0]!.answer();
  expect(await Promise.all([first, second, ask()])).toEqual([200, 200, 200]);
  vi.advanceTimersByTime(999);
  expect(await ask()).toBe(200);
  expect(pings).toHaveLength(1);
  vi.advanceTimersByTime(1);
  const later = ask();
  expect(pings).toHaveLength(2);
  pings[1]!.fail(new Error('away'));
  expect(await later).toBe(503);
});

it('a database that does not answer within a second is down, and is asked again', async () => {
  const { ask, pings } = openHealth();
  const waiting = ask();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await waiting).toBe(503);
  const again = ask();
  expect(pings).toHaveLength(2);
  pings[1]!.answer();
  expect(await again).toBe(200);
});

it('who drains is not ready at once', async () => {
  const { ask, pings, health } = openHealth();
  const first = ask();
  pings[0]!.answer();
  expect(await first).toBe(200);
  health.drain();
  expect(await ask()).toBe(503);
});
