/** `FAULTS=full` runs fault tests at the size that the promises name; otherwise they fit a few minutes of CI. */
export function atFullSize<T>(full: T, small: T): T {
  return process.env.FAULTS === 'full' ? full : small;
}

/** `SOAK_MINUTES` says for how long the soak runs; undefined: as short as it can be. */
export const SOAK_MINUTES = process.env.SOAK_MINUTES ? Number(process.env.SOAK_MINUTES) : undefined;

/** With FIGURES=write, what is measured and shown in the README is made anew. */
export const isWritingFigures = process.env.FIGURES === 'write';

/** Nothing is measured, and no server runs for long. */
export const isBrief = atFullSize(false, !isWritingFigures && SOAK_MINUTES === undefined);

/** Shows what was measured where somebody waits for it: at full size, and at the end of a soak. */
export function report(what: string, figures: Record<string, unknown>): void {
  if (process.env.FAULTS === 'full' || SOAK_MINUTES !== undefined) console.log(`${what}: ${JSON.stringify(figures)}`);
}

/** The value that `share` of all stay within; they are sorted in place. */
export function quantile(values: number[], share: number): number {
  values.sort((a, b) => a - b);
  return values[Math.min(values.length - 1, Math.floor(values.length * share))] ?? NaN;
}

/** Milliseconds, as a report shows them. */
export function summarize(milliseconds: number[]): { p50: number; p99: number; max: number } {
  const [p50, p99, max] = [0.5, 0.99, 1].map((share) => Math.round(quantile(milliseconds, share)));
  return { p50: p50!, p99: p99!, max: max! };
}
