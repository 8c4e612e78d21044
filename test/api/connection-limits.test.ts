import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createClient, rawSocket } from '../support/client.ts';
import { startCluster } from '../support/cluster.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { openWire } from '../support/wire.ts';
import type { Wire } from '../support/wire.ts';
import { eventually } from '../support/wait.ts';

const HERE = '127.0.0.2';
const THERE = '127.0.0.3';

async function startNode(env: Record<string, string>): Promise<ServerProcess> {
  const cluster = await startCluster({
    nodes: 1,
    env: { RATE_LIMIT: 'on', MAX_CONNECTIONS: '100', ADDRESS_CONNECTIONS: '10', ...env },
  });
  onTestFinished(() => cluster.stop());
  return cluster.node(0);
}

/** Undefined: it was closed unread. */
async function openFrom(node: ServerProcess, address: string): Promise<Wire | undefined> {
  const wire = await openWire(node, address);
  return (await isAnswered(wire)) ? wire : undefined;
}

async function isAnswered(wire: Wire): Promise<boolean> {
  const answers = () => wire.received.split('HTTP/1.1 200').length;
  const before = answers();
  let isClosed = false;
  void wire.closed.then(() => (isClosed = true));
  wire.write('GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await eventually(() => expect(isClosed || answers() > before).toBe(true));
  return !isClosed;
}

async function openMany(node: ServerProcess, address: string, count: number): Promise<Wire[]> {
  const wires = await Promise.all(Array.from({ length: count }, () => openFrom(node, address)));
  return wires.filter((wire) => wire !== undefined);
}

/** Asks for megabytes and, once they begin to come, for an upgrade to what there is none of. Reads none of it. */
function stopReading(node: ServerProcess, localAddress: string): Socket {
  const socket = connect({ port: node.port, host: '127.0.0.1', localAddress });
  socket.on('error', () => {});
  socket.write('GET /graphql HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n\r\n');
  socket.once('data', () => {
    socket.pause();
    socket.write('GET /nope HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n', () =>
      socket.emit('paused'),
    );
  });
  return socket;
}

const linesOf = ({ logs }: ServerProcess, by: string) =>
  logs
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter(
      (line) => line['event'] === 'security.rate_limited' && line['operation'] === 'connect' && line['by'] === by,
    );

describe('connections to a node', () => {
  it('are so many from one address: the next is closed unread, and taken when one is gone', async () => {
    const node = await startNode({});
    const standing = await openMany(node, HERE, 40);
    expect(standing).toHaveLength(10);
    expect(await openMany(node, THERE, 10)).toHaveLength(10);
    for (const wire of standing) expect(await isAnswered(wire)).toBe(true);
    const [line, ...others] = linesOf(node, 'address');
    expect(line).toMatchObject({ level: 40, address: expect.stringMatching(/^[\w-]{22}$/) });
    // By the second, however many were closed.
    expect(others.length).toBeLessThan(5);
    expect(JSON.stringify(node.logs)).not.toContain(HERE);
    standing.pop()!.destroy();
    expect(
      await eventually(async () => (await openFrom(node, HERE)) ?? Promise.reject(new Error('none'))),
    ).toBeDefined();
    expect(await openFrom(node, HERE)).toBeUndefined();
  });

  it('are so many in all, from wherever they come', async () => {
    const node = await startNode({ ADDRESS_CONNECTIONS: '40', MAX_CONNECTIONS: '60' });
    const standing = [...(await openMany(node, HERE, 40)), ...(await openMany(node, THERE, 40))];
    // Those that the test itself has are among them.
    expect(standing.length).toBeGreaterThan(45);
    expect(standing.length).toBeLessThanOrEqual(60);
    for (const wire of standing) expect(await isAnswered(wire)).toBe(true);
    expect(linesOf(node, 'node')[0]).toMatchObject({ level: 40 });
    expect(linesOf(node, 'address')).toEqual([]);
    // Who found no place here has taken none of the address's.
    standing.shift()!.destroy();
    expect(
      await eventually(async () => (await openFrom(node, THERE)) ?? Promise.reject(new Error('none'))),
    ).toBeDefined();
  });

  it('are given back by who reads nothing, when the last request was an upgrade that is refused', async () => {
    const node = await startNode({});
    const stuck = Array.from({ length: 10 }, () => stopReading(node, HERE));
    onTestFinished(() => stuck.forEach((wire) => wire.destroy()));
    // Each has sent the upgrade, and holds its place.
    await Promise.all(stuck.map((wire) => once(wire, 'paused')));
    expect(await openFrom(node, HERE)).toBeUndefined();
    await eventually(async () => (await openFrom(node, HERE)) ?? Promise.reject(new Error('none')), {
      deadlineMs: 20_000,
      everyMs: 500,
    });
  });

  it('stay, and the node with them, when a proxy names an address with a zone', async () => {
    const node = await startNode({ TRUST_PROXY: '1' });
    const headers = { 'x-forwarded-for': 'fe80::1%br-1a2b' };
    const socket = await rawSocket(node, { headers });
    const body = JSON.stringify({ query: '{ __typename }' });
    const answer = await createClient(node).raw({ headers: { ...headers, 'content-type': 'application/json' }, body });
    expect(answer.json).toEqual({ data: { __typename: 'Query' } });
    socket.close();
    expect((await socket.closed).code).toBe(1005);
  });

  it.each([
    ['TRUST_PROXY', '1'],
    ['RATE_LIMIT', 'off'],
  ])('are not counted by address with %s=%s', async (name, value) => {
    const node = await startNode({ [name]: value });
    expect(await openMany(node, HERE, 40)).toHaveLength(40);
  });
});
