import { builder } from '../../graphql/builder.ts';
import { requireViewer } from '../../graphql/context.ts';

builder.mutationField('deleteAccount', (t) =>
  t.boolean({
    description: `Removes the account. Messages stay, without an author. A group that it alone owned goes to the
longest-standing admin or member.`,
    args: { password: t.arg.string({ required: true, description: 'The viewer’s password, to be sure.' }) },
    async resolve(_root, { password }, context) {
      await context.services.accounts.delete(requireViewer(context), password);
      return true;
    },
  }),
);
