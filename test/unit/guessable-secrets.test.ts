import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { isGuessable } from '../../src/auth/guessable-secrets.ts';

it.each([
  'x'.repeat(64),
  'secret'.repeat(8),
  '01234567'.repeat(4),
  '0123456789abcdef0123456789abcdef',
  'fedcba9876543210FEDCBA9876543210',
  '00112233445566778899aabbccddeeff',
  'abcdefghijklmnopqrstuvwxyz0123456789',
  'passwordpasswordpasswordpassword1234',
  'change-me-change-me-change-me-change-me',
  'this-is-your-super-secret-jwt-key-2024',
  'qwertyuiopasdfghjklzxcvbnm1234567890',
  'a1b2c3d4a1b2c3d4a1b2c3d4a1b2c3d4',
  'stonebridge'.repeat(3),
])('%s can be guessed', (secret) => {
  expect(isGuessable(secret)).toBe(true);
});

it.each(['hex', 'base64', 'base64url'] as const)('no 32 random bytes in %s can', (encoding) => {
  for (let nth = 0; nth < 10_000; nth += 1) {
    const secret = randomBytes(32).toString(encoding);
    expect(isGuessable(secret), secret).toBe(false);
  }
});

it('nor can a phrase of words of its own', () => {
  expect(isGuessable('violet harbour, copper lantern, seven slow ferries')).toBe(false);
});
