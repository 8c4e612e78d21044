import type { LoginInput, RegisterInput, TokensFragment } from './generated/graphql.ts';
import {
  LoginDocument,
  LoginWithProviderDocument,
  LogoutDocument,
  RefreshDocument,
  RegisterDocument,
} from './generated/graphql.ts';
import { ParleyError, toParleyError } from './errors.ts';
import type { Ask } from './http.ts';
import { withLock } from './locks.ts';
import { createValue } from './readable.ts';
import type { Readable } from './readable.ts';
import type { StoredSession, TokenStore } from './token-store.ts';

export type SessionState =
  | { status: 'restoring' }
  /** 'ended': revoked elsewhere, or it ran out. Say so on the sign-in page. */
  | { status: 'signedOut'; reason?: 'ended' }
  | { status: 'signedIn'; userId: string };

/** Who is signed in on this device. What is refused rejects with a ParleyError. */
export interface Session {
  readonly state: Readable<SessionState>;
  register(input: RegisterInput): Promise<void>;
  signIn(input: LoginInput): Promise<void>;
  /**
   * With the ID token that the server's identity provider has just issued to the app. The first time makes an account.
   * CONFLICT: another account has the e-mail. Whose it is signs in and links; who has none asks for a `separate` one.
   */
  loginWithProvider(idToken: string, options?: { separate?: boolean }): Promise<void>;
  /** Tells the server if it can; always signs out here. */
  signOut(): Promise<void>;
}

/** What the links and the socket need of it. */
export interface Credentials {
  /** Null: nobody is signed in. Waits until the store was read. */
  current(): Promise<StoredSession | null>;
  /**
   * New tokens in place of those whose access token the server refused. However many ask at once, in whatever tab, the
   * server is asked once; who comes with a token that was replaced meanwhile waits for nothing.
   *
   * @throws ParleyError UNAUTHENTICATED when the session is over; OFFLINE and the like leave it as it was.
   */
  renew(refused: string): Promise<void>;
}

export interface SessionOptions {
  name: string;
  deviceName: string | undefined;
  tokenStore: TokenStore;
  ask: Ask;
}

/** The server will never take this refresh token again. */
const FINAL = new Set(['INVALID_REFRESH_TOKEN', 'REFRESH_TOKEN_REUSED']);

export function createSession({ name, deviceName, tokenStore, ask }: SessionOptions) {
  const state = createValue<SessionState>({ status: 'restoring' });
  let held: StoredSession | null = null;
  let restoring: Promise<void> | undefined;
  let renewing: Promise<void> | undefined;

  /** Tokens are changed by one at a time: a refresh token whose successor was used ends the session. */
  const exclusively = <T>(work: () => Promise<T>) => withLock(`${name}:session`, work);

  function adopt(next: StoredSession | null, reason?: 'ended') {
    const before = state.get();
    held = next;
    if (!next) {
      if (before.status !== 'signedOut') state.set({ status: 'signedOut', ...(reason && { reason }) });
    } else if (before.status !== 'signedIn' || before.userId !== next.userId)
      state.set({ status: 'signedIn', userId: next.userId });
  }

  function restore(): Promise<void> {
    const load = async () => {
      const stored = await tokenStore.load();
      if (state.get().status === 'restoring') adopt(stored);
    };
    // A store that cannot be read yet, as before a phone's first unlock, is asked again.
    restoring ??= load().catch((error: unknown) => {
      restoring = undefined;
      throw error;
    });
    return restoring;
  }

  async function takeOver(tokens: TokensFragment) {
    const next = toStored(tokens);
    await exclusively(async () => {
      await tokenStore.save(next);
      adopt(next);
    });
  }

  /** Under the lock: what the store holds is the newest that any tab has. */
  async function renewHeld(refused: string): Promise<void> {
    const before = held;
    const stored = await tokenStore.load();
    if (held !== before || before === null) return;
    if (stored?.accessToken !== refused) {
      adopt(stored);
      if (!stored) throw signedOut();
      return;
    }
    try {
      // A reply that was lost is asked for again, with the same token, and is the same.
      const { refresh } = await ask(RefreshDocument, { refreshToken: stored.refreshToken });
      if (held !== before) return;
      const next = toStored(refresh);
      await tokenStore.save(next);
      if (held === before) adopt(next);
    } catch (error) {
      if (!FINAL.has(toParleyError(error).code)) throw error;
      if (held === before) {
        await tokenStore.save(null);
        adopt(null, 'ended');
      }
      throw signedOut();
    }
  }

  const credentials: Credentials = {
    async current() {
      await restore();
      return held;
    },
    async renew(refused) {
      if (held?.accessToken !== refused) return;
      renewing ??= exclusively(() => renewHeld(refused)).finally(() => (renewing = undefined));
      await renewing;
    },
  };

  const session: Session = {
    state,
    async register(input) {
      const { register } = await ask(RegisterDocument, { input: { ...(deviceName && { deviceName }), ...input } });
      await takeOver(register);
    },
    async signIn(input) {
      const { login } = await ask(LoginDocument, { input: { ...(deviceName && { deviceName }), ...input } });
      await takeOver(login);
    },
    async loginWithProvider(idToken, { separate } = {}) {
      const input = { idToken, ...(deviceName && { deviceName }), ...(separate && { separate }) };
      const { loginWithProvider } = await ask(LoginWithProviderDocument, { input });
      await takeOver(loginWithProvider);
    },
    async signOut() {
      await restore();
      const last = held;
      adopt(null);
      await exclusively(async () => {
        await tokenStore.save(null);
        // What another tab had changed meanwhile may have come in before it.
        adopt(null);
      });
      if (last) await tellServer(ask, last);
    },
  };

  return {
    session,
    credentials,
    restore,
    /** Follows what other tabs do. Answers how to stop. */
    watchStore(): () => void {
      const onChange = () =>
        exclusively(async () => {
          const stored = await tokenStore.load();
          if (stored?.accessToken !== held?.accessToken) adopt(stored);
        }).catch(() => {
          // What the store does not tell now is asked again at the next renewal.
        });
      return tokenStore.subscribe?.(() => void onChange()) ?? (() => {});
    },
  };
}

/** The server forgets the device, if it is told; else the session ends when its time is over. */
async function tellServer(ask: Ask, { accessToken, refreshToken }: StoredSession): Promise<void> {
  try {
    await ask(LogoutDocument, {}, accessToken);
  } catch (error) {
    if (toParleyError(error).code !== 'UNAUTHENTICATED') return;
    const renewed = await ask(RefreshDocument, { refreshToken }).catch(() => null);
    if (renewed) await ask(LogoutDocument, {}, renewed.refresh.accessToken).catch(() => null);
  }
}

function toStored({ user, accessToken, refreshToken }: TokensFragment): StoredSession {
  return { userId: user.id, accessToken, refreshToken };
}

export function signedOut(): ParleyError {
  return new ParleyError('UNAUTHENTICATED', 'You are signed out.');
}
