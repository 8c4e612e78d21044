/** `FAULTS=full` runs fault tests at the size that the promises name; otherwise they fit a few minutes of CI. */
export function atFullSize<T>(full: T, small: T): T {
  return process.env.FAULTS === 'full' ? full : small;
}

/** `SOAK_MINUTES` says for how long the soak runs; undefined: as short as it can be. */
export const SOAK_MINUTES = process.env.SOAK_MINUTES ? Number(process.env.SOAK_MINUTES) : undefined;
