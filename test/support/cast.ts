import type { Cluster } from './cluster.ts';
import { changeRole, removeMember } from './membership.ts';
import { openDirectChat, openGroup, registerPerson, send } from './people.ts';
import type { Person } from './people.ts';

/** Everybody that there can be in view of a group. */
export const ACTORS = ['anonymous', 'stranger', 'former', 'member', 'admin', 'owner'] as const;
export type Actor = (typeof ACTORS)[number];
export type SignedIn = Exclude<Actor, 'anonymous'>;

const SIGNED_IN = ACTORS.filter((actor) => actor !== 'anonymous');

export interface Conversation {
  id: string;
  /** Of one message in it, that was edited. */
  messageId: string;
}

/** People of every kind, and what each of them has beside the group. */
export interface Cast {
  cluster: Cluster;
  people: Record<SignedIn, Person>;
  /** Has a direct chat with each of them, and wrote in it. */
  pat: Person;
  directs: Record<SignedIn, Conversation>;
  /** Of Pat and somebody else. */
  foreignDirect: Conversation;
  /** Where the list of each stood before anything was in it: for `chatUpdated(after:)`. */
  beginnings: Record<SignedIn, string>;
}

/** A group with a history: each who is or was in it has said something. */
export interface Group {
  id: string;
  title: string;
  /** By their author. */
  messages: Record<Exclude<SignedIn, 'stranger'>, string>;
}

export async function gatherCast(cluster: Cluster): Promise<Cast> {
  const enter = (firstName: string) => registerPerson(cluster, { firstName, lastName: 'Cast' });
  const people = await record(SIGNED_IN, (actor) => enter(actor[0]!.toUpperCase() + actor.slice(1)));
  const [pat, quinn] = await Promise.all([enter('Pat'), enter('Quinn')]);
  const beginnings = await record(SIGNED_IN, async (actor) => {
    const { chats } = (await people[actor].client().request('{ chats { changeCursor } }')) as any;
    return chats.changeCursor as string;
  });
  return {
    cluster,
    people,
    pat,
    beginnings,
    directs: await record(SIGNED_IN, (actor) => converse(pat, people[actor])),
    foreignDirect: await converse(pat, quinn),
  };
}

export async function openGroupOf({ people }: Cast, title = 'The cast'): Promise<Group> {
  const { former, member, admin, owner } = people;
  const { id } = await openGroup(owner, [former, member, admin], title);
  const speakers = ['former', 'member', 'admin', 'owner'] as const;
  const messages = await record(
    speakers,
    async (actor) => (await send(people[actor], { id }, `the ${actor} was here`)).id,
  );
  await edit(owner, messages.owner);
  await changeRole(owner, { id }, admin, 'ADMIN');
  await removeMember(owner, { id }, former);
  return { id, title, messages };
}

async function converse(a: Person, b: Person): Promise<Conversation> {
  const { id } = await openDirectChat(a, b);
  const { id: messageId } = await send(a, { id }, 'between the two of us');
  await edit(a, messageId);
  return { id, messageId };
}

async function edit(author: Person, messageId: string): Promise<void> {
  const operation = 'mutation ($input: EditMessageInput!) { editMessage(input: $input) { id } }';
  await author.client().request(operation, { input: { messageId, body: 'in other words' } });
}

async function record<Key extends string, Value>(
  keys: readonly Key[],
  make: (key: Key) => Promise<Value>,
): Promise<Record<Key, Value>> {
  const entries = await Promise.all(keys.map(async (key) => [key, await make(key)] as const));
  return Object.fromEntries(entries) as Record<Key, Value>;
}
