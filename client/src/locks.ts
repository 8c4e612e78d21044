const queues = new Map<string, Promise<unknown>>();

/**
 * One at a time, also across the tabs of one origin. Web Locks ask for a secure context (https, localhost, or a packaged
 * app); elsewhere, only within this page.
 */
export async function withLock<T>(name: string, work: () => Promise<T>): Promise<T> {
  const locks = (globalThis.navigator as Navigator | undefined)?.locks;
  if (locks) return locks.request(name, work);
  const before = queues.get(name) ?? Promise.resolve();
  const own = before.then(work, work);
  const settled = own.then(
    () => {},
    () => {},
  );
  queues.set(name, settled);
  try {
    return await own;
  } finally {
    if (queues.get(name) === settled) queues.delete(name);
  }
}
