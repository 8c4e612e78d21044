import DataLoader from 'dataloader';
import type { AccessTokens } from '../../auth/access-tokens.ts';
import type { Viewer } from '../../auth/viewer.ts';
import { UnauthenticatedError } from '../../errors.ts';
import type { SessionState, SessionStore } from './session-store.ts';

/** How long a node may go on believing that a session lives: half of what promise 5 allows. */
const BELIEF_MS = 1_000;

export interface LiveSessions {
  /** Null when the session has ended. At most a second old. */
  find(sessionId: string): Promise<SessionState | null>;
  /**
   * The viewer that an access token stands for.
   *
   * @throws UnauthenticatedError for a token that does not count, or whose session has ended.
   */
  authenticate(token: string): Promise<Viewer>;
  /** Which of the sessions still live, read now. */
  filterLive(sessionIds: readonly string[]): Promise<Set<string>>;
  /** To be called after the end of sessions was committed here. */
  ended(sessionIds: readonly string[]): void;
  onEnded(listener: (sessionIds: readonly string[]) => void): void;
}

/** Which sessions live, asked of the database once a second for each that is in use, all askers of a tick together. */
export function createLiveSessions(store: SessionStore, accessTokens: AccessTokens): LiveSessions {
  const believed = new Map<string, { state: SessionState; until: number }>();
  /** Under way, by session and generation: of all who come with a new token at once, one writes. */
  const confirming = new Map<string, Promise<void>>();
  const listeners: Array<(sessionIds: readonly string[]) => void> = [];

  const loader = new DataLoader<string, SessionState | null>(
    async (ids) => {
      const found = new Map((await store.findLiveStates([...new Set(ids)])).map((state) => [state.id, state]));
      return ids.map((id) => found.get(id) ?? null);
    },
    { cache: false, maxBatchSize: 1_000 },
  );

  function recall(sessionId: string): SessionState | null {
    const belief = believed.get(sessionId);
    return belief && belief.until > performance.now() ? belief.state : null;
  }

  async function ask(sessionId: string): Promise<SessionState | null> {
    const now = performance.now();
    const state = await loader.load(sessionId);
    if (state) remember(state, now);
    else believed.delete(sessionId);
    return state;
  }

  /** Insertion order is age: the stale ones are at the front. */
  function remember(state: SessionState, askedAt: number) {
    believed.delete(state.id);
    believed.set(state.id, { state, until: askedAt + BELIEF_MS });
    for (const [id, belief] of believed) {
      if (belief.until > askedAt) break;
      believed.delete(id);
    }
  }

  /** The access token has been seen: its generation of tokens arrived, and those before it are over. */
  async function confirm(session: SessionState, generation: number): Promise<void> {
    const key = `${session.id} ${generation}`;
    let confirmation = confirming.get(key);
    if (!confirmation) {
      confirmation = store.confirm(session.id, generation).finally(() => confirming.delete(key));
      confirming.set(key, confirmation);
    }
    await confirmation;
    session.confirmedGeneration = Math.max(session.confirmedGeneration, generation);
  }

  return {
    find: async (sessionId) => recall(sessionId) ?? ask(sessionId),

    async authenticate(token) {
      // Mostly all is known, and there is nothing to wait for.
      const claims = accessTokens.recall(token) ?? (await accessTokens.verify(token));
      const session = recall(claims.sessionId) ?? (await ask(claims.sessionId));
      if (!session || session.userId !== claims.userId) throw new UnauthenticatedError('SESSION_REVOKED');
      if (session.confirmedGeneration < claims.generation) await confirm(session, claims.generation);
      return { userId: claims.userId, sessionId: claims.sessionId, expiresAt: claims.expiresAt };
    },

    async filterLive(sessionIds) {
      return new Set((await store.findLiveStates(sessionIds)).map((state) => state.id));
    },

    ended(sessionIds) {
      for (const id of sessionIds) believed.delete(id);
      if (sessionIds.length > 0) for (const listener of listeners) listener(sessionIds);
    },

    onEnded: (listener) => void listeners.push(listener),
  };
}
