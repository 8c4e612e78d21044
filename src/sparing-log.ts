const PERIOD_MS = 1_000;

/** Passes one call a second on to `log`, with the number of calls held back since the last one. */
export function createSparingLog<T>(log: (subject: T, heldBack: number) => void): (subject: T) => void {
  let quietUntil = 0;
  let heldBack = 0;
  return (subject) => {
    const now = performance.now();
    if (now < quietUntil) {
      heldBack += 1;
      return;
    }
    quietUntil = now + PERIOD_MS;
    log(subject, heldBack);
    heldBack = 0;
  };
}
