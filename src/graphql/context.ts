import type { Asker, Loaders } from '../features/loaders.ts';
import type { Services } from '../features/services.ts';
import type { PrismaClient } from '../generated/prisma/client.ts';
import type { Client } from '../auth/client.ts';
import type { Viewer } from '../auth/viewer.ts';
import { TimeoutError, UnauthenticatedError } from '../errors.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { Deadline } from './deadline.ts';
import type { LiveCursor } from '../realtime/live-cursor.ts';
import type { Outlet, Share } from '../realtime/lane.ts';

/** What keeps a subscription going, and what ends it: the signal's reason is the error that the subscriber is given. */
export interface Line {
  signal: AbortSignal;
  release: () => void;
}

/** What every resolver is given, whatever the transport. */
export interface Context {
  /** Null: nobody is signed in. */
  viewer: Viewer | null;
  /** Who may see their own private fields in this answer: the viewer, and whoever signs in by it. */
  selves: string[];
  requestId: string;
  client: Client;
  /** Until when the operation is waited for, where it is no subscription. */
  deadline: Deadline;
  services: Services;
  /** Batch what everybody's operations ask for; keep nothing. */
  loaders: Loaders;
  /** For the builder alone. */
  prisma: PrismaClient;
  /** The line of a new subscription. */
  openLine: (viewer: Viewer) => Line;
  /** In place of `loaders`, for each event of a subscription: they do not give up. Without an asker: for many. */
  liveLoaders: (asker?: Asker) => Loaders;
  metrics: Metrics;
  /** Absent: the transport has no way to hand anybody what was made for many. */
  outlet?: Outlet;
  /** What the subscription has in common with others, once it is known. */
  share?: Share<unknown>;
}

/** What of a context is the same for all. */
const IMPERSONAL: readonly PropertyKey[] = ['services', 'loaders', 'liveLoaders', 'prisma'] satisfies Array<
  keyof Context
>;

/** From now on nothing can be read or done by this context: what is still to be resolved throws a TimeoutError. */
export function closeContext(context: Context): void {
  const refuse = (): never => {
    throw new TimeoutError();
  };
  for (const key of IMPERSONAL) Object.defineProperty(context, key, { get: refuse });
}

/**
 * The context of one answer that many are given: whatever depends on who asks cannot be had from it. Each attempt
 * throws, and `onPersonal` is told, since a resolver may catch what it throws.
 */
export function createSharedContext(
  { services, liveLoaders, prisma }: Pick<Context, 'services' | 'liveLoaders' | 'prisma'>,
  onPersonal: () => void,
): Context {
  const refuse = (): never => {
    onPersonal();
    throw new Error('What depends on the viewer was read for an answer that is shared: its field is not marked');
  };
  return new Proxy({ services, loaders: liveLoaders(), liveLoaders, prisma } as Context, {
    get: (common, key) => (IMPERSONAL.includes(key) ? Reflect.get(common, key) : refuse()),
    set: refuse,
    has: refuse,
    ownKeys: refuse,
  });
}

/** The mark of a field that reads `viewer` or `selves`: an answer that holds one is for nobody else. */
export const VIEWER_DEPENDENT = { viewerDependent: true } as const;

/** @throws UnauthenticatedError when nobody is signed in. */
export function requireViewer(context: Context): Viewer {
  if (!context.viewer) throw new UnauthenticatedError();
  return context.viewer;
}

/** Opens a subscription for a signed-in viewer; it ends when the viewer's authority does. @param field as the schema calls it. */
export async function followLive<Item>(
  context: Context,
  field: string,
  open: (viewer: Viewer) => Promise<LiveCursor<Item>>,
): Promise<LiveCursor<Item>> {
  const viewer = requireViewer(context);
  const line = context.openLine(viewer);
  try {
    const cursor = await context.loaders.inTurn(() => open(viewer));
    const { metrics, deadline } = context;
    const asker = { person: viewer.userId, sessionId: viewer.sessionId, cancellation: deadline };
    metrics.subscriptionOpened(field);
    return cursor.holdOn({
      signal: line.signal,
      // On the context that the events are executed with: the pipeline copies the one that it is given.
      onAsked: () => (context.loaders = context.liveLoaders(asker)),
      release() {
        metrics.subscriptionClosed(field);
        line.release();
      },
    });
  } catch (error) {
    line.release();
    throw error;
  }
}
