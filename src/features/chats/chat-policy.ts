import { ConflictError, ForbiddenError } from '../../errors.ts';
import type { ChatKind, ChatRole } from '../../generated/prisma/client.ts';

const RANK: Record<ChatRole, number> = { MEMBER: 0, ADMIN: 1, OWNER: 2 };

function assertGroup(kind: ChatKind): void {
  if (kind !== 'GROUP') throw new ForbiddenError('A direct chat belongs to its two people, and stays as it is.');
}

/** Admins and owners name a group. */
export function assertCanRename(kind: ChatKind, role: ChatRole): void {
  assertGroup(kind);
  if (RANK[role] < RANK.ADMIN) throw new ForbiddenError('Only admins and owners may change the group.');
}

/** Admins and owners let people in. */
export function assertCanAddMembers(kind: ChatKind, role: ChatRole): void {
  assertGroup(kind);
  if (RANK[role] < RANK.ADMIN) throw new ForbiddenError('Only admins and owners may add members.');
}

/** Owners remove anybody else; admins remove plain members. */
export function assertCanRemoveMember(kind: ChatKind, role: ChatRole, target: ChatRole): void {
  assertGroup(kind);
  if (role === 'OWNER') return;
  if (role === 'MEMBER' || RANK[target] >= RANK.ADMIN)
    throw new ForbiddenError('Admins may remove members, and owners anybody.');
}

/** Owners alone decide who is owner, admin or member. */
export function assertCanChangeRoles(kind: ChatKind, role: ChatRole): void {
  assertGroup(kind);
  if (role !== 'OWNER') throw new ForbiddenError('Only owners may change roles.');
}

export function assertCanDelete(kind: ChatKind, role: ChatRole): void {
  assertGroup(kind);
  if (role !== 'OWNER') throw new ForbiddenError('Only owners may delete the group.');
}

/** A group is never without an owner: the last one hands over or deletes it. */
export function assertCanLeave(kind: ChatKind, role: ChatRole, owners: number): void {
  assertGroup(kind);
  if (role === 'OWNER' && owners === 1)
    throw new ConflictError('The last owner cannot leave: make somebody else an owner, or delete the group.');
}

export function assertOwnerRemains(from: ChatRole, to: ChatRole, owners: number): void {
  if (from === 'OWNER' && to !== 'OWNER' && owners === 1)
    throw new ConflictError('A group needs an owner: make somebody else one first.');
}
