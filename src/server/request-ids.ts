import { randomFillSync } from 'node:crypto';

/** No two will be the same. */
const BYTES = 12;
const DRAWN_AT_ONCE = 256;

/** By which a client can tell us which request it means. They say nothing of how many there are. */
export function createRequestIds(): () => string {
  const drawn = Buffer.alloc(BYTES * DRAWN_AT_ONCE);
  let at = drawn.length;
  return () => {
    if (at === drawn.length) {
      randomFillSync(drawn);
      at = 0;
    }
    at += BYTES;
    return drawn.toString('hex', at - BYTES, at);
  };
}
