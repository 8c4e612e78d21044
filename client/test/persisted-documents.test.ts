import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { gql } from '@apollo/client';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { startCluster } from '../../test/support/cluster.ts';
import type { Cluster } from '../../test/support/cluster.ts';
import { seqsTo } from '../../test/support/history.ts';
import { CLIENT_MANIFEST } from '../../test/support/manifest.ts';
import { newPerson } from '../../test/support/stage.ts';
import { eventually } from '../../test/support/wait.ts';
import { CreateChatDocument, SearchUsersDocument, SessionsDocument, toParleyError } from '../src/index.ts';
import { bodiesIn, chatsOf, closePhone, openPhone, shownIn, untilLive } from './support/phone.ts';
import type { Phone, PhoneOptions } from './support/phone.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

interface Sent {
  query?: string;
  operationName?: string;
  extensions?: { persistedQuery?: { sha256Hash?: string } };
}

describe('on a server that runs the documents of this package alone', () => {
  let cluster: Cluster;
  const phones: Phone[] = [];
  beforeAll(async () => {
    cluster = await startCluster({ nodes: 1, env: { PERSISTED_DOCUMENTS: CLIENT_MANIFEST } });
  });
  afterAll(() => cluster?.stop());
  afterEach(async () => {
    vi.restoreAllMocks();
    await Promise.all(phones.splice(0).map(closePhone));
  });

  const ways: Record<string, () => PhoneOptions> = {
    'in full': () => ({}),
    'by their hashes': () => ({ link: new PersistedQueryLink({ sha256 }) }),
  };

  it.each(Object.keys(ways))('two people talk, with documents that are sent %s', async (way) => {
    const fetched = vi.spyOn(globalThis, 'fetch');
    const join = async (firstName: string) => {
      const phone = await openPhone(cluster, null, ways[way]!());
      phones.push(phone);
      const person = newPerson(firstName, 'Lee');
      await phone.parley.session.register(person);
      return { ...phone, person };
    };
    const [ann, bob] = await Promise.all([join(`Ann${way.length}`), join(`Bob${way.length}`)]);
    bob.parley.followChats();

    const search = bob.person.firstName;
    const found = await ann.parley.apollo.query({ query: SearchUsersDocument, variables: { search } });
    const memberIds = found.data!.users.edges.map(({ node }) => node.id);
    const input = { kind: 'DIRECT' as const, memberIds };
    const created = await ann.parley.apollo.mutate({ mutation: CreateChatDocument, variables: { input } });
    const chatId = created.data!.createChat.id;
    await Promise.all(seqsTo(60).map((nth) => ann.parley.outbox.send({ chatId, body: `${nth}` })));
    await eventually(() => expect(chatsOf(bob)[0]).toMatchObject({ id: chatId, unreadCount: 60 }));

    bob.parley.followChat(chatId);
    ann.parley.followChat(chatId);
    await Promise.all([untilLive(ann), untilLive(bob)]);
    expect(bodiesIn(bob, chatId)).toHaveLength(50);
    await bob.parley.loadOlder(chatId);
    expect(bodiesIn(bob, chatId)).toEqual(seqsTo(60).map(String));
    await bob.parley.outbox.send({ chatId, body: 'well read' });
    bob.parley.markRead(chatId, 60);
    await eventually(() => expect(bodiesIn(ann, chatId).at(-1)).toBe('well read'));
    await eventually(() => expect(shownIn(ann, chatId)!.edges.at(-2)!.node.isRead).toBe(true));

    await bob.parley.session.signOut();
    const { email, password } = bob.person;
    await bob.parley.session.signIn({ email, password });
    const sessions = await bob.parley.apollo.query({ query: SessionsDocument });
    expect(sessions.data!.sessions).toHaveLength(1);

    const posted = fetched.mock.calls.flatMap(([, init]) =>
      init?.body === undefined ? [] : [JSON.parse(init.body as string) as Sent],
    );
    // What a session asks for itself does not go through Apollo.
    const byApollo = posted.filter(({ operationName }) => operationName !== undefined);
    expect(byApollo.length).toBeGreaterThan(60);
    for (const { query, extensions } of byApollo)
      expect([query !== undefined, extensions?.persistedQuery?.sha256Hash !== undefined]).toEqual(
        way === 'in full' ? [true, false] : [false, true],
      );
  });

  it('no document of another app is run', async () => {
    const phone = await openPhone(cluster, null);
    phones.push(phone);
    await phone.parley.session.register(newPerson('Cid', 'Sun'));
    const refused = await phone.parley.apollo
      .query({ query: gql('query Foreign { me { id email createdAt } }') })
      .catch(toParleyError);
    expect(refused).toMatchObject({ code: 'BAD_REQUEST' });
  });

  it('each operation is listed once, under the hash of its text', () => {
    const { operations } = JSON.parse(readFileSync(CLIENT_MANIFEST, 'utf8')) as {
      operations: Array<{ id: string; name: string; body: string }>;
    };
    expect(new Set(operations.map(({ name }) => name)).size).toBe(operations.length);
    expect(operations.length).toBeGreaterThan(25);
    for (const { id, body } of operations) expect(id).toBe(sha256(body));
  });
});
