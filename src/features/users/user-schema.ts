import { validate as isUuid } from 'uuid';
import { NotFoundError } from '../../errors.ts';
import { limitedByAddress } from '../../graphql/address-limits.ts';
import { builder } from '../../graphql/builder.ts';
import { requireViewer, VIEWER_DEPENDENT } from '../../graphql/context.ts';
import { readPageRequest, stringCursors, toConnection } from '../../graphql/pagination.ts';
import type { Loaders } from '../loaders.ts';
import type { UserProfile, UserRow } from './user-store.ts';

// Not a prismaObject: others read a person's profile along with what is theirs.
export const User = builder.objectRef<UserProfile>('User').implement({
  description: 'A person with an account.',
  fields: (t) => ({
    id: t.exposeID('id', { description: 'UUID, for ever the same.' }),
    email: t.string({
      extensions: VIEWER_DEPENDENT,
      nullable: true,
      description: 'Visible to the user themself only; null for everybody else.',
      resolve(user, _args, { selves, loaders }) {
        if (!selves.includes(user.id)) return null;
        return user.email === undefined ? readWhole(user, loaders, 'email') : user.email;
      },
    }),
    firstName: t.exposeString('firstName', { description: 'Up to 60 characters.' }),
    lastName: t.exposeString('lastName', { description: 'Up to 60 characters.' }),
    avatarUrl: t.exposeString('avatarUrl', { nullable: true, description: 'Where the picture is; null: none.' }),
    isOnline: t.boolean({
      description: 'A live connection is open on any server, on any device.',
      resolve: async (user, _args, { loaders }) => (await loaders.presence.load(user.id))?.isOnline ?? false,
    }),
    lastSeenAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When the last live connection closed. Null: never seen, or online now.',
      resolve: async (user, _args, { loaders }) => (await loaders.presence.load(user.id))?.lastSeenAt ?? null,
    }),
    createdAt: t.field({
      type: 'DateTime',
      description: 'When the account was made.',
      resolve: (user, _args, { loaders }) => user.createdAt ?? readWhole(user, loaders, 'createdAt'),
    }),
  }),
});

/** For what was not read along. @throws NotFoundError when the account has gone since. */
async function readWhole<Key extends keyof UserRow>({ id }: UserProfile, loaders: Loaders, key: Key) {
  const user = await loaders.user.load(id);
  if (!user) throw new NotFoundError();
  return user[key];
}

const UserConnection = builder.connectionObject(
  { type: User, name: 'UserConnection', description: 'A page of people.' },
  { name: 'UserEdge', description: 'One person of a page.' },
);

const userCursors = stringCursors<string>(
  'user',
  (id) => id,
  (text) => (isUuid(text) ? text : null),
);

builder.queryFields((t) => ({
  me: t.field({
    type: User,
    description: 'The viewer.',
    async resolve(_root, _args, context) {
      const user = await context.loaders.user.load(requireViewer(context).userId);
      if (!user) throw new NotFoundError();
      return user;
    },
  }),
  user: t.field({
    type: User,
    nullable: true,
    description: 'Somebody by id; null when nobody has it.',
    args: { id: t.arg.id({ required: true, description: 'The user’s id.' }) },
    resolve(_root, { id }, context) {
      requireViewer(context);
      return context.loaders.run((cancellation) => context.services.users.find(id, cancellation));
    },
  }),
  users: t.field({
    extensions: limitedByAddress('search'),
    type: UserConnection,
    description: 'Other people whose name begins with every given word, or whose e-mail is exactly this; by name.',
    args: {
      search: t.arg.string({ required: true, description: 'The beginnings of names, or a whole e-mail address.' }),
      first: t.arg.int({ defaultValue: 20, description: 'How many, 1 to 100.' }),
      after: t.arg.string({ description: 'The cursor behind which the page begins.' }),
    },
    async resolve(_root, args, context) {
      const page = readPageRequest(args, userCursors);
      const viewer = requireViewer(context);
      const found = await context.loaders.run((cancellation) =>
        context.services.users.search(viewer, args.search, page, cancellation),
      );
      return toConnection(found, (user) => user.id, userCursors);
    },
  }),
}));

const UpdateProfileInput = builder.inputType('UpdateProfileInput', {
  description: 'What is left out stays as it is.',
  fields: (t) => ({
    firstName: t.string({ description: 'Up to 60 characters, not blank.' }),
    lastName: t.string({ description: 'Up to 60 characters, not blank.' }),
  }),
});

builder.mutationField('updateProfile', (t) =>
  t.field({
    type: User,
    description: 'Changes the viewer’s names.',
    args: { input: t.arg({ type: UpdateProfileInput, required: true, description: 'The new names.' }) },
    resolve: (_root, { input }, context) => context.services.users.rename(requireViewer(context), input),
  }),
);
