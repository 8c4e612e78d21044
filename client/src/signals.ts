/** What the platform tells of the network and of the app's place on the screen. */
export interface PlatformSignals {
  /** Back in the foreground, or the network returned: look at the connection now. */
  onWake(listener: () => void): () => void;
  isOnline(): boolean;
  onOnlineChange(listener: (isOnline: boolean) => void): () => void;
}

/** As much of Capacitor's App and Network plugins as is used here. */
export interface CapacitorPlugins {
  App?: CapacitorPlugin;
  Network?: CapacitorPlugin & { getStatus?(): Promise<{ connected: boolean }> };
}

interface CapacitorPlugin {
  addListener(event: string, listener: (state: never) => void): Promise<unknown>;
}

/**
 * The browser's events, and Capacitor's, whose plugins register themselves: an app only has to install and import them.
 * The listeners stay as long as the page.
 */
export function browserSignals(plugins: CapacitorPlugins = registeredPlugins()): PlatformSignals {
  const wakes = new Set<() => void>();
  const changes = new Set<(isOnline: boolean) => void>();
  let isOnline = (globalThis.navigator as Navigator | undefined)?.onLine !== false;

  const wake = () => wakes.forEach((listener) => listener());
  function setOnline(next: boolean) {
    if (next === isOnline) return;
    isOnline = next;
    for (const listener of changes) listener(next);
    if (next) wake();
  }

  globalThis.addEventListener?.('online', () => setOnline(true));
  globalThis.addEventListener?.('offline', () => setOnline(false));
  // A page that comes out of the back-forward cache has lost its sockets.
  globalThis.addEventListener?.('pageshow', (event) => event.persisted && wake());
  globalThis.document?.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') wake();
  });
  void plugins.App?.addListener('appStateChange', ({ isActive }: { isActive: boolean }) => isActive && wake());
  void plugins.Network?.addListener('networkStatusChange', ({ connected }: { connected: boolean }) =>
    // From Wi-Fi to mobile it stays connected, and the old sockets are dead.
    connected && isOnline ? wake() : setOnline(connected),
  );
  plugins.Network?.getStatus?.().then(
    ({ connected }) => setOnline(connected),
    () => {
      // Not on this platform; its events will tell.
    },
  );

  return {
    isOnline: () => isOnline,
    onWake(listener) {
      wakes.add(listener);
      return () => void wakes.delete(listener);
    },
    onOnlineChange(listener) {
      changes.add(listener);
      return () => void changes.delete(listener);
    },
  };
}

function registeredPlugins(): CapacitorPlugins {
  return (globalThis as { Capacitor?: { Plugins?: CapacitorPlugins } }).Capacitor?.Plugins ?? {};
}
