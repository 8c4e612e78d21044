import { limitedByAddress } from '../../graphql/address-limits.ts';
import { builder } from '../../graphql/builder.ts';
import { requireViewer, VIEWER_DEPENDENT } from '../../graphql/context.ts';
import { OF_SESSION } from '../../graphql/mutation-turns.ts';
import { User } from '../users/user-schema.ts';
import type { SignedIn } from './session-service.ts';

export const AuthPayload = builder.objectRef<SignedIn>('AuthPayload').implement({
  description: `What register, login and refresh hand out. The access token is a JWT sent as
\`Authorization: Bearer …\` over HTTP and as \`{ authorization: "Bearer …" }\` in the connection parameters of a
WebSocket. Each refresh token works once.`,
  fields: (t) => ({
    accessToken: t.exposeString('accessToken', { description: 'Opens the API until it expires.' }),
    accessTokenExpiresAt: t.expose('accessTokenExpiresAt', {
      type: 'DateTime',
      description: 'From then on, refresh.',
    }),
    refreshToken: t.exposeString('refreshToken', {
      description: 'For `refresh`, once. Keep it where the platform keeps secrets.',
    }),
    refreshTokenExpiresAt: t.expose('refreshTokenExpiresAt', {
      type: 'DateTime',
      description: 'The end of the session, however often it is refreshed.',
    }),
    user: t.field({
      extensions: VIEWER_DEPENDENT,
      type: User,
      description: 'Who signed in.',
      resolve(payload, _args, { selves }) {
        selves.push(payload.user.id);
        return payload.user;
      },
    }),
  }),
});

const Session = builder.prismaObject('Session', {
  description: 'One signed-in device.',
  fields: (t) => ({
    id: t.exposeID('id', { description: 'For `revokeSessions`.' }),
    deviceName: t.exposeString('deviceName', {
      nullable: true,
      description: 'What the client called itself when it signed in, or its User-Agent.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it signed in.' }),
    lastUsedAt: t.expose('lastUsedAt', { type: 'DateTime', description: 'When it last had its tokens renewed.' }),
    isCurrent: t.boolean({
      extensions: VIEWER_DEPENDENT,
      description: 'The session that asks.',
      resolve: (session, _args, { viewer }) => viewer?.sessionId === session.id,
    }),
  }),
});

builder.queryFields((t) => ({
  sessions: t.field({
    type: [Session],
    description: 'Signed-in devices of the viewer, the last used first: 200 at most.',
    resolve(_root, _args, context) {
      const viewer = requireViewer(context);
      return context.loaders.run((cancellation) => context.services.sessions.list(viewer, cancellation));
    },
  }),
  verifyToken: t.boolean({
    description: 'Whether an access or refresh token is valid now. Needs no sign-in.',
    args: { token: t.arg.string({ required: true, description: 'The token.' }) },
    resolve: (_root, { token }, { services, loaders }) =>
      loaders.run((cancellation) => services.sessions.verifyToken(token, cancellation)),
  }),
}));

const RegisterInput = builder.inputType('RegisterInput', {
  description: 'A new account.',
  fields: (t) => ({
    email: t.string({ required: true, description: 'What to sign in with; upper and lower case are the same.' }),
    password: t.string({ required: true, description: '8 to 128 characters, not a well-known one.' }),
    firstName: t.string({ required: true, description: 'Up to 60 characters, not blank.' }),
    lastName: t.string({ required: true, description: 'Up to 60 characters, not blank.' }),
    deviceName: t.string({ description: 'What the device is called in the list of sessions.' }),
  }),
});

const LoginInput = builder.inputType('LoginInput', {
  description: 'Who signs in.',
  fields: (t) => ({
    email: t.string({ required: true, description: 'As registered; upper and lower case are the same.' }),
    password: t.string({ required: true, description: 'As registered.' }),
    deviceName: t.string({ description: 'What the device is called in the list of sessions.' }),
  }),
});

builder.mutationFields((t) => ({
  register: t.field({
    extensions: limitedByAddress('register'),
    type: AuthPayload,
    description: 'Makes an account and signs in.',
    args: { input: t.arg({ type: RegisterInput, required: true, description: 'The account.' }) },
    resolve: (_root, { input }, { services, client }) => services.sessions.register(input, client),
  }),
  login: t.field({
    extensions: limitedByAddress('login'),
    type: AuthPayload,
    description: 'Signs in: a new session.',
    args: { input: t.arg({ type: LoginInput, required: true, description: 'E-mail and password.' }) },
    resolve: (_root, { input }, { services, client }) => services.sessions.login(input, client),
  }),
  refresh: t.field({
    extensions: limitedByAddress('refresh'),
    type: AuthPayload,
    description: `Trades a refresh token for new tokens. Asked again with the same token, it answers the same refresh
token, until that one or its access token is used; after that, the old token ends the session.`,
    args: { refreshToken: t.arg.string({ required: true, description: 'The newest one that the client has.' }) },
    resolve: (_root, { refreshToken }, { services }) => services.sessions.refresh(refreshToken),
  }),
  logout: t.boolean({
    extensions: OF_SESSION,
    description: 'Ends the viewer’s session: its refresh token dies and its live connections close.',
    async resolve(_root, _args, context) {
      await context.services.sessions.logout(requireViewer(context));
      return true;
    },
  }),
  revokeSessions: t.int({
    extensions: OF_SESSION,
    description: 'Ends one of the viewer’s sessions, or all of them but this one when no id is given; says how many.',
    args: { id: t.arg.id({ description: 'The session to end.' }) },
    resolve: (_root, { id }, context) => context.services.sessions.revoke(requireViewer(context), id ?? null),
  }),
  changePassword: t.boolean({
    extensions: OF_SESSION,
    description: `Every other session ends, and the identities of the identity provider are unlinked: whoever had the old
password may have linked one of their own.`,
    args: {
      currentPassword: t.arg.string({ required: true, description: 'The one that counts now.' }),
      newPassword: t.arg.string({ required: true, description: '8 to 128 characters, not a well-known one.' }),
      keepIdentities: t.arg.boolean({ defaultValue: false, description: 'Linked identities stay.' }),
    },
    async resolve(_root, { currentPassword, newPassword, keepIdentities }, context) {
      const { sessions } = context.services;
      await sessions.changePassword(requireViewer(context), currentPassword, newPassword, keepIdentities ?? false);
      return true;
    },
  }),
}));
