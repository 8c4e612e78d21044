import { readConfig } from '../src/config.ts';
import { createLogger } from '../src/logger.ts';
import { emailOf, fillDatabase, PASSWORD } from './fill.ts';
import { complain } from './complain.ts';
import { PEOPLE } from './seed-story.ts';

const HOW_TO_USE = `
Everybody's password is ${PASSWORD}. Sign in as

${PEOPLE.map((person) => `  ${emailOf(person).padEnd(26)}${person.firstName} ${person.lastName}`).join('\n')}

Amara has the most to read. Start the server, open its /graphql in a browser, and try:

  mutation { login(input: { email: "amara@parley.example", password: "${PASSWORD}" }) { accessToken } }

then, with { "authorization": "Bearer <accessToken>" } under Headers:

  { chats { edges { node { id title unreadCount members { user { firstName } } lastMessage { body } } } } }
  { users(search: "le") { edges { node { firstName lastName } } } }
  subscription { chatUpdated { title unreadCount lastMessage { body } } }
`;

async function main(): Promise<void> {
  const added = await fillDatabase(readConfig(process.env), createLogger('warn'));
  console.log(
    added
      ? `Added ${PEOPLE.length} people, ${added.chats} chats and ${added.messages} messages.`
      : 'The seed is here already: nothing was added.',
  );
  console.log(HOW_TO_USE);
}

main().catch(complain);
