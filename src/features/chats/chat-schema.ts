import { builder } from '../../graphql/builder.ts';
import { followLive, requireViewer, VIEWER_DEPENDENT } from '../../graphql/context.ts';
import { readCursor, readPageRequest, stringCursors, toConnection } from '../../graphql/pagination.ts';
import { fieldsSelected, timesSelected } from '../../graphql/selection.ts';
import { readId } from '../../input-rules.ts';
import { User } from '../users/user-schema.ts';
import type { ActivityKey, ChatRow, MemberRow } from './chat-store.ts';

const ChatKind = builder.enumType('ChatKind', {
  description: 'What kind of conversation.',
  values: {
    DIRECT: { description: 'Between two people. There is at most one for each pair.' },
    GROUP: { description: 'Between up to 1,000 people, who come and go.' },
  } as const,
});

const ChatRole = builder.enumType('ChatRole', {
  description: 'What a member may do beside reading and writing.',
  values: {
    OWNER: { description: 'Everything: roles, removal of anybody, deletion of the group.' },
    ADMIN: { description: 'Names the group, adds people, removes members and messages.' },
    MEMBER: { description: 'Nothing more. Both people of a direct chat are members.' },
  } as const,
});

const ChatMember = builder.objectRef<MemberRow>('ChatMember').implement({
  description: 'Somebody in a chat.',
  fields: (t) => ({
    user: t.expose('user', { type: User, description: 'Who.' }),
    role: t.expose('role', { type: ChatRole, description: 'What they may do.' }),
    joinedAt: t.expose('joinedAt', { type: 'DateTime', description: 'When they came.' }),
    lastReadSeq: t.exposeInt('lastReadSeq', {
      description: `The highest seq that this member has read; 0: none. Who joins later starts at the newest message:
what was said before is history, not unread. Only the member’s own devices are told when it moves; everybody is told of
each message that turns read.`,
    }),
  }),
});

