/** How many characters the value takes as JSON; none where there is no value. */
export function jsonLength(value: unknown): number {
  return value === null || value === undefined ? 0 : JSON.stringify(value).length;
}
