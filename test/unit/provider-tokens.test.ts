import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createProviderKeys } from '../../src/auth/provider-keys.ts';
import { createProviderTokens } from '../../src/auth/provider-tokens.ts';
import type { ProviderTokens } from '../../src/auth/provider-tokens.ts';
import { ServiceUnavailableError } from '../../src/errors.ts';
import { AUDIENCE, makeKey, startIdentityProvider } from '../support/identity-provider.ts';
import type { IdentityProvider } from '../support/identity-provider.ts';

/* What the provider's keys are believed for. The rest is told to a server: test/api/provider-tokens.test.ts. */

const MINUTE_MS = 60_000;

let provider: IdentityProvider;
let tokens: ProviderTokens;
beforeEach(async () => {
  provider = await startIdentityProvider();
  tokens = createProviderTokens({
    issuer: provider.issuer,
    audiences: [AUDIENCE],
    findKey: createProviderKeys(new URL(`${provider.issuer}/keys`), () => {}),
    onRefused: () => {},
  });
  vi.useFakeTimers({ toFake: ['Date'] });
});
afterEach(async () => {
  vi.useRealTimers();
  await provider.close();
});

const pass = (ms: number) => vi.setSystemTime(Date.now() + ms);
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

it('they are believed while the provider is away, and no longer than else', async () => {
  await verify();
  provider.answerWith((response) => response.destroy());
  pass(9 * MINUTE_MS);
  expect(await verify()).not.toBeNull();
  await expect(verify(makeKey('EdDSA'))).rejects.toBeInstanceOf(ServiceUnavailableError);
  expect(await verify()).not.toBeNull();
  pass(MINUTE_MS);
  await expect(verify()).rejects.toBeInstanceOf(ServiceUnavailableError);
});
