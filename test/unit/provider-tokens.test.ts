import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createProviderKeys } from '../../src/auth/provider-keys.ts';
import { createProviderTokens } from '../../src/auth/provider-tokens.ts';
import type { ProviderTokens } from '../../src/auth/provider-tokens.ts';
import { ServiceUnavailableError } from '../../src/errors.ts';
import { AUDIENCE, makeKey, startIdentityProvider } from '../support/identity-provider.ts';
import type { IdentityProvider, ProviderKey } from '../support/identity-provider.ts';

/* What the provider's keys are believed for. The rest is told to a server: test/api/provider-tokens.test.ts. */

const MINUTE_MS = 60_000;

let provider: IdentityProvider;
let tokens: ProviderTokens;
let failures: number;
beforeEach(async () => {
  failures = 0;
  provider = await startIdentityProvider();
  tokens = createProviderTokens({
    issuer: provider.issuer,
    audiences: [AUDIENCE],
    findKey: createProviderKeys(new URL(`${provider.issuer}/keys`), () => (failures += 1)),
    onRefused: () => {},
  });
  vi.useFakeTimers({ toFake: ['Date', 'performance'] });
});
afterEach(async () => {
  vi.useRealTimers();
  await provider.close();
});

const pass = (ms: number) => vi.advanceTimersByTime(ms);
const verify = (key = provider.keys[0]!) => tokens.verify(provider.issue({ key }));

it('they are fetched when the first token comes, and not again for the next', async () => {
  expect(provider.requests).toEqual([]);
  await Promise.all(Array.from({ length: 10 }, () => verify()));
  await verify();
  expect(provider.requests).toEqual(['/keys']);
});

it('one that the provider takes out counts for ten minutes at most', async () => {
  const [old] = provider.keys;
  await verify(old);
  provider.keys = [makeKey('ES256')];
  pass(9 * MINUTE_MS);
  expect(await verify(old)).toMatchObject({ issuer: provider.issuer });
  pass(MINUTE_MS);
  expect(await verify(old)).toBeNull();
  expect(await verify()).not.toBeNull();
});

it('one that is new counts after seconds', async () => {
  await verify();
  provider.keys.unshift(makeKey('EdDSA'));
  expect(await verify()).toBeNull();
  pass(5_000);
  expect(await verify()).not.toBeNull();
});

it('names of keys that there are not make nobody ask without end', async () => {
  await verify();
  for (let nth = 0; nth < 50; nth += 1) expect(await verify(makeKey('EdDSA'))).toBeNull();
  expect(provider.requests.length).toBe(1);
});

const goAway = () => provider.answerWith((response) => response.writeHead(503).end());
const expectAway = (key?: ProviderKey) => expect(verify(key)).rejects.toBeInstanceOf(ServiceUnavailableError);

it('they are believed for an hour while the provider is away, and no longer', async () => {
  const [known] = provider.keys;
  await verify();
  goAway();
  pass(10 * MINUTE_MS);
  expect(await verify()).not.toBeNull();
  // Whether one that is new counts, nobody can say.
  await expectAway(makeKey('EdDSA'));
  pass(49 * MINUTE_MS);
  expect(await verify()).not.toBeNull();
  pass(MINUTE_MS);
  await expectAway();
  pass(5_000);
  provider.answerWithKeys();
  provider.keys = [makeKey('ES256')];
  expect(await verify(known)).toBeNull();
  expect(await verify()).not.toBeNull();
});

it('a provider that is away is asked once in five seconds, however many tokens come', async () => {
  goAway();
  for (let asks = 1; asks <= 3; asks += 1) {
    await Promise.all(Array.from({ length: 20 }, () => expectAway()));
    pass(4_900);
    await expectAway(makeKey('EdDSA'));
    expect(provider.requests).toHaveLength(asks);
    expect(failures).toBe(asks);
    pass(100);
  }
  provider.answerWithKeys();
  expect(await verify()).not.toBeNull();
});

it('names of keys that there are not make nobody ask one that is away without end', async () => {
  await verify();
  goAway();
  pass(5_000);
  for (let nth = 0; nth < 50; nth += 1) await expectAway(makeKey('EdDSA'));
  expect(provider.requests).toHaveLength(2);
  expect(await verify()).not.toBeNull();
});
