import type { Loaders } from '../features/loaders.ts';
import type { Services } from '../features/services.ts';
import type { PrismaClient } from '../generated/prisma/client.ts';
import type { Viewer } from '../auth/viewer.ts';
import { UnauthenticatedError } from '../errors.ts';
import type { LiveCursor } from '../realtime/live-cursor.ts';

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
  selves: Set<string>;
  requestId: string;
  /** The client's name for itself, for the list of sessions. */
  userAgent: string | null;
  services: Services;
  /** Batch what one operation asks for; keep nothing. */
  loaders: Loaders;
  /** For the builder alone. */
  prisma: PrismaClient;
  /** The line of a new subscription. */
  openLine: (viewer: Viewer) => Line;
  /** In place of `loaders`, once the operation is a subscription: its events share their reads with everybody else's. */
  liveLoaders: Loaders;
}

/** @throws UnauthenticatedError when nobody is signed in. */
export function requireViewer(context: Context): Viewer {
  if (!context.viewer) throw new UnauthenticatedError();
  return context.viewer;
}

/** Opens a subscription for a signed-in viewer; it ends when the viewer's authority does. */
export async function followLive<Item>(
  context: Context,
  open: (viewer: Viewer) => Promise<LiveCursor<Item>>,
): Promise<LiveCursor<Item>> {
  const viewer = requireViewer(context);
  const line = context.openLine(viewer);
  try {
    const cursor = await open(viewer);
    // On the context that the events are executed with: the pipeline copies the one that it is given.
    context.loaders = context.liveLoaders;
    return cursor.holdOn(line);
  } catch (error) {
    line.release();
    throw error;
  }
}
