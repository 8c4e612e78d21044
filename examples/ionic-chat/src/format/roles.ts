import type { ChatRole } from '@parley/client';

export const ROLE_NAMES: Record<ChatRole, string> = { OWNER: 'Owner', ADMIN: 'Admin', MEMBER: 'Member' };

/** Owners say who is what. */
export const mayChangeRoles = (viewer: ChatRole): boolean => viewer === 'OWNER';

/** Owners remove anybody, admins members. */
export const mayRemove = (viewer: ChatRole, member: ChatRole): boolean =>
  viewer === 'OWNER' || (viewer === 'ADMIN' && member === 'MEMBER');

/** Name the group, add people. */
export const mayManage = (viewer: ChatRole): boolean => viewer !== 'MEMBER';
