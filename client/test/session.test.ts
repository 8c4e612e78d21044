import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { startCluster } from '../../test/support/cluster.ts';
import type { Cluster } from '../../test/support/cluster.ts';
import { claimsOf, signIn } from '../../test/support/devices.ts';
import { startIdentityProvider } from '../../test/support/identity-provider.ts';
import type { IdentityProvider } from '../../test/support/identity-provider.ts';
import { openDirectChat, registerPerson, send } from '../../test/support/people.ts';
import { eventually } from '../../test/support/wait.ts';
import {
  DeleteAccountWithProviderDocument,
  LinkProviderDocument,
  memoryTokenStore,
  RevokeSessionsDocument,
  SessionsDocument,
  toParleyError,
  ViewerDocument,
} from '../src/index.ts';
import type { Parley, StoredSession, TokenStore } from '../src/index.ts';
import { bodiesIn, closePhone, openPhone, untilLive } from './support/phone.ts';
import type { Phone, PhoneOptions } from './support/phone.ts';

describe('a session', () => {
  let cluster: Cluster;
  let provider: IdentityProvider;
  const phones: Phone[] = [];
  beforeAll(async () => {
    provider = await startIdentityProvider();
    cluster = await startCluster({ nodes: 1, env: { ACCESS_TOKEN_TTL: '4s', ...provider.env } });
  });
  afterAll(async () => {
    await cluster?.stop();
    await provider?.close();
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    await Promise.all(phones.splice(0).map(closePhone));
  });

  async function open(who: { email: string; password: string } | null, options?: PhoneOptions): Promise<Phone> {
    const phone = await openPhone(cluster, who, options);
    phones.push(phone);
    return phone;
  }

  /** Not from the cache, and each a request of its own. */
  const ask = async ({ apollo }: Parley) =>
    (
      await apollo.query({
        query: ViewerDocument,
        fetchPolicy: 'no-cache',
        context: { queryDeduplication: false },
      })
    ).data!.me.id;

  /** The same, of a server that may have too much to do just now: fifty at once are many for a small machine. */
  async function askPatiently(parley: Parley): Promise<string> {
    for (;;) {
      try {
        return await ask(parley);
      } catch (error) {
        if (toParleyError(error).code !== 'SERVICE_UNAVAILABLE') throw error;
      }
    }
  }

  /** How many requests have asked for this field. */
  function countRequests(field: string): () => number {
    const spy = vi.spyOn(globalThis, 'fetch');
    return () => spy.mock.calls.filter(([, init]) => (init?.body as string | undefined)?.includes(field)).length;
  }

  /** A device that was switched off until its access token had lost its worth. */
  async function storeWithRefusedToken(who: { email: string; password: string; id: string }): Promise<TokenStore> {
    const device = await signIn(cluster, who);
    const store = memoryTokenStore();
    const { refreshToken, accessToken } = device;
    await store.save({ userId: who.id, refreshToken, accessToken: `${accessToken.slice(0, -8)}AAAAAAAA` });
    return store;
  }

  it('signs up, out and in, and says what is wrong', async () => {
    const { parley, tokenStore } = await open(null);
    expect(parley.session.state.get()).toEqual({ status: 'signedOut' });
    const email = `ann-${Date.now()}@example.test`;
    const names = { firstName: 'Ann', lastName: 'Lee' };
    await expect(
      parley.session.register({ email: 'ann', password: 'violet harbour 7', ...names }),
    ).rejects.toMatchObject({ code: 'BAD_USER_INPUT', field: 'input.email' });
    await parley.session.register({ email, password: 'violet harbour 7', ...names });
    const { userId } = parley.session.state.get() as { userId: string };
    expect(await ask(parley)).toBe(userId);
    const { refreshToken } = (await tokenStore.load())!;

    await parley.session.signOut();
    expect(parley.session.state.get()).toEqual({ status: 'signedOut' });
    expect(await tokenStore.load()).toBeNull();
    expect(parley.apollo.cache.extract()).toEqual({});
    const late = memoryTokenStore();
    await late.save({ userId, accessToken: 'x', refreshToken });
    const robber = await open(null, { tokenStore: late });
    await expect(ask(robber.parley)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });

    const wrong = parley.session.signIn({ email, password: 'violet harbour 8' });
    await expect(wrong).rejects.toMatchObject({ code: 'INVALID_CREDENTIALS' });
    await parley.session.signIn({ email, password: 'violet harbour 7' });
    expect(await ask(parley)).toBe(userId);
  });

  it('is opened by an identity provider, outlives its token, and says what is wrong', async () => {
    const { parley, tokenStore } = await open(null, { deviceName: 'Ann’s phone' });
    const claims = { sub: 'ann', name: 'Ann Lee' };
    await expect(parley.session.loginWithProvider('nonsense')).rejects.toMatchObject({ code: 'INVALID_CREDENTIALS' });
    await parley.session.loginWithProvider(provider.issue({ claims }));
    const { userId } = parley.session.state.get() as { userId: string };
    expect(await ask(parley)).toBe(userId);
    const { data } = await parley.apollo.query({ query: SessionsDocument });
    expect(data!.sessions).toMatchObject([{ deviceName: 'Ann’s phone', isCurrent: true }]);
    const { accessToken } = (await tokenStore.load())!;
    await eventually(() => expect(Date.now()).toBeGreaterThan(claimsOf(accessToken).exp * 1000), {
      deadlineMs: 15_000,
    });
    expect(await ask(parley)).toBe(userId);

    await parley.session.signOut();
    await parley.session.loginWithProvider(provider.issue({ claims }));
    expect(parley.session.state.get()).toEqual({ status: 'signedIn', userId });
    const variables = { idToken: provider.issue({ claims }) };
    await parley.apollo.mutate({ mutation: DeleteAccountWithProviderDocument, variables });
    await expect(ask(parley)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  it('by password is linked to an identity provider that vouches for the same e-mail', async () => {
    const ann = await registerPerson(cluster);
    const issue = () => provider.issue({ claims: { sub: `linked-${ann.id}`, email: ann.email, email_verified: true } });
    const { parley } = await open(null);
    await expect(parley.session.loginWithProvider(issue())).rejects.toMatchObject({ code: 'CONFLICT' });
    await parley.session.signIn({ email: ann.email, password: ann.password });
    const input = { idToken: issue(), password: ann.password };
    await parley.apollo.mutate({ mutation: LinkProviderDocument, variables: { input } });
    await parley.session.signOut();
    await parley.session.loginWithProvider(issue());
    expect(parley.session.state.get()).toEqual({ status: 'signedIn', userId: ann.id });
  });

  it('is renewed once, however many operations meet an expired token', async () => {
    const ann = await registerPerson(cluster);
    const { parley, tokenStore } = await open(null, { tokenStore: await storeWithRefusedToken(ann) });
    const refreshes = countRequests('refreshToken');
    const answers = await Promise.all(Array.from({ length: 50 }, () => askPatiently(parley)));
    expect(new Set(answers)).toEqual(new Set([ann.id]));
    expect(refreshes()).toBe(1);
    expect((await tokenStore.load())?.accessToken).not.toContain('AAAAAAAA');
  });

  it('of two tabs outlives its tokens again and again', { timeout: 60_000 }, async () => {
    const ann = await registerPerson(cluster);
    // As where the browser tells a tab of the other's changes late: each finds out by itself.
    const { load, save } = await storeWithRefusedToken(ann);
    const kept: StoredSession[] = [];
    const tokenStore: TokenStore = {
      load,
      async save(session) {
        if (session) kept.push(session);
        await save(session);
      },
    };
    const tabs = [await open(null, { tokenStore }), await open(null, { tokenStore })];
    const ended: unknown[] = [];
    for (const { parley } of tabs) parley.session.state.subscribe(() => ended.push(parley.session.state.get()));
    for (let generation = 1; generation <= 3; generation += 1) {
      const answers = tabs.flatMap(({ parley }) => Array.from({ length: 5 }, () => ask(parley)));
      expect(new Set(await Promise.all(answers))).toEqual(new Set([ann.id]));
      expect(kept.length).toBe(generation);
      if (generation === 3) break;
      const { exp } = claimsOf(kept.at(-1)!.accessToken);
      await eventually(() => expect(Date.now()).toBeGreaterThan(exp * 1000), { deadlineMs: 15_000 });
    }
    expect(ended).toEqual([]);
  });

  it('survives the lost reply of a refresh', async () => {
    const ann = await registerPerson(cluster);
    const { parley, wire } = await open(null, { tokenStore: await storeWithRefusedToken(ann) });
    const refreshes = countRequests('refreshToken');
    const cut = wire.cutBefore('down', (chunk) => chunk.includes('"refreshToken"'));
    const lost = await ask(parley).catch((error: unknown) => toParleyError(error));
    await cut;
    expect(lost).toMatchObject({ code: 'OFFLINE' });
    expect(parley.session.state.get()).toMatchObject({ status: 'signedIn' });
    expect(await ask(parley)).toBe(ann.id);
    expect(refreshes()).toBe(2);
  });

  it('ends for whoever listens when it is revoked elsewhere', async () => {
    const ann = await registerPerson(cluster);
    const [lost, own] = await Promise.all([open(ann), open(ann)]);
    lost.parley.followChats();
    await untilLive(lost);
    await own.parley.apollo.mutate({ mutation: RevokeSessionsDocument, variables: {} });
    await eventually(() => expect(lost.parley.session.state.get()).toEqual({ status: 'signedOut', reason: 'ended' }));
    expect(await lost.tokenStore.load()).toBeNull();
    expect(own.parley.session.state.get()).toMatchObject({ status: 'signedIn' });
  });

  it('ends for whoever asks when it is revoked elsewhere', async () => {
    const ann = await registerPerson(cluster);
    const [lost, own] = await Promise.all([open(ann), open(ann)]);
    await own.parley.apollo.mutate({ mutation: RevokeSessionsDocument, variables: {} });
    await expect(ask(lost.parley)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    expect(lost.parley.session.state.get()).toEqual({ status: 'signedOut', reason: 'ended' });
  });

  it('of another person shows nothing of the first', async () => {
    const [ann, bob, cem] = await Promise.all([
      registerPerson(cluster),
      registerPerson(cluster),
      registerPerson(cluster),
    ]);
    const [anns, cems] = await Promise.all([openDirectChat(ann, bob), openDirectChat(cem, bob)]);
    await Promise.all([send(ann, anns, 'ann was here'), send(cem, cems, 'cem was here')]);
    const phone = await open(ann);
    phone.parley.followChats();
    const follow = phone.parley.followChat(anns.id);
    await untilLive(phone);
    expect(bodiesIn(phone, anns.id)).toEqual(['ann was here']);
    follow.stop();
    await phone.parley.session.signIn({ email: cem.email, password: cem.password });
    const followed = phone.parley.followChat(cems.id);
    await eventually(() => expect(followed.state.get()).toEqual({ status: 'live' }));
    await send(bob, cems, 'so is bob');
    await eventually(() => expect(bodiesIn(phone, cems.id)).toEqual(['cem was here', 'so is bob']));
    await send(bob, anns, 'for ann alone');
    // The list is told in the new name as well: of what the other chat has heard, nothing comes before this.
    await send(bob, cems, 'and again');
    await eventually(() => expect(bodiesIn(phone, cems.id)).toContain('and again'));
    const shown = JSON.stringify(phone.parley.apollo.cache.extract());
    expect(shown).not.toMatch(/ann was here|for ann alone/);
    expect(shown).not.toContain(anns.id);
  });

  it('stays live over the expiry of its tokens', { timeout: 60_000 }, async () => {
    const [ann, bob] = await Promise.all([registerPerson(cluster), registerPerson(cluster)]);
    const chat = await openDirectChat(ann, bob);
    const [anns, bobs] = await Promise.all([open(ann), open(bob)]);
    bobs.parley.followChat(chat.id);
    await untilLive(bobs);
    const first = (await bobs.tokenStore.load())!.accessToken;
    const bodies: string[] = [];
    await eventually(
      async () => {
        bodies.push(`message ${bodies.length + 1}`);
        await anns.parley.outbox.send({ chatId: chat.id, body: bodies.at(-1)! });
        expect((await bobs.tokenStore.load())!.accessToken).not.toBe(first);
      },
      { deadlineMs: 20_000, everyMs: 100 },
    );
    await anns.parley.outbox.send({ chatId: chat.id, body: 'the last' });
    await eventually(() => expect(bodiesIn(bobs, chat.id)).toEqual([...bodies, 'the last']));
  });
});
