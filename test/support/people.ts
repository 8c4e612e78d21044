import { randomBytes } from 'node:crypto';
import { createClient } from './client.ts';
import type { Client } from './client.ts';
import type { Cluster } from './cluster.ts';
import { graphql } from './generated/index.ts';
import type { MessageType, RegisterInput } from './generated/graphql.ts';

/** Somebody who has signed up. The tokens are theirs to replace: clients made before use the new access token. */
export interface Person {
  readonly id: string;
  readonly email: string;
  readonly firstName: string;
  readonly lastName: string;
  password: string;
  accessToken: string;
  refreshToken: string;
  /** Signed in as this person, at one node of the cluster. Default: the first. */
  client(nodeIndex?: number): Client;
}

const Register = graphql(/* GraphQL */ `
  mutation RegisterPerson($input: RegisterInput!) {
    register(input: $input) {
      accessToken
      refreshToken
      user {
        id
        email
        firstName
        lastName
      }
    }
  }
`);

export async function registerPerson(cluster: Cluster, overrides: Partial<RegisterInput> = {}): Promise<Person> {
  const firstName = overrides.firstName ?? 'Ada';
  const input: RegisterInput = {
    email: `person-${randomBytes(6).toString('hex')}@example.test`,
    password: `violet-harbour-${randomBytes(4).toString('hex')}`,
    lastName: 'Lovelace',
    ...overrides,
    firstName,
  };
  const { register } = await createClient(cluster.node(0)).request(Register, { input });
  return toPerson(cluster, { ...input, id: register.user.id }, register);
}

const Login = graphql(/* GraphQL */ `
  mutation LoginPerson($input: LoginInput!) {
    login(input: $input) {
      accessToken
      refreshToken
      user {
        id
        firstName
        lastName
      }
    }
  }
`);

/** Somebody who has signed up elsewhere, such as in a browser, on one more device. */
export async function signInPerson(
  cluster: Cluster,
  { email, password }: { email: string; password: string },
): Promise<Person> {
  const { login } = await createClient(cluster.node(0)).request(Login, { input: { email, password } });
  return toPerson(cluster, { ...login.user, email, password }, login);
}

function toPerson(
  cluster: Cluster,
  who: Pick<Person, 'id' | 'email' | 'firstName' | 'lastName' | 'password'>,
  { accessToken, refreshToken }: Pick<Person, 'accessToken' | 'refreshToken'>,
): Person {
  const { id, email, firstName, lastName, password } = who;
  const person: Person = {
    id,
    email,
    firstName,
    lastName,
    password,
    accessToken,
    refreshToken,
    client: (nodeIndex = 0) => createClient(cluster.node(nodeIndex), { token: () => person.accessToken }),
  };
  return person;
}

const CreateChat = graphql(/* GraphQL */ `
  mutation OpenChat($input: CreateChatInput!) {
    createChat(input: $input) {
      id
      kind
      title
    }
  }
`);

export async function openDirectChat(a: Person, b: Person) {
  const { createChat } = await a.client().request(CreateChat, { input: { memberIds: [b.id], kind: 'DIRECT' } });
  return createChat;
}

export async function openGroup(owner: Person, members: readonly Person[], title = 'The harbour') {
  const memberIds = members.map(({ id }) => id);
  const { createChat } = await owner.client().request(CreateChat, { input: { memberIds, kind: 'GROUP', title } });
  return createChat;
}

export const SendMessage = graphql(/* GraphQL */ `
  mutation Send($input: SendMessageInput!) {
    sendMessage(input: $input) {
      id
      seq
      type
      body
      extraData
      clientId
      createdAt
      author {
        id
      }
    }
  }
`);

export interface SendExtra {
  type?: MessageType;
  extraData?: unknown;
  clientId?: string;
  /** At which node. Default: the first. */
  nodeIndex?: number;
}

export async function send(
  person: Person,
  chat: { id: string },
  body: string,
  { nodeIndex, ...extra }: SendExtra = {},
) {
  const input = { chatId: chat.id, body, ...extra };
  const { sendMessage } = await person.client(nodeIndex).request(SendMessage, { input });
  return sendMessage;
}
