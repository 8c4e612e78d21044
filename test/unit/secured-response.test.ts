import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { SecuredResponse } from '../../src/server/secured-response.ts';

const ways: [name: string, answer: (response: SecuredResponse) => void, cached: string, framed: string][] = [
  ['nothing is said', (response) => response.end(), 'no-store', 'DENY'],
  ['it is set', (response) => response.setHeader('cache-control', 'no-cache').end(), 'no-cache', 'DENY'],
  [
    'it is in an object',
    (response) => response.writeHead(200, { 'cache-control': 'no-cache' }).end(),
    'no-cache',
    'DENY',
  ],
  ['it is in a list', (response) => response.writeHead(200, ['cache-control', 'no-cache']).end(), 'no-cache', 'DENY'],
  [
    'it is preset',
    (response) => (response.preset('etag', '"x"'), response.writeHead(200, []).end()),
    'no-store',
    'DENY',
  ],
  [
    'one is set, and one in a list',
    (response) =>
      response.setHeader('x-frame-options', 'SAMEORIGIN').writeHead(200, ['cache-control', 'no-cache']).end(),
    'no-cache',
    'SAMEORIGIN',
  ],
];

it.each(ways)('a header that every answer has goes out once: %s', async (name, answer, cached, framed) => {
  const server = createServer({ ServerResponse: SecuredResponse }, (_request, response) => answer(response));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  try {
    const { headers } = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    expect(headers.get('cache-control')).toBe(cached);
    expect(headers.get('x-frame-options')).toBe(framed);
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('etag')).toBe(name === 'it is preset' ? '"x"' : null);
  } finally {
    server.close();
  }
});

it('a large text waits as bytes, and arrives as it was', async () => {
  const text = '\u6c34'.repeat(20_000);
  let waiting = 0;
  const server = createServer({ ServerResponse: SecuredResponse }, (_request, response) => {
    response.write(text);
    waiting = response.writableLength;
    response.end(text);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  try {
    const answer = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    expect(await answer.text()).toBe(text + text);
    expect(waiting).toBeGreaterThanOrEqual(60_000);
  } finally {
    server.close();
  }
});
