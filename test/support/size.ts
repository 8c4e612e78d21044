/** `FAULTS=full` runs fault tests at the size that the promises name; otherwise they fit a few minutes of CI. */
export function atFullSize(full: number, small: number): number {
  return process.env.FAULTS === 'full' ? full : small;
}
