import { NotFoundError } from '../../errors.ts';
import { builder } from '../../graphql/builder.ts';
import { followLive, requireViewer } from '../../graphql/context.ts';
import { COALESCED } from '../../graphql/mutation-turns.ts';
import { readPageRequest, stringCursors, toConnection } from '../../graphql/pagination.ts';
import { timesSelected } from '../../graphql/selection.ts';
import { Chat } from '../chats/chat-schema.ts';
import { User } from '../users/user-schema.ts';
import type { MessageView } from './message-store.ts';
import { isReadByOthers } from './read-state.ts';

const MessageType = builder.enumType('MessageType', {
  description: 'What a message carries beside its text.',
  values: {
    TEXT: { description: 'Text alone.' },
    LOCATION: { description: 'A place; coordinates in `extraData`.' },
    PHOTO: { description: 'A picture; its address and size in `extraData`.' },
  } as const,
});

const messageCursors = stringCursors<number>('message', String, (text) =>
  /^\d{1,9}$/.test(text) ? Number(text) : null,
);

// Not a prismaObject: pages are read along with their authors.
export const Message = builder.objectRef<MessageView>('Message').implement({
  description: 'Something said in a chat.',
  fields: (t) => ({
    id: t.exposeID('id', { description: 'UUID, for ever the same.' }),
    chat: t.field({
      type: Chat,
      description: 'Where it was said.',
      async resolve(message, _args, { loaders }) {
        const chat = await loaders.chat.load(message.chatId);
        if (!chat) throw new NotFoundError();
        return chat;
      },
    }),
    seq: t.exposeInt('seq', {
      description: `The position within its chat: 1, 2, 3 … with no gap and no repeat. The order of seq is the order of
the chat, everywhere.`,
    }),
    author: t.field({
      type: User,
      nullable: true,
      description: 'Null once the author’s account is gone, which no update of its own tells.',
      resolve({ authorId, author }, _args, { loaders }) {
        if (author !== undefined) return author;
        return authorId === null ? null : loaders.user.load(authorId);
      },
    }),
    type: t.expose('type', { type: MessageType, description: 'What it carries.' }),
    body: t.exposeString('body', { description: 'Up to 8,000 characters. Empty once the message is deleted.' }),
    extraData: t.expose('extraData', {
      type: 'JSON',
      nullable: true,
      description: 'What the client attached: coordinates, a photo’s address and size, …',
    }),
    clientId: t.exposeString('clientId', {
      nullable: true,
      description: 'The id that the sender chose, so that a repeated send is one message.',
    }),
    isRead: t.boolean({
      description: 'Every other current member has read it, and there is one.',
      resolve: async (message, _args, { loaders }) =>
        isReadByOthers(message, await loaders.readFloors.load(message.chatId)),
    }),
    revision: t.exposeInt('revision', {
      nullable: true,
      description: 'The chat’s revision when the message last changed after it was sent; null: never.',
    }),
    cursor: t.string({
      description: 'Its place in history, for `after` and `before` of `Chat.messages`, wherever the message came from.',
      resolve: (message) => messageCursors.encode(message.seq),
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was sent; never falls as seq rises.' }),
    editedAt: t.expose('editedAt', { type: 'DateTime', nullable: true, description: 'When it was last edited.' }),
    deletedAt: t.expose('deletedAt', { type: 'DateTime', nullable: true, description: 'When it was deleted.' }),
  }),
});

const MessageConnection = builder.connectionObject(
  { type: Message, name: 'MessageConnection', description: 'A page of messages.' },
  { name: 'MessageEdge', description: 'One message of a page.' },
);

builder.objectFields(Chat, (t) => ({
  messages: t.field({
    type: MessageConnection,
    description: 'History, oldest first. Without paging arguments: the newest page.',
    args: {
      first: t.arg.int({ description: 'How many from the start, 1 to 100.' }),
      after: t.arg.string({ description: 'The cursor behind which the page begins.' }),
      last: t.arg.int({ description: 'How many from the end, 1 to 100.' }),
      before: t.arg.string({ description: 'The cursor before which the page ends.' }),
    },
    async resolve(chat, args, { loaders }, info) {
      const request = readPageRequest(args, messageCursors, 'backward');
      const page = await loaders.messages(chat.id, request, {
        body: timesSelected(info, 'edges.node.body'),
        extraData: timesSelected(info, 'edges.node.extraData'),
      });
      return toConnection(page, (message) => message.seq, messageCursors);
    },
  }),
  lastMessage: t.field({
    type: Message,
    nullable: true,
    description: 'The newest one; null while nobody has written.',
    resolve: (chat, _args, { loaders }, info) =>
      loaders.lastMessage(chat.id, {
        body: timesSelected(info, 'body'),
        extraData: timesSelected(info, 'extraData'),
      }),
  }),
}));

builder.queryField('message', (t) =>
  t.field({
    type: Message,
    nullable: true,
    description: 'Null when there is no such message or the viewer is not a member of its chat: the two look alike.',
    args: { id: t.arg.id({ required: true, description: 'The message’s id.' }) },
    resolve(_root, { id }, context) {
      const viewer = requireViewer(context);
      return context.loaders.run((cancellation) => context.services.messages.find(viewer, id, cancellation));
    },
  }),
);

const SendMessageInput = builder.inputType('SendMessageInput', {
  description: 'A new message.',
  fields: (t) => ({
    chatId: t.id({ required: true, description: 'Where.' }),
    body: t.string({ required: true, description: 'Up to 8,000 characters, not blank.' }),
    type: t.field({ type: MessageType, defaultValue: 'TEXT', description: 'What it carries.' }),
    extraData: t.field({
      type: 'JSON',
      description: 'Up to 8 KiB of JSON, with numbers in full, 8 levels deep, of 500 objects and lists.',
    }),
    clientId: t.string({
      description: `Chosen by the client, up to 128 characters, unique per author and chat. Sending the same clientId
again answers the message that stands, and publishes nothing.`,
    }),
  }),
});

const EditMessageInput = builder.inputType('EditMessageInput', {
  description: 'What becomes of a message.',
  fields: (t) => ({
    messageId: t.id({ required: true, description: 'Which.' }),
    body: t.string({ required: true, description: 'Its new text, up to 8,000 characters, not blank.' }),
    extraData: t.field({ type: 'JSON', description: 'Left out: as it was. Null: taken away.' }),
  }),
});

builder.mutationFields((t) => ({
  sendMessage: t.field({
    type: Message,
    description: 'Once this answers, the message is kept.',
    extensions: COALESCED,
    args: { input: t.arg({ type: SendMessageInput, required: true, description: 'The message.' }) },
    resolve: (_root, { input }, context) => context.services.messages.send(requireViewer(context), input),
  }),
  editMessage: t.field({
    type: Message,
    description: 'Changes a message of the viewer’s own.',
    args: { input: t.arg({ type: EditMessageInput, required: true, description: 'The change.' }) },
    resolve: (_root, { input }, context) => context.services.messages.edit(requireViewer(context), input),
  }),
  deleteMessage: t.field({
    type: Message,
    description: `Leaves a tombstone: the seq stays taken, the content is gone. For its author, and for a group’s admins
and owners.`,
    args: { messageId: t.arg.id({ required: true, description: 'Which.' }) },
    resolve: (_root, { messageId }, context) => context.services.messages.delete(requireViewer(context), messageId),
  }),
  markRead: t.field({
    type: Chat,
    description: 'Moves the viewer’s lastReadSeq forward, never back, and no further than the newest message.',
    args: {
      chatId: t.arg.id({ required: true, description: 'Where.' }),
      seq: t.arg.int({ required: true, description: 'The highest seq that was read.' }),
    },
    resolve: (_root, { chatId, seq }, context) =>
      context.services.messages.markRead(requireViewer(context), chatId, seq),
  }),
}));

builder.subscriptionFields((t) => ({
  messageAdded: t.field({
    type: Message,
    description: `Every message of the chat, in the order of seq, each exactly once. With afterSeq: first everything
after that seq, then what follows, with no gap between the two. Without it: what comes from now on.`,
    args: {
      chatId: t.arg.id({ required: true, description: 'Where.' }),
      afterSeq: t.arg.int({ description: 'The seq of the last message that the client has; 0: it has none.' }),
    },
    subscribe: (_root, { chatId, afterSeq }, context) =>
      followLive(context, 'messageAdded', (viewer) =>
        context.services.messages.followAdded(viewer, chatId, afterSeq ?? null, context.share),
      ),
    resolve: (message) => message,
  }),
  messageUpdated: t.field({
    type: Message,
    description: `A message was edited, deleted or read. With afterRevision: first everything that changed after it, as
it is now, then what follows.`,
    args: {
      chatId: t.arg.id({ required: true, description: 'Where.' }),
      afterRevision: t.arg.int({
        description: 'The highest `Message.revision` seen, or the `Chat.revision` read before history was.',
      }),
    },
    subscribe: (_root, { chatId, afterRevision }, context) =>
      followLive(context, 'messageUpdated', (viewer) =>
        context.services.messages.followUpdated(viewer, chatId, afterRevision ?? null, context.share),
      ),
    resolve: (message) => message,
  }),
}));
