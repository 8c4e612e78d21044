import type { IncomingMessage } from 'node:http';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { createClientReader } from '../../src/server/client-reader.ts';

const PROXY = '10.0.0.1';

function setUp(trustProxy: number) {
  const lines: string[] = [];
  const logger = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) });
  const read = createClientReader({ trustProxy, logger });
  const addressOf = (forwarded?: string, remoteAddress: string | undefined = PROXY) => {
    const headers = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded };
    return read({ socket: { remoteAddress }, headers } as unknown as IncomingMessage).address;
  };
  return { addressOf, lines };
}

it('takes the peer where no proxy is trusted, and says once that a header is ignored', () => {
  const { addressOf, lines } = setUp(0);
  expect(addressOf()).toBe(PROXY);
  expect(lines).toEqual([]);
  for (let n = 0; n < 3; n += 1) expect(addressOf('192.0.2.1')).toBe(PROXY);
  expect(lines).toEqual([expect.stringContaining('TRUST_PROXY')]);
});

it.each([
  [1, '192.0.2.1', '192.0.2.1'],
  [1, '203.0.113.9, 192.0.2.1', '192.0.2.1'],
  [1, '203.0.113.9,nonsense,192.0.2.1', '192.0.2.1'],
  [2, '203.0.113.9, 192.0.2.1, 10.0.0.2', '192.0.2.1'],
  // From a proxy that is nearer than the outermost.
  [2, '192.0.2.1', '192.0.2.1'],
  [1, '192.0.2.1:50123', '192.0.2.1'],
  [1, '[2001:db8::1]:50123', '2001:db8::/64'],
  [1, '[2001:db8::1]', '2001:db8::/64'],
  [1, '::ffff:192.0.2.1', '192.0.2.1'],
  [1, '::ffff:192.0.2.1%eth0', '192.0.2.1'],
  [1, 'fe80::1%br-1a2b', 'fe80::/64'],
  [1, '[fe80::1%br-1a2b]:50123', 'fe80::/64'],
  // Not an address: no proxy wrote it, and nobody is let off for it.
  [1, undefined, PROXY],
  [1, '', PROXY],
  [1, 'unknown', PROXY],
  [1, '192.0.2.1, ', PROXY],
  [1, '0x7f.1', PROXY],
  [1, '1'.repeat(9_000), PROXY],
])('behind %d proxies takes of %j the address %s', (trustProxy, forwarded, address) => {
  expect(setUp(trustProxy).addressOf(forwarded)).toBe(address);
});

it.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8:1:2::1', '2001:db8:1:2::/64'],
  ['2001:db8:1:3::1', '2001:db8:1:3::/64'],
  ['::1', '::/64'],
  ['fe80::1%eth0', 'fe80::/64'],
  ['fe80::1%br-1a2b', 'fe80::/64'],
  ['fe80::1%a.b_c', 'fe80::/64'],
  ['', ''],
])('counts %j as %s', (peer, address) => {
  expect(setUp(0).addressOf(undefined, peer)).toBe(address);
});
