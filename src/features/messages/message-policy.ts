import type { Viewer } from '../../auth/viewer.ts';
import { ConflictError, ForbiddenError } from '../../errors.ts';
import type { ChatRole } from '../../generated/prisma/client.ts';
import type { MessageRow } from './message-store.ts';

/** What was said is changed by who said it alone. */
export function assertCanEdit(viewer: Viewer, message: MessageRow): void {
  if (message.authorId !== viewer.userId) throw new ForbiddenError('Only its author may edit a message.');
  if (message.deletedAt !== null) throw new ConflictError('The message was deleted.');
}

/** Its author, and whoever keeps order in a group. */
export function assertCanDelete(viewer: Viewer, role: ChatRole, message: MessageRow): void {
  if (message.authorId !== viewer.userId && role === 'MEMBER')
    throw new ForbiddenError('Only its author, an admin or an owner may delete a message.');
}
