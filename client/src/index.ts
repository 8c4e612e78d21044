export { createParley } from './parley.ts';
export type { Parley, ParleyOptions } from './parley.ts';
export type { Readable } from './readable.ts';
export type { ConnectionState } from './connection.ts';
export type { Session, SessionState } from './session.ts';
export type { Follow, FollowState } from './follow.ts';
export type { ChatFollow } from './follows.ts';
export type { Outbox } from './outbox.ts';
export { indexedDbOutboxStore, memoryOutboxStore } from './outbox-store.ts';
export type { Draft, OutboxEntry, OutboxStore } from './outbox-store.ts';
export { memoryTokenStore, webTokenStore } from './token-store.ts';
export type { StoredSession, TokenStore } from './token-store.ts';
export { browserSignals } from './signals.ts';
export type { CapacitorPlugins, PlatformSignals } from './signals.ts';
export { documentText } from './document-text.ts';
export { ParleyError, toParleyError } from './errors.ts';
export { toTimeline } from './timeline.ts';
export type { TimelineItem } from './timeline.ts';
export type { Tuning } from './tuning.ts';
export {
  AddMembersDocument,
  ChangePasswordDocument,
  ChangeRoleDocument,
  ChatDocument,
  ChatHistoryDocument,
  ChatsDocument,
  CreateChatDocument,
  DeleteAccountDocument,
  DeleteAccountWithProviderDocument,
  DeleteChatDocument,
  DeleteMessageDocument,
  EditMessageDocument,
  LeaveChatDocument,
  LinkProviderDocument,
  RemoveMemberDocument,
  RevokeSessionsDocument,
  SearchUsersDocument,
  SessionsDocument,
  UpdateChatDocument,
  UpdateProfileDocument,
  UserDocument,
  ViewerDocument,
} from './generated/graphql.ts';
export type {
  ChatFieldsFragment as ChatFields,
  ChatKind,
  ChatMemberFieldsFragment as ChatMemberFields,
  ChatRole,
  CreateChatInput,
  EditMessageInput,
  LinkProviderInput,
  LoginInput,
  MessageFieldsFragment as MessageFields,
  MessageType,
  RegisterInput,
  SessionFieldsFragment as SessionFields,
  UpdateChatInput,
  UpdateProfileInput,
  UserFieldsFragment as UserFields,
} from './generated/graphql.ts';
