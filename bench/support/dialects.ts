/** How a client of some server listens to a chat and speaks in it over a WebSocket. */
export interface Dialect {
  path: string;
  subprotocol?: string;
  /** What a client says first; undefined: with the connection it is where it wants to be. */
  greeting?: string[];
  /** What a client answers, and whether it has thereby said all that it has to say to listen under this id. Without an id
   * it only wants to speak. */
  reply(text: string, id?: string): { say: string[]; isDone: boolean } | null;
  /** The number of the message that this frame delivers under this id; undefined: it delivers none. */
  readSeq(text: string, id: string): number | undefined;
  /** What a client says, under the id of one send, to say something in the chat. */
  send(id: string, body: string): string[];
  /** The answer to it; undefined: the server gives none. */
  isAnswer?(text: string): boolean;
}

export const ADDED = `subscription Added($chatId: ID!, $afterSeq: Int) {
  messageAdded(chatId: $chatId, afterSeq: $afterSeq) {
    id seq type body extraData createdAt
    author { id firstName lastName }
  }
}`;

export const SEND = `mutation Send($input: SendMessageInput!) {
  sendMessage(input: $input) { id seq createdAt }
}`;

/** As long as a chat message usually is. */
export const BODY = 'See you at the harbour at seven; bring the rope, the lamps and the other half of the map. ';

/** For servers that do not care which. */
export const NOBODYS_CHAT = '00000000-0000-4000-8000-000000000000';

/** What graphql-ws speaks. */
export function graphqlTransportWs(chatId: string, token: string): Dialect {
  const init = JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } });
  const operation = (id: string, query: string, variables: object) =>
    JSON.stringify({ id, type: 'subscribe', payload: { query, variables } });
  return {
    path: '/graphql',
    subprotocol: 'graphql-transport-ws',
    greeting: [init],
    reply(text, id) {
      if (!text.includes('"connection_ack"')) return null;
      return { say: id === undefined ? [] : [operation(id, ADDED, { chatId, afterSeq: 0 })], isDone: true };
    },
    readSeq(text, id) {
      if (!text.includes('"messageAdded"')) return undefined;
      if (!text.startsWith(`{"id":"${id}","type":"next"`)) throw new Error(`not for ${id}: ${text.slice(0, 200)}`);
      return numberBehind(text, '"seq":');
    },
    send: (id, body) => [operation(id, SEND, { input: { chatId, body, clientId: id } })],
    isAnswer(text) {
      if (text.includes('"errors"') || text.includes('"type":"error"')) throw new Error(text);
      return text.includes('"sendMessage"');
    },
  };
}

/** What Socket.IO speaks over a WebSocket from the start: Engine.IO 4, whose packets begin with a digit. */
export function socketIo(chatId: string): Dialect {
  let acknowledgement = 0;
  return {
    path: '/socket.io/?EIO=4&transport=websocket',
    greeting: [],
    reply(text, id) {
      if (text === '2') return { say: ['3'], isDone: false };
      if (text.startsWith('0')) return { say: ['40'], isDone: false };
      if (!text.startsWith('40')) return null;
      return { say: id === undefined ? [] : [`42${JSON.stringify(['join', chatId])}`], isDone: true };
    },
    readSeq: (text) => (text.startsWith('42["message"') ? numberBehind(text, '"seq":') : undefined),
    send: (_id, body) => [`42${(acknowledgement += 1)}${JSON.stringify(['send', chatId, body])}`],
    isAnswer: (text) => text.startsWith('43'),
  };
}

/** What follows the key, in text that was not parsed: parsing it would cost more than to receive it. */
export function numberBehind(text: string, key: string): number {
  return Number.parseInt(text.slice(text.indexOf(key) + key.length, text.indexOf(key) + key.length + 12), 10);
}
