/** How many characters the value takes as JSON; none where there is no value. */
export function jsonLength(value: unknown): number {
  return value === null || value === undefined ? 0 : JSON.stringify(value).length;
}

/**
 * How many bytes the value takes as JSON, with the numbers as jsonb writes them; none where there is no value. To jsonb
 * a number is all of its digits: 1e308, five characters to send, is 309 to keep and to read.
 */
export function keptJsonBytes(value: unknown): number {
  return value === null || value === undefined ? 0 : Buffer.byteLength(JSON.stringify(value)) + digitsLeftOut(value);
}

/** By an exponent, of all numbers in the value. */
function digitsLeftOut(value: unknown): number {
  if (typeof value === 'number') return lengthInFull(value) - String(value).length;
  if (typeof value !== 'object' || value === null) return 0;
  return Object.values(value).reduce((sum: number, inner) => sum + digitsLeftOut(inner), 0);
}

/** Without an exponent. */
function lengthInFull(value: number): number {
  const text = String(value);
  const [digits = '', exponent] = text.split('e');
  if (exponent === undefined) return text.length;
  const sign = value < 0 ? 1 : 0;
  const decimals = digits.split('.')[1]?.length ?? 0;
  return Number(exponent) > 0 ? sign + 1 + Number(exponent) : sign + '0.'.length - Number(exponent) + decimals;
}
