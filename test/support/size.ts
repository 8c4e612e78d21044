/** `FAULTS=full` runs fault tests at the size that the promises name; otherwise they fit a few minutes of CI. */
export function atFullSize<T>(full: T, small: T): T {
  return process.env.FAULTS === 'full' ? full : small;
}
