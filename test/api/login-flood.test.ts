import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createClient } from '../support/client.ts';
import { startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { registerPerson } from '../support/people.ts';
import type { Person } from '../support/people.ts';
import { temporaryDirectory } from '../support/servers.ts';

const LOGINS = 300;
const PAGE = '<!doctype html><title>Chat</title>';

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let cluster: Cluster;
let ann: Person;
beforeAll(async () => {
  directory = await temporaryDirectory('login-flood');
  await writeFile(join(directory.path, 'index.html'), PAGE);
  cluster = await startCluster({ nodes: 1, env: { APP_DIR: directory.path } });
  ann = await registerPerson(cluster);
});
afterAll(async () => {
  await cluster?.stop();
  await directory?.remove();
});

// Told by what is done first, and not by the clock. Files are read by the threads that hash.
it(
  'a flood of logins keeps nobody from the rest, and is refused beyond what can wait',
  { timeout: 120_000 },
  async () => {
    const query = `mutation { login(input: { email: "${ann.email}", password: "a wrong one" }) { accessToken } }`;
    const codes: string[] = [];
    const logins = Array.from({ length: LOGINS }, async () => {
      const headers = { 'content-type': 'application/json' };
      const { json } = await createClient(cluster.node(0)).raw({ headers, body: JSON.stringify({ query }) });
      codes.push((json as { errors: [{ extensions: { code: string } }] }).errors[0].extensions.code);
    });
    // Whoever finds no room is told at once: from here on, all the others wait.
    await Promise.race(logins);
    for (let n = 0; n < 5; n += 1) {
      expect(await ann.client().request('{ me { id } }')).toEqual({ me: { id: ann.id } });
      expect((await createClient(cluster.node(0)).raw({ method: 'GET', path: '/' })).text).toBe(PAGE);
    }
    expect(codes.filter((code) => code === 'INVALID_CREDENTIALS').length).toBeLessThan(100);
    await Promise.all(logins);
    expect([...new Set(codes)].toSorted()).toEqual(['INVALID_CREDENTIALS', 'SERVICE_UNAVAILABLE']);
  },
);
