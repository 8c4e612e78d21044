import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { browserSignals, ParleyError, toParleyError, toTimeline, webTokenStore } from '../../src/index.ts';
import type { MessageFields, OutboxEntry } from '../../src/index.ts';
import { withLock } from '../../src/locks.ts';
import { newId } from '../../src/new-id.ts';
import { createValue } from '../../src/readable.ts';
import { createWaiting, retryDelayMs } from '../../src/waiting.ts';
import { CombinedGraphQLErrors, ServerError } from '@apollo/client';
import { deferred } from '../../../test/support/wait.ts';

describe('the wait between attempts', () => {
  it('doubles up to its cap, and is never the same for all', () => {
    fc.assert(
      fc.property(
        fc.nat(2_000),
        fc.integer({ min: 250, max: 60_000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (attempt, retryCapMs, luck) => {
          const full = Math.min(retryCapMs, 250 * 2 ** attempt);
          const delay = retryDelayMs(attempt, { retryBaseMs: 250, retryCapMs }, () => luck);
          expect(delay).toBeGreaterThanOrEqual(full / 2);
          expect(delay).toBeLessThanOrEqual(full);
        },
      ),
    );
    const delays = { retryBaseMs: 250, retryCapMs: 15_000 };
    expect(retryDelayMs(3, delays, () => 0)).not.toBe(retryDelayMs(3, delays, () => 1));
  });

  it('ends early when somebody wakes it', async () => {
    const waiting = createWaiting({ retryBaseMs: 3_600_000, retryCapMs: 3_600_000 });
    const naps = [waiting.sleep(3_600_000), waiting.backOff(0), waiting.backOff(9, 7_200_000)];
    waiting.wake();
    await Promise.all(naps);
  });
});

describe('an id', () => {
  it('is a random UUID also where the context is not secure', () => {
    const insecure = { getRandomValues: crypto.getRandomValues.bind(crypto) };
    const ids = Array.from({ length: 100 }, () => newId(insecure));
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(new Set(ids).size).toBe(100);
  });
});

describe('a lock', () => {
  it('lets one in at a time, in order, also behind one that failed', async () => {
    const log: string[] = [];
    const gate = deferred();
    const first = withLock('a', async () => {
      log.push('first in');
      await gate.promise;
      log.push('first out');
      throw new Error('broken');
    });
    const second = withLock('a', async () => void log.push('second'));
    await withLock('b', async () => void log.push('another'));
    gate.resolve();
    await expect(first).rejects.toThrow('broken');
    await second;
    expect(log).toEqual(['first in', 'another', 'first out', 'second']);
  });
});

describe('a value', () => {
  it('tells of changes alone, until one no longer listens', () => {
    const value = createValue(1);
    const seen: number[] = [];
    const stop = value.subscribe(() => seen.push(value.get()));
    value.set(1);
    value.set(2);
    stop();
    value.set(3);
    expect(seen).toEqual([2]);
  });
});

describe('an error', () => {
  it('has one shape, whoever threw it', () => {
    const own = new ParleyError('OFFLINE', 'away');
    expect(toParleyError(own)).toBe(own);
    const extensions = { code: 'BAD_USER_INPUT', field: 'input.email' };
    const refused = new CombinedGraphQLErrors({ errors: [{ message: 'no', extensions }] });
    expect(toParleyError(refused)).toMatchObject({ code: 'BAD_USER_INPUT', field: 'input.email', message: 'no' });
    const serverError = (status: number) => {
      const response = new Response('<html>', { status });
      return toParleyError(new ServerError('no', { response, bodyText: '<html>' })).code;
    };
    expect([401, 413, 429, 502, 302].map(serverError)).toEqual([
      'UNAUTHENTICATED',
      'REQUEST_ENTITY_TOO_LARGE',
      'RATE_LIMITED',
      'SERVICE_UNAVAILABLE',
      'OFFLINE',
    ]);
    expect(toParleyError('what?')).toMatchObject({ code: 'UNEXPECTED', message: 'what?' });
  });
});

describe('a timeline', () => {
  const message = (seq: number, author: string, clientId: string | null) =>
    ({ id: `m${seq}`, seq, clientId, author: { id: author } }) as MessageFields;
  const entry = (clientId: string) => ({ clientId, userId: 'ann' }) as OutboxEntry;

  it('shows a message once, before, while and after it is sent, under one key', () => {
    const before = toTimeline([message(1, 'bob', null)], [entry('a'), entry('b')]);
    const between = toTimeline([message(1, 'bob', null), message(2, 'ann', 'a')], [entry('a'), entry('b')]);
    const after = toTimeline([message(1, 'bob', null), message(2, 'ann', 'a'), message(3, 'ann', 'b')], []);
    expect(before.map(({ kind }) => kind)).toEqual(['message', 'pending', 'pending']);
    expect(between.map(({ kind }) => kind)).toEqual(['message', 'message', 'pending']);
    expect(after.map(({ kind }) => kind)).toEqual(['message', 'message', 'message']);
    for (const rows of [between, after]) expect(rows.map(({ key }) => key)).toEqual(before.map(({ key }) => key));
  });

  it('tells somebody else’s clientId from one’s own', () => {
    const rows = toTimeline([message(1, 'bob', 'a')], [entry('a')]);
    expect(rows.map(({ kind }) => kind)).toEqual(['message', 'pending']);
    expect(new Set(rows.map(({ key }) => key)).size).toBe(2);
  });
});

describe('the platform', () => {
  afterEach(() => vi.unstubAllGlobals());

  /** Events of a page that has no network at first, and of Capacitor's plugins. */
  function openPage() {
    const page = new EventTarget();
    vi.stubGlobal('addEventListener', page.addEventListener.bind(page));
    vi.stubGlobal('removeEventListener', page.removeEventListener.bind(page));
    const listeners = new Map<string, (state: never) => void>();
    const addListener = async (event: string, listener: (state: never) => void) => listeners.set(event, listener);
    const tell = (event: string, state: object) => listeners.get(event)!(state as never);
    return { page, tell, plugins: { App: { addListener }, Network: { addListener } } };
  }

  it('tells of the network and of the way back to the screen', () => {
    const { page, tell, plugins } = openPage();
    const signals = browserSignals(plugins);
    const log: unknown[] = [];
    signals.onWake(() => log.push('wake'));
    signals.onOnlineChange((isOnline) => log.push(isOnline));
    page.dispatchEvent(new Event('offline'));
    expect(signals.isOnline()).toBe(false);
    page.dispatchEvent(new Event('online'));
    page.dispatchEvent(new Event('online'));
    tell('appStateChange', { isActive: false });
    tell('appStateChange', { isActive: true });
    // From Wi-Fi to mobile.
    tell('networkStatusChange', { connected: true });
    tell('networkStatusChange', { connected: false });
    page.dispatchEvent(Object.assign(new Event('pageshow'), { persisted: true }));
    expect(log).toEqual([false, true, 'wake', 'wake', 'wake', false, 'wake']);
  });

  it('keeps tokens in web storage, and hears of other tabs', async () => {
    const { page } = openPage();
    const items = new Map<string, string>();
    const storage = {
      getItem: (key: string) => items.get(key) ?? null,
      setItem: (key: string, value: string) => items.set(key, value),
      removeItem: (key: string) => items.delete(key),
    } as unknown as Storage;
    const store = webTokenStore({ name: 'phone', storage });
    const session = { userId: 'ann', accessToken: 'a', refreshToken: 'r' };
    await store.save(session);
    expect([...items.keys()]).toEqual(['phone:session']);
    expect(await webTokenStore({ name: 'phone', storage }).load()).toEqual(session);
    expect(await webTokenStore({ name: 'other', storage }).load()).toBeNull();
    let changes = 0;
    const stop = store.subscribe!(() => (changes += 1));
    const tell = (key: string | null) =>
      page.dispatchEvent(Object.assign(new Event('storage'), { key, storageArea: storage }));
    tell('phone:session');
    tell('other:session');
    tell(null);
    stop();
    tell('phone:session');
    expect(changes).toBe(2);
    items.set('phone:session', '{broken');
    expect(await store.load()).toBeNull();
    await store.save(null);
    expect(items.size).toBe(0);
  });
});
