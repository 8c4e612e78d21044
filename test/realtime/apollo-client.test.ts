import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addToHistory, createApolloApp } from '../support/apollo.ts';
import { startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { graphql } from '../support/generated/index.ts';
import type { ApolloHistoryQuery } from '../support/generated/graphql.ts';
import { openDirectChat, registerPerson } from '../support/people.ts';
import type { Person } from '../support/people.ts';
import { eventually } from '../support/wait.ts';
import { many, seqs } from './operations.ts';

const SignIn = graphql(/* GraphQL */ `
  mutation ApolloSignIn($input: LoginInput!) {
    login(input: $input) {
      accessToken
      refreshToken
    }
  }
`);

const Me = graphql(/* GraphQL */ `
  query ApolloMe {
    me {
      id
      firstName
    }
  }
`);

const Send = graphql(/* GraphQL */ `
  mutation ApolloSend($input: SendMessageInput!) {
    sendMessage(input: $input) {
      id
      seq
      body
    }
  }
`);

const History = graphql(/* GraphQL */ `
  query ApolloHistory($chatId: ID!, $before: String) {
    chat(id: $chatId) {
      id
      messages(last: 10, before: $before) {
        edges {
          cursor
          node {
            id
            seq
            body
          }
        }
        pageInfo {
          hasPreviousPage
          hasNextPage
          startCursor
          endCursor
        }
      }
    }
  }
`);

const Added = graphql(/* GraphQL */ `
  subscription ApolloAdded($chatId: ID!, $afterSeq: Int) {
    messageAdded(chatId: $chatId, afterSeq: $afterSeq) {
      id
      seq
      body
    }
  }
`);

describe('an app with Apollo Client', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster({ env: { ACCESS_TOKEN_TTL: '4s' } });
  });
  afterAll(() => cluster?.stop());

  /** Somebody's app, signed in at one of the nodes. */
  async function openApp(who: Person, nodeIndex: number) {
    const closes: number[] = [];
    const { url, wsUrl } = cluster.node(nodeIndex);
    const app = createApolloApp({ url, wsUrl, onClosed: (code) => closes.push(code) });
    const { email, password } = who;
    const { data } = await app.client.mutate({ mutation: SignIn, variables: { input: { email, password } } });
    app.session.tokens = data!.login;
    return { ...app, closes };
  }

  const isRefused = async (token: string) =>
    (
      await fetch(cluster.node(0).url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
        body: '{"query":"{ me { id } }"}',
      })
    ).status === 401;

  it('renews an expired token once, however many requests meet the 401', { timeout: 60_000 }, async () => {
    const ann = await registerPerson(cluster, { firstName: 'Ann' });
    const app = await openApp(ann, 0);
    const { accessToken } = app.session.tokens!;
    await eventually(async () => expect(await isRefused(accessToken)).toBe(true));
    const answers = await many(
      8,
      () => app.client.query({ query: Me, fetchPolicy: 'no-cache', context: { queryDeduplication: false } }),
      8,
    );
    expect(answers.map(({ data }) => data!.me.firstName)).toEqual(Array.from({ length: 8 }, () => 'Ann'));
    expect(app.session.renewals).toBe(1);
    await app.stop();
  });

  it('keeps a conversation whole across the life of many tokens', { timeout: 90_000 }, async () => {
    const ann = await registerPerson(cluster, { firstName: 'Ann' });
    const bob = await registerPerson(cluster, { firstName: 'Bob' });
    const chat = await openDirectChat(ann, bob);
    const anns = await openApp(ann, 0);
    const say = async (body: string) => {
      const input = { chatId: chat.id, body, clientId: body };
      return (await anns.client.mutate({ mutation: Send, variables: { input } })).data!.sendMessage.seq;
    };
    for (let nth = 1; nth <= 60; nth += 1) await say(`message ${nth}`);

    const bobs = await openApp(bob, 1);
    const first = await bobs.client.query({ query: History, variables: { chatId: chat.id } });
    const afterSeq = first.data!.chat!.messages.edges.at(-1)!.node.seq;
    const heard: number[] = [];
    const failures: unknown[] = [];
    const live = bobs.client.subscribe({ query: Added, variables: { chatId: chat.id, afterSeq } }).subscribe({
      next({ data, error }) {
        if (error) failures.push(error);
        if (!data) return;
        heard.push(data.messageAdded.seq);
        addToHistory(bobs.client, chat.id, data.messageAdded);
      },
      error: (error: unknown) => failures.push(error),
    });

    // Ann goes on until Bob's socket was closed for its token twice, and a little longer.
    let end = 60;
    await eventually(
      async () => {
        end = await say(`message ${end + 1}`);
        expect(bobs.closes.filter((code) => code === 4403).length).toBeGreaterThanOrEqual(2);
      },
      { deadlineMs: 30_000 },
    );
    for (let nth = 0; nth < 5; nth += 1) end = await say(`message ${end + 1}`);
    await eventually(() => expect(heard.at(-1)).toBe(end));
    expect(heard).toEqual(seqs(afterSeq + 1, end));
    expect(failures).toEqual([]);
    expect(new Set(bobs.closes)).toEqual(new Set([4403]));

    // Bob scrolls up to the beginning. What the screen shows is history and live messages in one list.
    const screen = bobs.client.watchQuery({ query: History, variables: { chatId: chat.id } });
    let shown: ApolloHistoryQuery | undefined;
    const showing = screen.subscribe(({ data }) => (shown = data as ApolloHistoryQuery | undefined));
    const page = () => shown!.chat!.messages;
    await eventually(() => expect(page().edges.at(-1)!.node.seq).toBe(end));
    while (page().pageInfo.hasPreviousPage) {
      const { startCursor } = page().pageInfo;
      await screen.fetchMore({ variables: { before: startCursor } });
      await eventually(() => expect(page().pageInfo.startCursor).not.toBe(startCursor));
    }
    expect(page().edges.map(({ node }) => node.seq)).toEqual(seqs(1, end));
    expect(page().edges.map(({ node }) => node.body)).toEqual(seqs(1, end).map((nth) => `message ${nth}`));

    showing.unsubscribe();
    live.unsubscribe();
    await Promise.all([anns.stop(), bobs.stop()]);
  });
});
