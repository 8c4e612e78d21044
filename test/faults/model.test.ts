import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ChatModel } from '../support/chat-model.ts';
import type { ChatView, ModelChat, Refusal } from '../support/chat-model.ts';
import { backend, startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { renew, signIn } from '../support/devices.ts';
import type { Device } from '../support/devices.ts';
import { GraphQLRequestError } from '../support/document.ts';
import type { Operation, VariablesOf } from '../support/document.ts';
import { graphql } from '../support/generated/index.ts';
import type { ChatRole } from '../support/generated/graphql.ts';
import { registerPerson } from '../support/people.ts';
import type { Person } from '../support/people.ts';
import { Phone, toChatView } from '../support/phone.ts';
import { startPrivateRedis } from '../support/redis.ts';
import type { PrivateRedis } from '../support/redis.ts';
import { atFullSize } from '../support/size.ts';
import { eventually } from '../support/wait.ts';

const CreateChat = graphql(/* GraphQL */ `
  mutation ModelCreateChat($input: CreateChatInput!) {
    createChat(input: $input) {
      id
    }
  }
`);
const UpdateChat = graphql(/* GraphQL */ `
  mutation ModelUpdateChat($input: UpdateChatInput!) {
    updateChat(input: $input) {
      id
    }
  }
`);
const DeleteChat = graphql(/* GraphQL */ `
  mutation ModelDeleteChat($chatId: ID!) {
    deleteChat(chatId: $chatId)
  }
`);
const AddMembers = graphql(/* GraphQL */ `
  mutation ModelAddMembers($chatId: ID!, $userIds: [ID!]!) {
    addMembers(chatId: $chatId, userIds: $userIds) {
      id
    }
  }
`);
const RemoveMember = graphql(/* GraphQL */ `
  mutation ModelRemoveMember($chatId: ID!, $userId: ID!) {
    removeMember(chatId: $chatId, userId: $userId) {
      id
    }
  }
`);
const ChangeRole = graphql(/* GraphQL */ `
  mutation ModelChangeRole($chatId: ID!, $userId: ID!, $role: ChatRole!) {
    changeRole(chatId: $chatId, userId: $userId, role: $role) {
      id
    }
  }
`);
const LeaveChat = graphql(/* GraphQL */ `
  mutation ModelLeaveChat($chatId: ID!) {
    leaveChat(chatId: $chatId)
  }
`);
const SendMessage = graphql(/* GraphQL */ `
  mutation ModelSendMessage($input: SendMessageInput!) {
    sendMessage(input: $input) {
      id
    }
  }
`);
const EditMessage = graphql(/* GraphQL */ `
  mutation ModelEditMessage($input: EditMessageInput!) {
    editMessage(input: $input) {
      id
    }
  }
`);
const DeleteMessage = graphql(/* GraphQL */ `
  mutation ModelDeleteMessage($messageId: ID!) {
    deleteMessage(messageId: $messageId) {
      id
    }
  }
`);
const MarkRead = graphql(/* GraphQL */ `
  mutation ModelMarkRead($chatId: ID!, $seq: Int!) {
    markRead(chatId: $chatId, seq: $seq) {
      id
    }
  }
`);
const DeleteAccount = graphql(/* GraphQL */ `
  mutation ModelDeleteAccount($password: String!) {
    deleteAccount(password: $password)
  }
`);
const Logout = graphql(/* GraphQL */ `
  mutation ModelLogout {
    logout
  }
`);
const ReadAfresh = graphql(/* GraphQL */ `
  query ModelReadAfresh {
    chats(first: 30) {
      edges {
        node {
          ...PhoneChat
          messages(last: 100) {
            edges {
              node {
                ...PhoneMessage
              }
            }
          }
        }
      }
    }
  }
`);

const RUNS = atFullSize(200, 3);
const COMMANDS = 60;
/** The same stories each time, so that a change is judged by itself; other ones at full size. */
const SEED = atFullSize({}, { seed: 20_261_122 });
/** Promise 3, with what a loaded machine and the news of a dead process need. */
const KNOWN_MS = 2_000 + 3_000;

interface SignedInPhone {
  personId: string;
  device: Device;
  phone: Phone;
}

/** The real thing, as one run of commands has it. */
interface Real {
  people: Map<string, Person>;
  phones: SignedInPhone[];
  /** Requests go to the nodes in turn. */
  nodeIndex: number;
  brokerPaused: boolean;
}

type Step = (model: ChatModel, real: Real) => Promise<void>;

/** A command is what it draws from and what it does; it prints itself with what was drawn. */
class Command implements fc.AsyncCommand<ChatModel, Real> {
  readonly #text: string;
  readonly #canRun: (model: Readonly<ChatModel>) => boolean;
  readonly #step: Step;

  constructor(text: string, step: Step, canRun: (model: Readonly<ChatModel>) => boolean = () => true) {
    this.#text = text;
    this.#step = step;
    this.#canRun = canRun;
  }

  check(model: Readonly<ChatModel>): boolean {
    return this.#canRun(model);
  }

  async run(model: ChatModel, real: Real): Promise<void> {
    await this.#step(model, real);
    await expectAgreement(model, real);
  }

  toString(): string {
    return this.#text;
  }
}

let cluster: Cluster;
let redis: PrivateRedis | undefined;

/** The server's answer; or the code of its refusal. */
async function ask<Data, Variables>(
  real: Real,
  personId: string,
  operation: Operation<Data, Variables>,
  ...variables: VariablesOf<Variables>
): Promise<{ data: Data; code?: never } | { code: string; data?: never }> {
  real.nodeIndex += 1;
  try {
    return {
      data: await real.people
        .get(personId)!
        .client(real.nodeIndex)
        .request(operation, ...variables),
    };
  } catch (error) {
    if (!(error instanceof GraphQLRequestError)) throw error;
    return { code: String(error.code) };
  }
}

async function readAfresh(real: Real, personId: string): Promise<ChatView[]> {
  const { data, code } = await ask(real, personId, ReadAfresh);
  if (!data) throw new Error(`cannot read: ${code}`);
  return data.chats.edges
    .map(({ node }) =>
      toChatView(
        node,
        node.messages.edges.map((edge) => edge.node),
        personId,
      ),
    )
    .toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

/** What each person reads afresh is what the model says; and what each phone has put together from events is the same. */
async function expectAgreement(model: ChatModel, real: Real): Promise<void> {
  await Promise.all(
    [...model.people].map(async (personId) => expect(await readAfresh(real, personId)).toEqual(model.view(personId))),
  );
  await eventually(
    () => {
      for (const { phone, personId } of real.phones) {
        expect(phone.complaints).toEqual([]);
        if (phone.online) expect(withoutTheGone(phone.view(), model)).toEqual(model.view(personId));
      }
    },
    { deadlineMs: KNOWN_MS, everyMs: 5 },
  );
}

/** That an account is gone is told by the chat's members alone, not by each message of its author. */
function withoutTheGone(chats: ChatView[], { people }: ChatModel): ChatView[] {
  return chats.map((chat) => ({
    ...chat,
    messages: chat.messages.map((message) => ({
      ...message,
      authorId: message.authorId !== null && people.has(message.authorId) ? message.authorId : null,
    })),
  }));
}

async function enter(model: ChatModel, real: Real): Promise<void> {
  const person = await registerPerson(cluster);
  model.people.add(person.id);
  real.people.set(person.id, person);
  await addPhone(real, person.id);
}

/** Three people, each pair of whom can say something at once. */
async function begin(model: ChatModel, real: Real): Promise<void> {
  await Promise.all([1, 2, 3].map(() => enter(model, real)));
  const [ann, bob, cid] = [...model.people] as [string, string, string];
  await openDirect(model, real, ann, bob);
  await openGroup(model, real, ann, [bob, cid], 'Everybody');
}

async function openDirect(model: ChatModel, real: Real, actorId: string, otherId: string): Promise<void> {
  const { data } = await ask(real, actorId, CreateChat, { input: { memberIds: [otherId] } });
  model.openDirect(actorId, otherId, data!.createChat.id);
}

async function openGroup(model: ChatModel, real: Real, actorId: string, memberIds: string[], title: string) {
  const { data } = await ask(real, actorId, CreateChat, { input: { memberIds, kind: 'GROUP', title } });
  model.openGroup(actorId, memberIds, title, data!.createChat.id);
}

async function addPhone(real: Real, personId: string): Promise<void> {
  const device = await signIn(cluster, real.people.get(personId)!);
  const phone = new Phone(personId, (node) => device.client(node), real.phones.length);
  real.phones.push({ personId, device, phone });
}

const nth = <T>(items: readonly T[], index: number): T => items[index % items.length]!;
const personOf = (model: ChatModel, index: number) => nth([...model.people], index);

/** Mostly one of the person's own chats, where they have any. */
function chatOf(model: ChatModel, personId: string, index: number): ModelChat {
  const own = model.chatsOf(personId);
  return own.length > 0 && index % 6 > 0 ? nth(own, index) : nth([...model.chats.values()], index);
}

const hasChats = (model: Readonly<ChatModel>) => model.chats.size > 0;

function agree(answer: { code?: string }, refusal: Refusal | undefined): void {
  expect(answer.code).toBe(refusal);
}

/** Anything that somebody does in or to a chat. */
function inChat(
  text: string,
  actor: number,
  chat: number,
  act: (model: ChatModel, real: Real, actorId: string, chat: ModelChat) => Promise<void>,
): Command {
  return new Command(
    `${text} by ${actor} in ${chat}`,
    (model, real) => {
      const actorId = personOf(model, actor);
      return act(model, real, actorId, chatOf(model, actorId, chat));
    },
    hasChats,
  );
}

const index = fc.nat(59);
const ROLES: ChatRole[] = ['OWNER', 'ADMIN', 'MEMBER'];

const createDirect = fc.tuple(index, index).map(
  ([a, b]) =>
    new Command(`createChat DIRECT ${a} ${b}`, async (model, real) => {
      const actorId = personOf(model, a);
      const others = [...model.people].filter((id) => id !== actorId);
      await openDirect(model, real, actorId, nth(others, b));
    }),
);

const createGroup = fc.tuple(index, fc.nat(7)).map(
  ([a, others]) =>
    new Command(`createChat GROUP ${a} ${others}`, async (model, real) => {
      const actorId = personOf(model, a);
      const memberIds = [...model.people].filter((id, bit) => id !== actorId && (others & (1 << bit)) > 0);
      await openGroup(model, real, actorId, memberIds, `Group ${others}`);
    }),
);

const rename = fc.tuple(index, index, fc.nat(2)).map(([actor, chat, title]) =>
  inChat(`updateChat ${title}`, actor, chat, async (model, real, actorId, { id: chatId }) => {
    const answer = await ask(real, actorId, UpdateChat, { input: { chatId, title: `Title ${title}` } });
    agree(answer, model.rename(actorId, chatId, `Title ${title}`));
  }),
);

const addMember = fc.tuple(index, index, index).map(([actor, chat, person]) =>
  inChat(`addMembers ${person}`, actor, chat, async (model, real, actorId, { id: chatId }) => {
    const personId = personOf(model, person);
    const answer = await ask(real, actorId, AddMembers, { chatId, userIds: [personId] });
    agree(answer, model.addMember(actorId, chatId, personId));
  }),
);

const removeMember = fc.tuple(index, index, index).map(([actor, chat, person]) =>
  inChat(`removeMember ${person}`, actor, chat, async (model, real, actorId, { id: chatId }) => {
    const userId = personOf(model, person);
    agree(await ask(real, actorId, RemoveMember, { chatId, userId }), model.removeMember(actorId, chatId, userId));
  }),
);

const changeRole = fc.tuple(index, index, index, fc.constantFrom(...ROLES)).map(([actor, chat, person, role]) =>
  inChat(`changeRole ${person} ${role}`, actor, chat, async (model, real, actorId, { id: chatId }) => {
    const userId = personOf(model, person);
    const answer = await ask(real, actorId, ChangeRole, { chatId, userId, role });
    agree(answer, model.changeRole(actorId, chatId, userId, role));
  }),
);

const leave = fc.tuple(index, index).map(([actor, chat]) =>
  inChat('leaveChat', actor, chat, async (model, real, actorId, { id: chatId }) => {
    agree(await ask(real, actorId, LeaveChat, { chatId }), model.leave(actorId, chatId));
  }),
);

const deleteChat = fc.tuple(index, index).map(([actor, chat]) =>
  inChat('deleteChat', actor, chat, async (model, real, actorId, { id: chatId }) => {
    agree(await ask(real, actorId, DeleteChat, { chatId }), model.deleteChat(actorId, chatId));
  }),
);

const send = fc.tuple(index, index, fc.nat(1), fc.option(fc.nat(3))).map(([actor, chat, text, key]) =>
  inChat(`sendMessage ${text} ${key}`, actor, chat, async (model, real, actorId, { id: chatId }) => {
    const message = { body: `text ${text}`, clientId: key === null ? null : `key ${key}` };
    const answer = await ask(real, actorId, SendMessage, { input: { chatId, ...message } });
    const id = answer.data?.sendMessage.id ?? 'refused';
    agree(answer, model.send(actorId, chatId, { ...message, id }));
  }),
);

/** Of a message, where the chat has one; of none, where it has not. */
const messageOf = (chat: ModelChat, position: number) => {
  const seq = chat.messages.length === 0 ? 1 : 1 + (position % chat.messages.length);
  return { seq, id: chat.messages[seq - 1]?.id ?? '01920000-0000-7000-8000-000000000000' };
};

const edit = fc.tuple(index, index, index, fc.nat(2)).map(([actor, chat, position, text]) =>
  inChat(`editMessage ${position} ${text}`, actor, chat, async (model, real, actorId, where) => {
    const { seq, id: messageId } = messageOf(where, position);
    const answer = await ask(real, actorId, EditMessage, { input: { messageId, body: `edited ${text}` } });
    agree(answer, model.edit(actorId, where.id, seq, `edited ${text}`));
  }),
);

const deleteMessage = fc.tuple(index, index, index).map(([actor, chat, position]) =>
  inChat(`deleteMessage ${position}`, actor, chat, async (model, real, actorId, where) => {
    const { seq, id: messageId } = messageOf(where, position);
    agree(await ask(real, actorId, DeleteMessage, { messageId }), model.deleteMessage(actorId, where.id, seq));
  }),
);

const markRead = fc.tuple(index, index, index).map(([actor, chat, position]) =>
  inChat(`markRead ${position}`, actor, chat, async (model, real, actorId, where) => {
    // One further than there is, at times.
    const seq = position % (where.messages.length + 2);
    agree(await ask(real, actorId, MarkRead, { chatId: where.id, seq }), model.markRead(actorId, where.id, seq));
  }),
);

const register = fc.constant(0).map(() => new Command('register', enter, (model) => model.people.size < 5));

const deleteAccount = index.map(
  (person) =>
    new Command(
      `deleteAccount ${person}`,
      async (model, real) => {
        const personId = personOf(model, person);
        const { password } = real.people.get(personId)!;
        agree(await ask(real, personId, DeleteAccount, { password }), undefined);
        model.deleteAccount(personId);
        await expectSignedOut(real, (phone) => phone.personId === personId);
      },
      (model) => model.people.size > 2,
    ),
);

const login = index.map(
  (person) => new Command(`login ${person}`, (model, real) => addPhone(real, personOf(model, person))),
);

const logout = index.map(
  (which) =>
    new Command(`logout ${which}`, async (_model, real) => {
      if (real.phones.length === 0) return;
      const { device } = nth(real.phones, which);
      await device.client((real.nodeIndex += 1)).request(Logout);
      await expectSignedOut(real, (phone) => phone.device === device);
    }),
);

const refresh = index.map(
  (which) =>
    new Command(`refresh ${which}`, async (_model, real) => {
      if (real.phones.length === 0) return;
      const { device } = nth(real.phones, which);
      const tokens = await renew(cluster, device.refreshToken, (real.nodeIndex += 1));
      Object.assign(device, { accessToken: tokens.accessToken, refreshToken: tokens.refreshToken });
    }),
);

/** Phones of a session that has ended hear of it when they are online, or when they come back. */
async function expectSignedOut(real: Real, isOne: (phone: SignedInPhone) => boolean): Promise<void> {
  const ended = real.phones.filter(isOne);
  real.phones = real.phones.filter((phone) => !isOne(phone));
  for (const { phone } of ended) phone.goOnline();
  await eventually(() => ended.forEach(({ phone }) => expect(phone.signedOut).toBe(true)), { deadlineMs: KNOWN_MS });
}

const onPhone = (text: string, act: (phone: Phone) => void | Promise<void>) =>
  index.map(
    (which) =>
      new Command(`${text} ${which}`, async (_model, real) => {
        if (real.phones.length > 0) await act(nth(real.phones, which).phone);
      }),
  );
const goOffline = onPhone('offline', (phone) => phone.goOffline());
const goOnline = onPhone('online', (phone) => phone.goOnline());
const dropConnection = onPhone('drop', (phone) => phone.dropConnection());

const killNode = fc.nat(1).map(
  (which) =>
    new Command(`kill -9 and start node ${which}`, async (_model, real) => {
      // One that starts waits for its broker.
      if (real.brokerPaused) return;
      const victim = cluster.node(which);
      await victim.kill();
      await cluster.startNode({ PORT: String(victim.port) });
    }),
);

const pauseBroker = fc.boolean().map(
  (pause) =>
    new Command(`${pause ? 'pause' : 'resume'} the broker`, async (_model, real) => {
      if (real.brokerPaused === pause) return;
      if (pause) redis?.pause();
      else redis?.resume();
      real.brokerPaused = pause;
    }),
);

const weighted = (...commands: [number, fc.Arbitrary<Command>][]) =>
  commands.flatMap(([weight, command]) => Array.from({ length: weight }, () => command));

const commands = fc.commands(
  weighted(
    [8, send],
    [4, markRead],
    [2, edit],
    [2, deleteMessage],
    [2, createGroup],
    [2, createDirect],
    [2, addMember],
    [2, removeMember],
    [2, changeRole],
    [1, rename],
    [1, leave],
    [1, deleteChat],
    [1, register],
    [1, deleteAccount],
    [1, login],
    [1, logout],
    [1, refresh],
    [3, goOffline],
    [4, goOnline],
    [2, dropConnection],
    [1, killNode],
    [2, pauseBroker],
  ),
  { maxCommands: COMMANDS, size: 'max' },
);

describe('Parley and its model', () => {
  beforeAll(async () => {
    if (backend === 'distributed') redis = await startPrivateRedis();
    cluster = await startCluster({ env: redis ? { REDIS_URL: redis.url } : {} });
  });
  afterAll(async () => {
    redis?.resume();
    await cluster?.stop();
    await redis?.remove();
  });

  it(
    `agree after every command of ${RUNS} stories, and so does what phones put together from events`,
    { timeout: 7_200_000 },
    async () => {
      await fc.assert(
        // Not the short ones first, as would be the custom: there are few.
        fc.asyncProperty(fc.noBias(commands), async (story) => {
          const model = new ChatModel();
          const real: Real = { people: new Map(), phones: [], nodeIndex: 0, brokerPaused: false };
          try {
            await begin(model, real);
            await fc.asyncModelRun(() => ({ model, real }), story);
          } finally {
            redis?.resume();
            await Promise.all(real.phones.map(({ phone }) => phone.goOffline()));
          }
        }),
        { numRuns: RUNS, ...SEED },
      );
    },
  );
});
