import { afterAll, beforeAll, expect, it } from 'vitest';
import { startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { measureMemory } from '../support/footprint.ts';
import { INSPECTABLE, INSPECTOR_LINES } from '../support/inspector.ts';
import { registerPerson } from '../support/people.ts';
import type { Person } from '../support/people.ts';
import { openWire } from '../support/wire.ts';

const STREAMS = 40;
/** Of a stream without anything besides some 30. */
const KILOBYTES_EACH = 100;

let cluster: Cluster;
let ann: Person;
beforeAll(async () => {
  cluster = await startCluster({ nodes: 1, env: INSPECTABLE, allowErrors: [INSPECTOR_LINES] });
  ann = await registerPerson(cluster);
});
afterAll(() => cluster?.stop());

const QUERY = 'subscription { chatUpdated { id } }';
const besides: [name: string, body: string][] = [
  [
    'variables that nobody declared',
    JSON.stringify({ query: QUERY, variables: { a: Array.from({ length: 4_900 }, () => ({})) } }),
  ],
  ['extensions', JSON.stringify({ query: QUERY, extensions: { a: 'x'.repeat(95_000) } })],
  ['blanks', JSON.stringify({ query: QUERY }) + ' '.repeat(95_000)],
];

/** With what is alive because of it, such as code that was compiled, the first time. */
async function openStreams(body: string) {
  const wires = await Promise.all(Array.from({ length: STREAMS }, () => openWire(cluster.node(0))));
  for (const wire of wires)
    wire.write(
      'POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAccept: text/event-stream\r\n' +
        `Authorization: Bearer ${ann.accessToken}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
  await Promise.all(wires.map((wire) => wire.sees('200 OK')));
  return wires;
}

const measure = async () => {
  const { heap, bytes } = await measureMemory(cluster.node(0));
  return (heap + bytes) * 1024;
};

it.each(besides)('an event stream does not keep what its request brought besides: %s', async (_name, body) => {
  for (const wire of await openStreams(body)) wire.destroy();
  const before = await measure();
  const wires = await openStreams(body);
  const after = await measure();
  for (const wire of wires) wire.destroy();
  expect((after - before) / STREAMS).toBeLessThan(KILOBYTES_EACH);
});
