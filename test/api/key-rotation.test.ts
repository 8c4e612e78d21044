import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createClient } from '../support/client.ts';
import { backend, startCluster } from '../support/cluster.ts';
import type { Cluster, ServerProcess } from '../support/cluster.ts';
import { headerOf, renew, signIn } from '../support/devices.ts';
import { graphql } from '../support/generated/index.ts';
import { registerPerson } from '../support/people.ts';
import type { Person } from '../support/people.ts';

const WhoComes = graphql(/* GraphQL */ `
  query WhoComes {
    me {
      id
    }
  }
`);

const OLD = randomBytes(32).toString('hex');
const NEW = randomBytes(32).toString('hex');

/** The order in which SECURITY.md tells operators to go: no node ever meets a token that it does not know. */
describe.runIf(backend === 'distributed')('the key changes', () => {
  let cluster: Cluster;
  let ann: Person;

  beforeAll(async () => {
    cluster = await startCluster({ nodes: 1, env: { JWT_SECRET: OLD } });
    ann = await registerPerson(cluster);
  });
  afterAll(() => cluster?.stop());

  const whoComes = async (node: ServerProcess, token: string) =>
    (await createClient(node, { token }).request(WhoComes)).me?.id;

  const renewOn = async (node: ServerProcess, refreshToken: string) =>
    renew(cluster, refreshToken, cluster.nodes.indexOf(node));

  it('and nobody has to sign in again, on whichever node they come', async () => {
    const device = await signIn(cluster, ann);
    const told = await cluster.startNode({ JWT_SECRET: OLD, JWT_SECRET_FORMER: NEW });
    const changed = await cluster.startNode({ JWT_SECRET: NEW, JWT_SECRET_FORMER: OLD });

    expect(await whoComes(changed, device.accessToken)).toBe(ann.id);
    const next = await renewOn(changed, device.refreshToken);
    for (const node of [told, changed]) expect(await whoComes(node, next.accessToken)).toBe(ann.id);
    const last = await renewOn(told, next.refreshToken);
    for (const node of [told, changed]) expect(await whoComes(node, last.accessToken)).toBe(ann.id);
  });

  it('because it got out, and everybody has to', async () => {
    const device = await signIn(cluster, ann);
    const changed = await cluster.startNode({ JWT_SECRET: randomBytes(32).toString('hex') });
    await expect(whoComes(changed, device.accessToken)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    await expect(renewOn(changed, device.refreshToken)).rejects.toMatchObject({ code: 'INVALID_REFRESH_TOKEN' });
  });

  it.each(['ed25519', 'P-256'] as const)('for a private one of %s, and others can check our tokens', async (curve) => {
    const device = await signIn(cluster, ann);
    const pair =
      curve === 'ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const changed = await cluster.startNode({
      JWT_SECRET: OLD,
      JWT_PRIVATE_KEY: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    });
    expect(await whoComes(changed, device.accessToken)).toBe(ann.id);
    const next = await renewOn(changed, device.refreshToken);
    expect(await whoComes(changed, next.accessToken)).toBe(ann.id);

    const jwks = createRemoteJWKSet(new URL('/.well-known/jwks.json', changed.origin));
    const { payload } = await jwtVerify(next.accessToken, jwks, { issuer: 'parley', audience: 'parley' });
    expect(payload.sub).toBe(ann.id);
    expect(headerOf(next.accessToken)['alg']).toBe(curve === 'ed25519' ? 'EdDSA' : 'ES256');
    const response = await fetch(new URL('/.well-known/jwks.json', changed.origin));
    expect(Object.keys(((await response.json()) as { keys: object[] }).keys[0]!)).not.toContain('d');
  });

  it('is no secret that anybody is shown', async () => {
    const response = await fetch(new URL('/.well-known/jwks.json', cluster.node(0).origin));
    expect(response.status).toBe(404);
  });
});
