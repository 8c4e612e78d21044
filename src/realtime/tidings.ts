/**
 * Of one feed: whether what the sweep finds was told of. A hint that is late is not lost, so what is found untold is
 * counted as such by the next sweep only, unless it has been told of by then.
 */
export class Tidings {
  /** The revision that was told of last. Not the highest: a forged one would count for ever. */
  #told = 0;
  /** What the sweep found first. */
  #untold: number | null = null;

  /** By a hint, or by a commit of this node. */
  told(revision: number): void {
    this.#told = revision;
    if (revision === this.#untold) this.#untold = null;
  }

  /** All that there is will be read. */
  toldOfAll(): void {
    this.#untold = null;
  }

  /** The sweep found it. */
  found(revision: number): void {
    if (revision > this.#told) this.#untold = revision;
  }

  /** Whether what the last sweep found has remained untold. Says so once. */
  takeLoss(): boolean {
    const isLost = this.#untold !== null;
    this.#untold = null;
    return isLost;
  }
}
