import { readdir, readlink } from 'node:fs/promises';
import { inspect } from './inspector.ts';
import type { Inspector } from './inspector.ts';
import type { ServerProcess } from './server-process.ts';

/** How many of what somebody holds, by name. */
export type Counts = Record<string, number>;

/**
 * What keeps the process alive, by Node's names (`Timeout`, `TCPSocketWrap`, …), its open `sockets` and `files`, and
 * the abort signals that something still refers to: each line to a client has one, so that one kept for too long shows
 * here at once, and in the memory late.
 */
export function countHeld(server: ServerProcess): Promise<Counts> {
  return look(server, async (inspector) => {
    const active = await inspector.evaluate<string[]>('process.getActiveResourcesInfo()');
    const open = await listDescriptors(server.pid);
    const sockets = open.filter((target) => target.startsWith('socket:')).length;
    const counts: Counts = { sockets, files: open.length - sockets };
    for (const name of active) counts[name] = (counts[name] ?? 0) + 1;
    counts['abort signals'] = await inspector.countInstances('AbortSignal.prototype');
    return counts;
  });
}

/** Megabytes of JavaScript objects that something still refers to. */
export async function measureHeap(server: ServerProcess): Promise<number> {
  return (await measureMemory(server)).heap;
}

/** Megabytes that something still refers to: of JavaScript objects, and of bytes, such as those on their way to a client. */
export function measureMemory(server: ServerProcess): Promise<{ heap: number; bytes: number }> {
  return look(server, async (inspector) => {
    // What waits for a finalizer goes with the next collection.
    for (let round = 0; round < 3; round += 1) await inspector.collectGarbage();
    const { heapUsed, arrayBuffers } = await inspector.evaluate<NodeJS.MemoryUsage>('process.memoryUsage()');
    return { heap: heapUsed / 1024 ** 2, bytes: arrayBuffers / 1024 ** 2 };
  });
}

/** What there is more of than there was: one line for each. */
export function findGrowth(before: Counts, now: Counts): string[] {
  return Object.entries(now)
    .filter(([name, count]) => count > (before[name] ?? 0))
    .map(([name, count]) => `${name}: ${before[name] ?? 0} before, ${count} now`);
}

async function listDescriptors(pid: number): Promise<string[]> {
  const directory = `/proc/${pid}/fd`;
  // Only Linux shows them.
  const names = await readdir(directory).catch(() => []);
  // Some are closed by now.
  return Promise.all(names.map((name) => readlink(`${directory}/${name}`).catch(() => '')));
}

/** Attached only while it looks: the inspector's own socket would be counted, too. */
async function look<T>(server: ServerProcess, at: (inspector: Inspector) => Promise<T>): Promise<T> {
  const inspector = await inspect(server);
  try {
    return await at(inspector);
  } finally {
    await inspector.detach();
  }
}
