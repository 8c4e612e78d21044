import { execFile } from 'node:child_process';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CHATS } from '../../prisma/seed-story.ts';
import { createClient } from '../support/client.ts';
import type { Client } from '../support/client.ts';
import { startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { graphql } from '../support/generated/index.ts';

/** It takes some seconds; this is for a machine that does much else. */
const SEED_MS = 180_000;

const root = resolve(import.meta.dirname, '../..');

const Login = graphql(/* GraphQL */ `
  mutation SeedLogin($input: LoginInput!) {
    login(input: $input) {
      accessToken
    }
  }
`);

const Chats = graphql(/* GraphQL */ `
  query SeedChats {
    me {
      id
      firstName
    }
    chats(first: 20) {
      edges {
        node {
          title
          updatedAt
          unreadCount
          members {
            joinedAt
            lastReadSeq
          }
          messages(last: 100) {
            edges {
              node {
                seq
                type
                body
                extraData
                isRead
                createdAt
                editedAt
                deletedAt
              }
            }
          }
        }
      }
    }
  }
`);

describe('npm run seed', () => {
  let cluster: Cluster;
  let firstRun: string;
  beforeAll(async () => {
    cluster = await startCluster({ nodes: 1 });
    firstRun = await seedBesideServer();
  }, SEED_MS);
  afterAll(() => cluster?.stop());

  it('gives somebody to sign in as, with chats to read', async () => {
    const { me, chats } = await (await signIn()).request(Chats);
    expect(me.firstName).toBe('Amara');
    const told = CHATS.filter(({ members }) => members.includes('amara'));
    expect(countsByTitle(chats.edges.map(({ node }) => node))).toEqual(
      countsByTitle(
        told.map(({ title, unread, scenes }) => ({
          title: title ?? null,
          unreadCount: unread?.['amara'] ?? 0,
          messages: { edges: scenes.flatMap(({ lines }) => lines.trim().split('\n')) },
        })),
      ),
    );
    const moved = chats.edges.map(({ node }) => node.updatedAt);
    expect(moved).toEqual(moved.toSorted().toReversed());
  });

  it('dates the history back, in the order of seq', async () => {
    const { chats } = await (await signIn()).request(Chats);
    for (const { node: chat } of chats.edges) {
      const messages = chat.messages.edges.map(({ node }) => node);
      expect(messages.map(({ seq }) => seq)).toEqual(messages.map((_, index) => index + 1));
      const times = messages.map(({ createdAt }) => Date.parse(createdAt));
      expect(times.every((time, index) => index === 0 || time > times[index - 1]!)).toBe(true);
      expect(times.at(-1)).toBeLessThan(Date.now());
      expect(Date.parse(chat.updatedAt)).toBe(times.at(-1));
      for (const { joinedAt } of chat.members) expect(Date.parse(joinedAt)).toBeLessThan(times[0]!);
      for (const { createdAt, editedAt, deletedAt } of messages)
        for (const later of [editedAt, deletedAt])
          if (later != null) expect(Date.parse(later)).toBeGreaterThan(Date.parse(createdAt));
    }
  });

  it('shows one of everything', async () => {
    const { chats } = await (await signIn()).request(Chats);
    const messages = chats.edges.flatMap(({ node }) => node.messages.edges.map((edge) => edge.node));
    expect(messages.find(({ editedAt }) => editedAt !== null)).toBeDefined();
    expect(messages.find(({ deletedAt }) => deletedAt !== null)).toMatchObject({ body: '', extraData: null });
    expect(messages.find(({ type }) => type === 'LOCATION')?.extraData).toEqual({
      latitude: expect.any(Number),
      longitude: expect.any(Number),
    });
    expect(messages.find(({ type }) => type === 'PHOTO')?.extraData).toMatchObject({
      width: expect.any(Number),
    });
    expect(new Set(messages.map(({ isRead }) => isRead))).toEqual(new Set([true, false]));
  });

  it(
    'adds nothing the second time, and says so',
    async () => {
      const before = await (await signIn()).request(Chats);
      expect(await seedBesideServer()).toContain('nothing was added');
      expect(await (await signIn()).request(Chats)).toEqual(before);
    },
    SEED_MS,
  );

  it('refuses in production', async () => {
    const env = { NODE_ENV: 'production', JWT_SECRET: 'a secret for tests, of 32 bytes or more' };
    const failure = await seed(env).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 1, stdout: '' });
    expect((failure as { stderr: string }).stderr.trim().split('\n')).toEqual([
      'parley: npm run seed is for development, and NODE_ENV is production',
    ]);
  });

  /** The embedded database belongs to one process at a time. */
  async function seedBesideServer(): Promise<string> {
    if (cluster.backend === 'embedded') await cluster.node(0).stop();
    const output = await seed();
    if (cluster.backend === 'embedded') await cluster.startNode();
    return output;
  }

  async function seed(env: Record<string, string> = {}): Promise<string> {
    const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', join(root, 'prisma/seed.ts')], {
      cwd: root,
      timeout: SEED_MS / 2,
      env: {
        PATH: process.env.PATH,
        DATA_DIR: cluster.dataDir,
        ...(cluster.databaseUrl !== undefined && { DATABASE_URL: cluster.databaseUrl }),
        ...env,
      },
    });
    return stdout;
  }

  /** With what the seed said on its standard output. */
  async function signIn(): Promise<Client> {
    const [, email, password] = /login\(input: \{ email: "(.+?)", password: "(.+?)" \}/.exec(firstRun)!;
    const input = { email: email!, password: password! };
    const { login } = await createClient(cluster.node(0)).request(Login, { input });
    return createClient(cluster.node(0), { token: login.accessToken });
  }
});

/** Several direct chats have no title: they are told apart by their numbers. */
function countsByTitle(chats: Array<{ title?: string | null; unreadCount: number; messages: { edges: unknown[] } }>) {
  return chats
    .map(({ title, unreadCount, messages }) => `${title ?? 'direct'}: ${messages.edges.length}, ${unreadCount} unread`)
    .toSorted();
}
