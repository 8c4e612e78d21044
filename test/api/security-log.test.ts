import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createClient, openSocket } from '../support/client.ts';
import { startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { renew, signIn } from '../support/devices.ts';
import { registerPerson } from '../support/people.ts';
import { nobody, refusal } from '../support/refusals.ts';
import { eventually } from '../support/wait.ts';

/* What of people's accounts the log tells. Reuse, limits and origins have their tests beside what they are about. */

const REVOKE = 'mutation ($id: ID) { revokeSessions(id: $id) }';
const CHANGE = 'mutation ($old: String!, $new: String!) { changePassword(currentPassword: $old, newPassword: $new) }';
const DELETE = 'mutation ($password: String!) { deleteAccount(password: $password) }';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ nodes: 1 });
});
afterAll(() => cluster?.stop());

const linesOf = (event: string, about: object = {}) =>
  cluster
    .node(0)
    .logs.map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter((line) => line['event'] === event && Object.entries(about).every(([name, value]) => line[name] === value));

describe('the log', () => {
  it('tells of sessions that somebody ended, with how many', async () => {
    const ann = await registerPerson(cluster);
    const devices = [await signIn(cluster, ann), await signIn(cluster, ann), await signIn(cluster, ann)];
    await ann.client().request(REVOKE, { id: devices[0]!.sessionId });
    await refusal(ann.client().request(REVOKE, { id: devices[0]!.sessionId }));
    await ann.client().request(REVOKE, { id: null });
    await ann.client().request(REVOKE, { id: null });
    // In order, and nothing where nothing ended.
    await eventually(() =>
      expect(linesOf('security.sessions_revoked', { userId: ann.id })).toMatchObject([
        { level: 30, count: 1 },
        { level: 30, count: 2 },
      ]),
    );
  });

  it('tells of a changed password, not of an attempt', async () => {
    const ann = await registerPerson(cluster);
    await signIn(cluster, ann);
    await refusal(ann.client().request(CHANGE, { old: 'not the right one', new: 'copper lantern' }));
    await ann.client().request(CHANGE, { old: ann.password, new: 'copper lantern' });
    await eventually(() =>
      expect(linesOf('security.password_changed', { userId: ann.id })).toMatchObject([
        { level: 30, sessionsEnded: 1, identitiesRemoved: 0 },
      ]),
    );
  });

  it('tells of an account that was deleted', async () => {
    const ann = await registerPerson(cluster);
    await ann.client().request(DELETE, { password: ann.password });
    await eventually(() =>
      expect(linesOf('security.account_deleted', { userId: ann.id })).toMatchObject([{ level: 30, sessionsEnded: 1 }]),
    );
  });

  it('tells of tokens that nobody issued once they are many: over HTTP, on sockets and to refresh', async () => {
    const ann = await registerPerson(cluster);
    const forged = () => `${ann.accessToken.slice(0, -8)}${randomBytes(6).toString('base64url')}`;
    const ask = (token: string) => refusal(createClient(cluster.node(0), { token }).request('{ me { id } }'));
    const tries = [
      () => ask(forged()),
      () => ask('x'.repeat(3_000)),
      () => openSocket(cluster.node(0), { authorization: `Bearer ${forged()}` }).catch(() => {}),
      () => refusal(renew(cluster, `prt_${randomBytes(40).toString('base64url')}`)),
    ];
    for (let nth = 0; nth < 19; nth += 1) await tries[nth % tries.length]!();
    // Neither is nobody's token, nor the absence of one.
    await nobody(cluster).request('{ __typename }');
    await ann.client().request('{ me { id } }');
    expect(linesOf('security.bad_tokens')).toEqual([]);
    const told = () =>
      eventually(() => expect(linesOf('security.bad_tokens')).toMatchObject([{ level: 40, count: 20, before: 0 }]));
    await tries[0]!();
    await told();
    for (let nth = 0; nth < 40; nth += 1) await tries[nth % tries.length]!();
    await told();
  });
});
