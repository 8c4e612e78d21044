import { randomUUID } from 'node:crypto';
import { EventEmitter } from 'node:events';
import type { AddressInfo } from 'node:net';
import { buildSchema } from 'graphql';
import type { GraphQLFieldResolver, GraphQLSchema } from 'graphql';
import { PubSub } from 'graphql-subscriptions';
import { useServer } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';
import { authorOf, messageOf } from './chat.ts';

/*
 * What the documentation of graphql-ws and graphql-subscriptions puts together: `useServer`, graphql-js, and a PubSub in
 * the process. Nothing is kept, and nobody is asked who they are.
 */

const schema = buildSchema(/* GraphQL */ `
  scalar JSON
  scalar DateTime
  enum MessageType {
    TEXT
    LOCATION
    PHOTO
  }
  type User {
    id: ID!
    firstName: String!
    lastName: String!
  }
  type Message {
    id: ID!
    seq: Int!
    type: MessageType!
    body: String!
    extraData: JSON
    createdAt: DateTime!
    author: User
  }
  input SendMessageInput {
    chatId: ID!
    body: String!
    clientId: String
  }
  type Query {
    me: User!
  }
  type Mutation {
    sendMessage(input: SendMessageInput!): Message!
  }
  type Subscription {
    messageAdded(chatId: ID!, afterSeq: Int): Message!
  }
`);

const pubsub = new PubSub({ eventEmitter: new EventEmitter().setMaxListeners(0) });
const author = authorOf(randomUUID());
let seq = 0;

const sendMessage: GraphQLFieldResolver<unknown, unknown, { input: { chatId: string; body: string } }> = async (
  _root,
  { input },
) => {
  const message = messageOf((seq += 1), input.body, author);
  await pubsub.publish(`chat:${input.chatId}`, { messageAdded: message });
  return message;
};

const messageAdded: GraphQLFieldResolver<unknown, unknown, { chatId: string }> = (_root, { chatId }) =>
  pubsub.asyncIterableIterator(`chat:${chatId}`);

addResolvers(schema);
const server = new WebSocketServer({ port: 0, host: '127.0.0.1', path: '/graphql' });
useServer({ schema }, server);
server.on('listening', () => console.log(`http://localhost:${(server.address() as AddressInfo).port}`));

function addResolvers(target: GraphQLSchema) {
  target.getMutationType()!.getFields()['sendMessage']!.resolve = sendMessage;
  target.getSubscriptionType()!.getFields()['messageAdded']!.subscribe = messageAdded;
}