// Not a prismaObject: beside the row's columns there is what its statement knew of the time.
export const Chat = builder.objectRef<ChatRow>('Chat').implement({
  description: 'A conversation of which the viewer is a member.',
  fields: (t) => ({
    id: t.exposeID('id', { description: 'UUID, for ever the same.' }),
    kind: t.expose('kind', { type: ChatKind, description: 'Direct or group.' }),
    title: t.exposeString('title', { nullable: true, description: 'The name of a group; null for a direct chat.' }),
    members: t.field({
      type: [ChatMember],
      description: 'In the order in which they came.',
      resolve: (chat, _args, { loaders }, info) =>
        loaders.members(chat.id, { people: timesSelected(info, 'user'), fields: fieldsSelected(info) }),
    }),
    unreadCount: t.int({
      extensions: VIEWER_DEPENDENT,
      description: 'Messages of other people after the viewer’s lastReadSeq.',
      async resolve(chat, _args, context) {
        const { userId } = requireViewer(context);
        return (await context.loaders.unread.load({ chatId: chat.id, userId }))?.unread ?? 0;
      },
    }),
    revision: t.exposeInt('revision', {
      description: 'Counts the changes that all members see. For `messageUpdated(afterRevision:)`.',
    }),
    changeCursor: t.string({
      description: 'Stands for all that had changed when this was read. Hand the newest one to `chatUpdated(after:)`.',
      resolve: (chat) => changeCursors.encode(chat.horizon),
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was opened.' }),
    updatedAt: t.expose('updatedAt', {
      type: 'DateTime',
      description: 'Moves with every message and every change of the chat.',
    }),
  }),
});

const changeCursors = stringCursors<bigint>('change', String, (text) =>
  /^\d{1,18}$/.test(text) ? BigInt(text) : null,
);

const ChatConnection = builder.connectionObject<typeof Chat, { horizon: bigint }>(
  {
    type: Chat,
    name: 'ChatConnection',
    description: 'A page of chats.',
    fields: (t) => ({
      changeCursor: t.string({
        description: `Stands for all that had changed when the page was read, also where it is empty. For
\`chatUpdated(after:)\`; of several pages, that of the first.`,
        resolve: ({ horizon }) => changeCursors.encode(horizon),
      }),
    }),
  },
  { name: 'ChatEdge', description: 'One chat of a page.' },
);

const chatCursors = stringCursors<ActivityKey>(
  'chat',
  ({ updatedAt, id }) => `${updatedAt.getTime()}:${id}`,
  (text) => {
    const match = /^(\d{1,15}):([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/.exec(text);
    return match && { updatedAt: new Date(Number(match[1])), id: match[2]! };
  },
);

builder.queryFields((t) => ({
  chat: t.field({
    type: Chat,
    nullable: true,
    description: 'Null when there is no such chat or the viewer is not a member: the two look alike.',
    args: { id: t.arg.id({ required: true, description: 'The chat’s id.' }) },
    resolve(_root, { id }, context) {
      const { userId } = requireViewer(context);
      return context.loaders.chatOfMember.load({ chatId: readId('id', id), userId });
    },
  }),
  chats: t.field({
    type: ChatConnection,
    description: 'The viewer’s chats, latest activity first.',
    args: {
      first: t.arg.int({ defaultValue: 20, description: 'How many, 1 to 100.' }),
      after: t.arg.string({ description: 'The cursor behind which the page begins.' }),
    },
    async resolve(_root, args, context) {
      const viewer = requireViewer(context);
      const request = readPageRequest(args, chatCursors);
      const page = await context.loaders.run((cancellation) =>
        context.services.chats.list(viewer, request, cancellation),
      );
      return { ...toConnection(page, ({ updatedAt, id }) => ({ updatedAt, id }), chatCursors), horizon: page.horizon };
    },
  }),
}));

const CreateChatInput = builder.inputType('CreateChatInput', {
  description: 'A new conversation.',
  fields: (t) => ({
    memberIds: t.idList({ required: true, description: 'The other members; the viewer is always one.' }),
    kind: t.field({ type: ChatKind, defaultValue: 'DIRECT', description: 'Direct or group.' }),
    title: t.string({ description: 'Required for a group, refused for a direct chat. Up to 120 characters.' }),
  }),
});

const UpdateChatInput = builder.inputType('UpdateChatInput', {
  description: 'What is left out stays as it is.',
  fields: (t) => ({
    chatId: t.id({ required: true, description: 'The group.' }),
    title: t.string({ description: 'Its new name, up to 120 characters.' }),
  }),
});

const chatIdArg = { required: true, description: 'The chat.' } as const;

builder.mutationFields((t) => ({
  createChat: t.field({
    type: Chat,
    description: 'For a direct chat that stands already, answers that one.',
    args: { input: t.arg({ type: CreateChatInput, required: true, description: 'Who, and what kind.' }) },
    resolve: (_root, { input }, context) => context.services.chats.create(requireViewer(context), input),
  }),
  updateChat: t.field({
    type: Chat,
    description: 'Renames a group. For admins and owners.',
    args: { input: t.arg({ type: UpdateChatInput, required: true, description: 'The change.' }) },
    resolve: (_root, { input }, context) => context.services.chats.rename(requireViewer(context), input),
  }),
  deleteChat: t.boolean({
    description: 'Removes a group for everybody (owner only) with its history.',
    args: { chatId: t.arg.id(chatIdArg) },
    async resolve(_root, { chatId }, context) {
      await context.services.chats.delete(requireViewer(context), chatId);
      return true;
    },
  }),
  addMembers: t.field({
    type: Chat,
    description: 'Adds people to a group. For admins and owners.',
    args: {
      chatId: t.arg.id(chatIdArg),
      userIds: t.arg.idList({ required: true, description: 'People who are not members yet.' }),
    },
    resolve: (_root, { chatId, userIds }, context) =>
      context.services.chats.addMembers(requireViewer(context), chatId, userIds),
  }),
  removeMember: t.field({
    type: Chat,
    description: 'Removes somebody from a group. Owners remove anybody, admins members.',
    args: {
      chatId: t.arg.id(chatIdArg),
      userId: t.arg.id({ required: true, description: 'The member to remove.' }),
    },
    resolve: (_root, { chatId, userId }, context) =>
      context.services.chats.removeMember(requireViewer(context), chatId, userId),
  }),
  changeRole: t.field({
    type: Chat,
    description: 'Makes a member of a group owner, admin or member. Owner only; a group always has an owner.',
    args: {
      chatId: t.arg.id(chatIdArg),
      userId: t.arg.id({ required: true, description: 'The member.' }),
      role: t.arg({ type: ChatRole, required: true, description: 'What they may do from now on.' }),
    },
    resolve: (_root, { chatId, userId, role }, context) =>
      context.services.chats.changeRole(requireViewer(context), chatId, userId, role),
  }),
  leaveChat: t.boolean({
    description: 'Leaves a group. The last owner hands over or deletes it first.',
    args: { chatId: t.arg.id(chatIdArg) },
    async resolve(_root, { chatId }, context) {
      await context.services.chats.leave(requireViewer(context), chatId);
      return true;
    },
  }),
}));

builder.subscriptionField('chatUpdated', (t) =>
  t.field({
    type: Chat,
    description: `One of the viewer’s chats is new, or its members, title, last message or unread count changed. Changes
that come together arrive as one, with the chat as it is by then. With after: first every chat that changed since, and
then what follows.`,
    args: {
      after: t.arg.string({
        description: 'The newest `Chat.changeCursor` that the client has, or that of the list that it read.',
      }),
    },
    subscribe: (_root, { after }, context) =>
      followLive(context, 'chatUpdated', (viewer) =>
        context.services.chats.follow(viewer, readCursor('after', after, changeCursors)),
      ),
    resolve: (chat) => chat,
  }),
);
