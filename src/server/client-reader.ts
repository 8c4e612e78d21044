import type { IncomingMessage } from 'node:http';
import { isIP, isIPv4 } from 'node:net';
import ipaddr from 'ipaddr.js';
import type { Client } from '../auth/client.ts';
import type { Logger } from '../logger.ts';

/** Of an IPv6 address, what one customer is given: within it they have as many addresses as they like. */
const CUSTOMER_BITS = 64;

export type ClientReader = (request: IncomingMessage) => Client;

/**
 * Who is at the other end: the socket's peer or, behind so many proxies, the one that the outermost of them was asked
 * by. Each proxy adds its own peer at the right of X-Forwarded-For; what stands further left is whatever a client wrote.
 */
export function createClientReader({ trustProxy, logger }: { trustProxy: number; logger: Logger }): ClientReader {
  let warned = false;

  return ({ socket, headers }) => {
    const forwarded = headers['x-forwarded-for'];
    if (forwarded !== undefined && trustProxy === 0 && !warned) {
      warned = true;
      logger.warn(
        'X-Forwarded-For is ignored: behind a proxy, set TRUST_PROXY, or all clients share the limits of one',
      );
    }
    const peer = socket.remoteAddress ?? '';
    return {
      address: customerOf(trustProxy === 0 ? peer : (readForwarded(forwarded, trustProxy) ?? peer)),
      userAgent: headers['user-agent'] ?? null,
    };
  };
}

/** Undefined: not what a proxy writes. */
function readForwarded(header: string | string[] = '', hops: number): string | undefined {
  const addresses = String(header).split(',');
  const address = withoutPort(addresses.at(-Math.min(hops, addresses.length))!.trim());
  return isIP(address) ? address : undefined;
}

/** Some proxies write `192.0.2.1:50000` or `[2001:db8::1]:50000`. */
function withoutPort(text: string): string {
  const [, bracketed, plain] = /^(?:\[(.*)\](?::\d+)?|([\d.]+):\d+)$/.exec(text) ?? [];
  return bracketed ?? plain ?? text;
}

/** An IPv4 address, or the network of an IPv6 address. Whatever the text is, it throws nothing. */
export function customerOf(text: string): string {
  // Which line a link-local address is on (RFC 4007, section 11): a text of this machine's, and no part of the address.
  const address = text.replace(/%.*$/s, '');
  if (isIPv4(address) || !isIP(address)) return address;
  const parsed = ipaddr.process(address);
  // As a server on all interfaces is told of it.
  if (parsed instanceof ipaddr.IPv4) return parsed.toString();
  return `${ipaddr.IPv6.networkAddressFromCIDR(`${parsed.toString()}/${CUSTOMER_BITS}`).toString()}/${CUSTOMER_BITS}`;
}
