import { limitedByAddress } from '../../graphql/address-limits.ts';
import { builder } from '../../graphql/builder.ts';
import { requireViewer } from '../../graphql/context.ts';
import { OF_SESSION } from '../../graphql/mutation-turns.ts';
import type { LinkedIdentity } from '../users/user-store.ts';
import { AuthPayload } from './session-schema.ts';

const LinkedIdentity = builder.objectRef<LinkedIdentity>('LinkedIdentity').implement({
  description: 'An account at an identity provider that opens this one.',
  fields: (t) => ({
    issuer: t.exposeString('issuer', { description: 'The provider, as its tokens name it in `iss`.' }),
    linkedAt: t.expose('linkedAt', { type: 'DateTime', description: 'Since when.' }),
  }),
});

builder.queryField('identities', (t) =>
  t.field({
    type: [LinkedIdentity],
    description: 'What opens the viewer’s account beside the password, the oldest first.',
    resolve(_root, _args, context) {
      const { userId } = requireViewer(context);
      return context.loaders.run((cancellation) => context.services.users.listIdentities(userId, cancellation));
    },
  }),
);

const LoginWithProviderInput = builder.inputType('LoginWithProviderInput', {
  description: 'Who signed in at the identity provider of this server.',
  fields: (t) => ({
    idToken: t.string({ required: true, description: 'The ID token of OpenID Connect, as the provider issued it.' }),
    deviceName: t.string({ description: 'What the device is called in the list of sessions.' }),
    separate: t.boolean({
      description: `True: the account that the first time makes has no e-mail where another account has it. Whoever
registered an address first does not keep its owner out.`,
    }),
  }),
});

const LinkProviderInput = builder.inputType('LinkProviderInput', {
  description: 'Whom the viewer is to the identity provider.',
  fields: (t) => ({
    idToken: t.string({
      required: true,
      description: 'An ID token of OpenID Connect, issued within the last 5 minutes, to be sure.',
    }),
    password: t.string({ required: true, description: 'The viewer’s password, to be sure.' }),
  }),
});

builder.mutationFields((t) => ({
  loginWithProvider: t.field({
    extensions: limitedByAddress('login'),
    type: AuthPayload,
    description: `Signs in with an identity provider’s token: a new session, and at the first time a new account. An
account that has the same e-mail already is not taken over: CONFLICT, unless a separate one is asked for.`,
    args: { input: t.arg({ type: LoginWithProviderInput, required: true, description: 'The provider’s token.' }) },
    resolve: (_root, { input }, { services, client }) => services.providers.login(input, client),
  }),
  linkProvider: t.boolean({
    description: `From now on the viewer signs in with an identity provider’s token as well as by password. One of a provider’s
accounts at most.`,
    args: { input: t.arg({ type: LinkProviderInput, required: true, description: 'The token and the password.' }) },
    async resolve(_root, { input }, context) {
      await context.services.providers.link(requireViewer(context), input);
      return true;
    },
  }),
  unlinkProvider: t.boolean({
    extensions: OF_SESSION,
    description: 'From now on the viewer signs in by password alone. Sessions stay: `revokeSessions` ends them.',
    args: { password: t.arg.string({ required: true, description: 'The viewer’s password, to be sure.' }) },
    async resolve(_root, { password }, context) {
      await context.services.providers.unlink(requireViewer(context), password);
      return true;
    },
  }),
}));
