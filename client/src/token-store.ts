/** What a device keeps of its sign-in. Whoever has it is this person: keep it where the platform keeps secrets. */
export interface StoredSession {
  userId: string;
  accessToken: string;
  /** Each works once; its use answers the next. */
  refreshToken: string;
}

export interface TokenStore {
  load(): Promise<StoredSession | null>;
  /** Resolves once it is kept: a refresh token that is used before it is kept is lost with the app. */
  save(session: StoredSession | null): Promise<void>;
  /** Another tab changed it. */
  subscribe?(listener: () => void): () => void;
}

/** Signed in until the page goes. */
export function memoryTokenStore(): TokenStore {
  let stored: StoredSession | null = null;
  const listeners = new Set<() => void>();
  return {
    load: async () => stored,
    async save(session) {
      stored = session;
      for (const listener of [...listeners]) listener();
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

export interface WebTokenStoreOptions {
  name?: string;
  storage?: Storage;
}

/** Signed in until the browser's data is removed. Any script of the origin can read it. */
export function webTokenStore({ name = 'parley', storage = localStorage }: WebTokenStoreOptions = {}): TokenStore {
  const key = `${name}:session`;
  return {
    async load() {
      const text = storage.getItem(key);
      try {
        return text === null ? null : (JSON.parse(text) as StoredSession);
      } catch {
        return null;
      }
    },
    async save(session) {
      if (session) storage.setItem(key, JSON.stringify(session));
      else storage.removeItem(key);
    },
    subscribe(listener) {
      // The browser tells the other tabs alone; a null key is a storage that was cleared.
      const onStorage = (event: StorageEvent) => {
        if (event.storageArea === storage && (event.key === key || event.key === null)) listener();
      };
      addEventListener('storage', onStorage);
      return () => removeEventListener('storage', onStorage);
    },
  };
}
