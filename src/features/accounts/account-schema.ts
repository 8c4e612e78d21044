import { builder } from '../../graphql/builder.ts';
import { requireViewer } from '../../graphql/context.ts';
import { OF_SESSION } from '../../graphql/mutation-turns.ts';

builder.mutationFields((t) => ({
  deleteAccount: t.boolean({
    extensions: OF_SESSION,
    description: `Removes the account. Messages stay, without an author. A group that it alone owned goes to the
longest-standing admin or member.`,
    args: { password: t.arg.string({ required: true, description: 'The viewer’s password, to be sure.' }) },
    async resolve(_root, { password }, context) {
      await context.services.accounts.delete(requireViewer(context), password);
      return true;
    },
  }),
  deleteAccountWithProvider: t.boolean({
    extensions: OF_SESSION,
    description: 'The same, for somebody who signs in by an identity provider and may have no password.',
    args: {
      idToken: t.arg.string({
        required: true,
        description: 'An ID token of the provider for the viewer, issued within the last 5 minutes, to be sure.',
      }),
    },
    async resolve(_root, { idToken }, context) {
      await context.services.accounts.deleteWithProvider(requireViewer(context), idToken);
      return true;
    },
  }),
}));
