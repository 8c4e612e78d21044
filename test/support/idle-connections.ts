const DISPATCHER = Symbol.for('undici.globalDispatcher.1');

interface Dispatcher {
  close(): Promise<void>;
  constructor: new () => Dispatcher;
}

/** `fetch` keeps its connections for as long as a server lets it: a minute and more. These are closed now. */
export function closeIdleConnections(): void {
  const holder = globalThis as unknown as Record<symbol, Dispatcher>;
  const dispatcher = holder[DISPATCHER]!;
  holder[DISPATCHER] = new dispatcher.constructor();
  void dispatcher.close();
}
