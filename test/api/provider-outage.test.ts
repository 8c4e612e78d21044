import type { ServerResponse } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { listen, startIdentityProvider } from '../support/identity-provider.ts';
import type { IdentityProvider, Listener } from '../support/identity-provider.ts';
import { registerPerson } from '../support/people.ts';
import { signInWithProvider } from '../support/provider-devices.ts';
import { refusal } from '../support/refusals.ts';
import { eventually, within } from '../support/wait.ts';

/** Nobody waits longer for a provider that does not answer. */
const PROMISED_MS = 5_000;

const AWAY = { code: 'SERVICE_UNAVAILABLE', retryable: true };

let cluster: Cluster;
let provider: IdentityProvider;
let elsewhere: Listener;
const asked: string[] = [];
const open = new Set<ServerResponse>();

beforeAll(async () => {
  elsewhere = await listen((request, response) => {
    asked.push(request.url ?? '');
    response.end(keySet());
  });
  provider = await startIdentityProvider();
  cluster = await startCluster({ nodes: 1, env: provider.env });
});
afterEach(() => {
  for (const response of open) response.destroy();
  open.clear();
});
afterAll(async () => {
  await cluster?.stop();
  await provider?.close();
  await elsewhere?.close();
});

/** As the provider would answer. */
function keySet(more: object = {}): string {
  const keys = provider.keys.map(({ kid, publicKey }) => ({ ...publicKey.export({ format: 'jwk' }), kid }));
  return JSON.stringify({ keys, ...more });
}

const signIn = () => signInWithProvider(cluster, provider.issue());

/** Tries until the server asks the provider, which it does not do just after it was refused. Answers the last attempt. */
const untilAsked = <T>(attempt: () => Promise<T>): Promise<{ outcome: Promise<T> }> =>
  eventually(
    async () => {
      const asks = provider.requests.length;
      const outcome = attempt();
      await Promise.race([outcome, eventually(() => expect(provider.requests.length).toBeGreaterThan(asks))]);
      expect(provider.requests.length).toBeGreaterThan(asks);
      return { outcome };
    },
    { deadlineMs: 10_000, everyMs: 200 },
  );

const hold = (response: ServerResponse) => void open.add(response);

// The server has never had the keys until the last test.
describe('a provider', () => {
  it.each<[string, (response: ServerResponse) => void]>([
    ['that breaks the connection', (response) => response.destroy()],
    ['that never answers', hold],
    [
      'that never comes to an end',
      (response) => {
        hold(response);
        response.write(keySet().slice(0, 20));
      },
    ],
    ['that answers with an error', (response) => response.writeHead(500).end(keySet())],
    ['that has moved', (response) => response.writeHead(302, { location: `${elsewhere.origin}/keys` }).end()],
    ['that has nothing to say', (response) => response.writeHead(204).end()],
    ['that answers garbage', (response) => response.end('<html>Sign in to the wireless network</html>')],
    ['that answers JSON of another kind', (response) => response.end('{"keys":"none"}')],
    ['that answers with null', (response) => response.end('null')],
    ['that answers 10 MB', (response) => response.end(keySet({ padding: 'x'.repeat(10_000_000) }))],
  ])('%s lets nobody in for the while, and keeps nobody', async (_what, answer) => {
    provider.answerWith(answer);
    const ann = await registerPerson(cluster);
    const { outcome: attempt } = await untilAsked(() => refusal(signIn()));
    // Who is signed in, or signs in otherwise, goes on meanwhile.
    await ann.client().request('{ me { id } }');
    await registerPerson(cluster);
    expect(await within(attempt, PROMISED_MS, 'the answer')).toEqual(AWAY);
    provider.answerWithKeys();
  });

  it('that is gone altogether does so, too, and many who come at once share its silence', async () => {
    provider.answerWith(hold);
    const { outcome: first } = await untilAsked(() => refusal(signIn()));
    const asks = provider.requests.length;
    const attempts = Array.from({ length: 20 }, () => refusal(signIn()));
    for (const answer of await within(Promise.all([first, ...attempts]), PROMISED_MS, 'the answers'))
      expect(answer).toEqual(AWAY);
    // Nor do those who come when the silence is over fire at it.
    for (let n = 0; n < 20; n += 1) expect(await refusal(signIn())).toEqual(AWAY);
    expect(provider.requests.length - asks).toBeLessThan(5);
  });

  it('is asked nothing by what is no token of its', async () => {
    const asks = provider.requests.length;
    for (const idToken of ['', 'nonsense', provider.issue({ header: { alg: 'HS256' } }), 'x'.repeat(20_000)])
      expect(await refusal(signInWithProvider(cluster, idToken))).toEqual({ code: 'INVALID_CREDENTIALS' });
    expect(provider.requests.length).toBe(asks);
  });

  it('that is back lets everybody in, also when it goes again', async () => {
    provider.answerWithKeys();
    const { user } = await eventually(signIn, { deadlineMs: 10_000, everyMs: 200 });
    provider.answerWith((response) => response.destroy());
    expect((await signIn()).user.id).not.toBe(user.id);
    expect(asked).toEqual([]);
  });

  it('that was away is told of in the log', () => {
    const told = cluster.node(0).logs.filter((line) => line.includes('identity provider’s keys'));
    expect(told.length).toBeGreaterThan(0);
  });
});
