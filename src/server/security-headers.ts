import type { IncomingHttpHeaders, OutgoingHttpHeaders, ServerResponse } from 'node:http';

/**
 * What every answer carries unless it says otherwise: it is data, for whoever asked, to be neither shown, framed, kept
 * nor guessed at. OWASP ASVS 5, V3.4.3 to V3.4.6, V3.5.8 and V14.3.2. The policy on embedding leaves CORS as it is: pages
 * of the listed origins read answers, and no page has them as a script or a picture.
 */
export const SECURITY_HEADERS = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
  'content-security-policy': "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
} as const satisfies OutgoingHttpHeaders;

/** What a page has in place of that. A window that opens it, or that it opens, has no hold of it: ASVS 5, V3.4.8. */
export function pageHeaders(policy: Record<string, string>) {
  const directives = Object.entries({ ...PAGE_POLICY, ...policy });
  return {
    'content-security-policy': directives.map(([name, sources]) => `${name} ${sources}`).join('; '),
    'cross-origin-opener-policy': 'same-origin',
  };
}

const PAGE_POLICY = {
  'default-src': "'self'",
  // With the scheme and port of the page, also for WebSockets.
  'connect-src': "'self'",
  'object-src': "'none'",
  'base-uri': "'none'",
  'form-action': "'self'",
  'frame-ancestors': "'none'",
};

export function setHeaders(response: ServerResponse, headers: Record<string, string>): void {
  for (const name in headers) response.setHeader(name, headers[name]!);
}

/** A year, of this name alone: what else runs under it is the operator's to say. */
const STRICT_TRANSPORT = 'max-age=31536000';

/**
 * Over TLS, what says that browsers stay with it (RFC 6797, ASVS 5, V3.4.1): TLS ends at a proxy, which is believed where
 * TRUST_PROXY counts it. Without TLS it must not be sent, since browsers would lose their way.
 */
export function strictTransport(headers: IncomingHttpHeaders, trustProxy: number): string | undefined {
  return trustProxy > 0 && cameByTls(headers, trustProxy) ? STRICT_TRANSPORT : undefined;
}

/** As the outermost of the proxies saw it: each adds at the right, or there is but one that says it. */
function cameByTls(headers: IncomingHttpHeaders, hops: number): boolean {
  const schemes = String(headers['x-forwarded-proto'] ?? '').split(',');
  return schemes.at(-Math.min(hops, schemes.length))!.trim().toLowerCase() === 'https';
}
