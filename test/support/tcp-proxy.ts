import { createServer, connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

/** What the network does to everything that goes through. */
export type Weather =
  /** As if the proxy were not there. */
  | { kind: 'pass' }
  /** A black hole: connections stand, nothing arrives, nobody is told. New connections are accepted and forgotten. */
  | { kind: 'drop' }
  /** Each chunk is late by as much. */
  | { kind: 'delay'; ms: number }
  /** Towards the client, no faster than this. */
  | { kind: 'throttle'; bytesPerSecond: number };

export interface TcpProxy {
  readonly port: number;
  /** How many connections stand now. */
  readonly connections: number;
  set(weather: Weather): void;
  /** Breaks every connection with a reset. */
  reset(): void;
  /** Shows each chunk that goes in this direction, from now on, just before it goes. */
  watch(direction: 'up' | 'down', see: (chunk: Buffer) => void): void;
  /**
   * Breaks the connection that first passes on, in this direction from now on, a chunk that the test says yes to: just
   * before the chunk goes out.
   */
  cutBefore(direction: 'up' | 'down', matches: (chunk: Buffer) => boolean): Promise<void>;
  /** The same, right behind the chunk and these last words, which arrive together with it. */
  cutAfter(direction: 'up' | 'down', matches: (chunk: Buffer) => boolean, lastWords: Buffer): Promise<void>;
  close(): Promise<void>;
}

interface Cut {
  direction: 'up' | 'down';
  matches: (chunk: Buffer) => boolean;
  lastWords?: Buffer;
  done: () => void;
}

/** A wire that can be made to fail, in front of a server on this machine. */
export async function startTcpProxy(target: { host?: string; port: number }): Promise<TcpProxy> {
  const pairs = new Set<readonly [client: Socket, upstream: Socket]>();
  const watchers: Array<(chunk: Buffer, direction: 'up' | 'down') => void> = [];
  let weather: Weather = { kind: 'pass' };
  let cut: Cut | undefined;

  function breakPair(pair: readonly [Socket, Socket]) {
    pairs.delete(pair);
    for (const socket of pair) socket.resetAndDestroy();
  }

  function breakAll() {
    for (const pair of [...pairs]) breakPair(pair);
  }

  const server = createServer((client) => {
    const upstream = connect({ port: target.port, host: target.host ?? '127.0.0.1', noDelay: true });
    client.setNoDelay(true);
    const pair = [client, upstream] as const;
    pairs.add(pair);
    carry(pair, client, upstream, 'up');
    carry(pair, upstream, client, 'down');
  });

  function carry(pair: readonly [Socket, Socket], from: Socket, to: Socket, direction: 'up' | 'down') {
    from.on('data', (chunk: Buffer) => {
      if (weather.kind === 'drop') return;
      for (const see of watchers) see(chunk, direction);
      if (cut?.direction === direction && cut.matches(chunk)) {
        const { done, lastWords } = cut;
        cut = undefined;
        if (lastWords) {
          to.end(Buffer.concat([chunk, lastWords]));
          from.destroy();
        } else breakPair(pair);
        return done();
      }
      // The other side went while nobody was told.
      if (to.destroyed) return breakPair(pair);
      const pause = pauseFor(chunk, direction);
      if (pause === 0) return void to.write(chunk);
      from.pause();
      setTimeout(() => {
        if (weather.kind !== 'drop' && !to.destroyed) to.write(chunk);
        from.resume();
      }, pause);
    });
    from.on('end', () => weather.kind !== 'drop' && to.end());
    from.on('close', () => {
      // Of a client that goes in a black hole no server is ever told; a client whose server went, once it speaks again.
      if (to.destroyed || (weather.kind === 'drop' && direction === 'up')) pairs.delete(pair);
      else if (weather.kind !== 'drop' && !to.writableEnded) to.destroy();
    });
    // A broken connection closes; the close is dealt with above.
    from.on('error', () => {});
  }

  function pauseFor(chunk: Buffer, direction: 'up' | 'down'): number {
    if (weather.kind === 'delay') return weather.ms;
    if (weather.kind === 'throttle' && direction === 'down') return (1_000 * chunk.length) / weather.bytesPerSecond;
    return 0;
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return pairs.size;
    },
    set(next) {
      weather = next;
    },
    reset: breakAll,
    watch(wanted, see) {
      watchers.push((chunk, direction) => direction === wanted && see(chunk));
    },
    cutBefore(direction, matches) {
      return new Promise((done) => (cut = { direction, matches, done }));
    },
    cutAfter(direction, matches, lastWords) {
      return new Promise((done) => (cut = { direction, matches, lastWords, done }));
    },
    async close() {
      breakAll();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
