import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createClient } from '../support/client.ts';
import { startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { registerPerson } from '../support/people.ts';
import type { Person } from '../support/people.ts';
import { quantile } from '../support/size.ts';

const ATTEMPTS = 25;
/** Of one median to the other. To leave out the hash would make it ten or more. */
const ALIKE = 2;

let cluster: Cluster;
let ann: Person;
beforeAll(async () => {
  cluster = await startCluster({ nodes: 1 });
  ann = await registerPerson(cluster);
});
afterAll(() => cluster?.stop());

const newEmail = () => `nobody-${randomBytes(6).toString('hex')}@example.test`;

const LOGIN = 'mutation ($input: LoginInput!) { login(input: $input) { accessToken } }';
const REGISTER = 'mutation ($input: RegisterInput!) { register(input: $input) { accessToken } }';
const REFRESH = 'mutation ($token: String!) { refresh(refreshToken: $token) { accessToken } }';

interface Answer {
  ms: number;
  text: string;
  status: number;
}

async function ask(query: string, variables: object): Promise<Answer> {
  const began = performance.now();
  const { status, text } = await createClient(cluster.node(0)).raw({
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  });
  return { ms: performance.now() - began, text, status };
}

type Attempt = () => Promise<Answer>;

/** Asks by turns, so that whatever else the machine does is shared, and answers the medians. */
async function compare(a: Attempt, b: Attempt): Promise<[number, number]> {
  const took: [number[], number[]] = [[], []];
  // The first of each makes what is made once.
  await Promise.all([a(), b()]);
  for (let n = 0; n < ATTEMPTS; n += 1) {
    took[0].push((await a()).ms);
    took[1].push((await b()).ms);
  }
  return [quantile(took[0], 0.5), quantile(took[1], 0.5)];
}

function expectAlike([a, b]: [number, number]) {
  expect(Math.max(a, b) / Math.min(a, b), `${a.toFixed(1)} ms and ${b.toFixed(1)} ms`).toBeLessThan(ALIKE);
}

const login = (email: string, password = 'a wrong one') => ask(LOGIN, { input: { email, password } });
const register = (email: string) =>
  ask(REGISTER, { input: { email, password: 'violet-harbour-9', firstName: 'Dee', lastName: 'Doe' } });

describe('whether somebody has an account cannot be told', () => {
  it.each<[who: string, email: () => string, password: string | undefined]>([
    ['nobody', newEmail, undefined],
    ['nobody, with an endless address', () => `${'x'.repeat(5_000)}@example.test`, undefined],
    ['nobody, with a NUL', () => 'a\0b@example.test', undefined],
    ['nobody, with an endless password', newEmail, 'x'.repeat(5_000)],
  ])('from a login of %s: in words, status and time', { timeout: 60_000 }, async (_who, email, password) => {
    const [known, unknown] = await Promise.all([login(ann.email), login(email(), password)]);
    expect(unknown).toMatchObject({ text: known.text, status: known.status });
    expect(known.text).toContain('INVALID_CREDENTIALS');
    expectAlike(
      await compare(
        () => login(ann.email),
        () => login(email(), password),
      ),
    );
  });

  // That an address has an account is what the conflict says; how soon it says so tells no more.
  it('from the time that a sign-up takes', { timeout: 60_000 }, async () => {
    expect((await register(ann.email)).text).toContain('CONFLICT');
    expectAlike(
      await compare(
        () => register(ann.email),
        () => register(newEmail()),
      ),
    );
  });

  it('from a refresh token that is none: in words and status', async () => {
    const ended = await registerPerson(cluster);
    await ended.client().request('mutation { logout }');
    const [first, ...others] = await Promise.all(
      [ended.refreshToken, 'prt_nonsense', '', ended.refreshToken.slice(0, -4), ann.accessToken].map((token) =>
        ask(REFRESH, { token }),
      ),
    );
    expect(first!.text).toContain('INVALID_REFRESH_TOKEN');
    for (const { text, status } of others)
      expect({ text, status }).toEqual({ text: first!.text, status: first!.status });
  });
});
