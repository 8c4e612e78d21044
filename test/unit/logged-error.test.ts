import { describe, expect, it } from 'vitest';
import { toLoggedError } from '../../src/logged-error.ts';

const messageOf = (message: string) => toLoggedError(new Error(message)).message;

describe('what is logged of an error', () => {
  it('is what kind it is and where it arose, of all that it wraps', () => {
    const inner = Object.assign(new RangeError('disk full'), { code: '53100', detail: 'of somebody' });
    const error = Object.assign(new TypeError('not kept', { cause: inner }), {
      code: 'P2010',
      values: ['of somebody'],
    });
    const logged = toLoggedError(error);
    expect(logged).toEqual({
      type: 'TypeError',
      code: 'P2010',
      message: 'not kept',
      stack: expect.stringMatching(/^TypeError: not kept\n {4}at .*logged-error\.test\.ts/),
      cause: { type: 'RangeError', code: '53100', message: 'disk full', stack: expect.any(String) },
    });
  });

  it('is nothing of the row that the database refused, in whatever field it stands', () => {
    const refused = {
      kind: 'postgres',
      originalCode: '23514',
      originalMessage: 'new row for relation "message" violates check constraint "short"',
      detail: 'Failing row contains (a secret).',
      query: 'INSERT INTO message VALUES (a secret)',
      parameters: ['a secret'],
    };
    const error = Object.assign(new Error('it was refused'), {
      meta: { driverAdapterError: Object.assign(new Error('refused'), { cause: refused }), target: 'a secret' },
    });
    expect(JSON.stringify(toLoggedError(error))).not.toContain('a secret');
    expect(toLoggedError(error).cause?.cause).toEqual({
      type: 'Object',
      kind: 'postgres',
      originalCode: '23514',
      message: 'new row for relation "message" violates check constraint "short"',
    });
  });

  it.each([
    ['invalid input syntax for type uuid: "a secret"', 'invalid input syntax for type uuid: "…"'],
    ['invalid input syntax for type json: "a "bold" secret" here', 'invalid input syntax for type json: "…" here'],
    ['column "body" of relation "message" is not "a secret"', 'column "body" of relation "message" is not "…"'],
    ['Unexpected token \'a\', "a secret" is not valid JSON', 'Unexpected token \'a\', "…" is not valid JSON'],
    ['no end of "a secret', 'no end of "…'],
    ['Key (email)=(a secret) already exists', 'Key (email)=(…) already exists'],
    ['Key (a, b)=(a (bold) secret, 2)', 'Key (a, b)=(…)'],
    [
      'invocation:\n{\n  email: "a secret",\n  name: "a secret"\n}\nArgument missing',
      'invocation:\n{\n  email: "…"\n}\nArgument missing',
    ],
  ])('leaves out what is quoted, unless it names something: %s', (message, kept) => {
    expect(messageOf(message)).toBe(kept);
    expect(toLoggedError(new Error(message)).stack).not.toContain('secret');
  });

  it('takes no line of a message for a place', () => {
    const error = new Error('first\n    at a secret (place:1:1)');
    expect(toLoggedError(error).stack?.split('a secret')).toHaveLength(2);
    error.message = 'another since';
    expect(toLoggedError(error).message).toBe('another since');
  });

  it('ends, whatever wraps what', () => {
    const error = new Error('in a circle');
    error.cause = error;
    const all = new AggregateError(
      Array.from({ length: 100 }, () => error),
      'many',
    );
    expect(JSON.stringify(toLoggedError(all)).length).toBeLessThan(50_000);
  });

  it('is the type alone of what is no error', () => {
    expect(toLoggedError('a secret')).toEqual({ type: 'string' });
    expect(toLoggedError(null)).toEqual({ type: 'object' });
    expect(toLoggedError({ password: 'a secret' })).toEqual({ type: 'Object' });
  });
});
