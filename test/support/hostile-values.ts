import fc from 'fast-check';

/** Texts that something on the way might take for more than text. */
const HOSTILE_TEXTS = [
  '',
  ' ',
  '\0',
  'a\0b',
  '\ud800',
  'a\udc00b',
  '\udfff\ud800',
  '\ufffe\uffff\ufeff',
  '\u202egnp.exe\u202c \u2066\u2069\u200f',
  '\u200b\u200d\u2060',
  '👩‍👩‍👧‍👦 🏴󠁧󠁢󠁳󠁣󠁴󠁿 👍🏽 🇺🇦 1️⃣',
  'Z̸̧͎a̵͖͝l̶̟͑g̴̣̅o̷̙͐',
  'e\u0301 \u00e9 \u212b ﷺ ﬃ ǅ İ ı ß',
  '\u2028\u2029\u0085\u000b\u001b[31m\x7f',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  'null',
  'undefined',
  'true',
  'NaN',
  '-Infinity',
  '1e999',
  '-0',
  '9223372036854775808',
  '0x7fffffff',
  '1; SELECT pg_sleep(9)',
  "' OR '1'='1",
  "'; DROP TABLE users; --",
  "E'\\\\x00' || U&'\\0041'",
  '$1 $2 ${x} %s %n {{7*7}} #{x}',
  '\\',
  '\\u0000',
  '"}],"x":[{"',
  '{"$ne":null}',
  '[1,2',
  '../../../../etc/passwd',
  'file:///dev/zero',
  '<script>alert(1)</script>',
  '\r\nSet-Cookie: a=b\r\n\r\n',
  '=cmd|x!A0',
  'x'.repeat(255),
  '🦊'.repeat(8_001),
  'x'.repeat(20_000),
];

const UUID = '0193514e-7d5a-7c3e-9f21-0123456789ab';
export const HOSTILE_IDS = [
  UUID,
  UUID.toUpperCase(),
  `{${UUID}}`,
  `urn:uuid:${UUID}`,
  UUID.replaceAll('-', ''),
  `${UUID}\n`,
  `${UUID}\0`,
  UUID.replace('0', '０'),
  '00000000-0000-0000-0000-000000000000',
  'ffffffff-ffff-ffff-ffff-ffffffffffff',
  'gggggggg-gggg-gggg-gggg-gggggggggggg',
];

/** Cursors are written by the list that they are of. */
const LISTS = ['chat', 'message', 'user', 'change'];
const POSITIONS = ['', '0', '-1', '1', '999999999', '9'.repeat(18), '9'.repeat(400), '1e9', '0x10', UUID];
const TIMES = ['0', '-1', '1', '253402300800000', '999999999999999', '8640000000000001', '9'.repeat(30), 'NaN'];

export const anyText = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...HOSTILE_TEXTS) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 80 }) },
  { weight: 1, arbitrary: fc.string({ unit: 'grapheme', maxLength: 80 }) },
  // Any code units, halves of pairs among them.
  { weight: 1, arbitrary: fc.array(fc.nat(0xffff), { maxLength: 20 }).map((units) => String.fromCharCode(...units)) },
);

const position = fc.oneof(
  fc.constantFrom(...POSITIONS),
  fc.tuple(fc.constantFrom(...TIMES), fc.constant(UUID)).map((parts) => parts.join(':')),
  fc.tuple(fc.constantFrom(...TIMES), fc.constantFrom(...HOSTILE_IDS, '')).map((parts) => parts.join(':')),
  anyText,
);

/** Of every list, well made and not. */
export const cursor = fc.oneof(
  fc.tuple(fc.constantFrom(...LISTS), position).map(([list, at]) => Buffer.from(`${list}:${at}`).toString('base64url')),
  anyText,
);

/** As a thief or a fool would write one. */
export const token = fc.oneof(
  anyText.map((text) => `prt_${Buffer.from(text).toString('base64url')}`),
  anyText.map(
    (text) => `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from(text).toString('base64url')}.`,
  ),
  anyText.map(
    (text) =>
      `${Buffer.from(JSON.stringify({ alg: 'ES256', kid: text })).toString('base64url')}.${Buffer.from('{}').toString('base64url')}.AAAA`,
  ),
  anyText,
);

export const email = fc.oneof(
  anyText,
  fc
    .tuple(anyText, fc.constantFrom('@example.test', '@[127.0.0.1]', '@\u0130.test', '@'))
    .map((parts) => parts.join('')),
);

export const int = fc.oneof(
  fc.constantFrom(0, 1, -1, 2, 100, 101, 2_147_483_647, -2_147_483_648),
  fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
);

export const json = fc.oneof(
  fc.jsonValue({ maxDepth: 10 }),
  fc
    .dictionary(fc.oneof(anyText, fc.constant('__proto__')), fc.oneof(anyText, int, fc.double(), fc.constant(null)))
    .map((value) => Object.fromEntries(Object.entries(value))),
  fc.tuple(fc.nat(40), anyText).map(([levels, text]) => nest(levels, text)),
);

/** What does not fit the type at all. */
export const misfit: fc.Arbitrary<unknown> = fc.oneof(
  anyText,
  fc.constantFrom(null, true, [], {}, [[]], 0.5, -0, 1e308, 5e-324, 2 ** 53, [null], { __typename: 'x' }),
  fc.jsonValue(),
);

function nest(levels: number, inmost: unknown): unknown {
  return Array.from({ length: levels }).reduce<unknown>(
    (value, _, at) => (at % 2 === 0 ? [value] : { a: value }),
    inmost,
  );
}
