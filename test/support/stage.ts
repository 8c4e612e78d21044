import { randomBytes, randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import { expect } from 'vitest';
import type { TestContext } from 'vitest';
import { createScreen } from './app-screen.ts';
import type { AppScreen, NewPerson } from './app-screen.ts';
import { openBrowser } from './browser.ts';
import type { BrowserOptions, PhoneOptions, TestBrowser } from './browser.ts';
import { startCluster } from './cluster.ts';
import type { Cluster, ClusterOptions } from './cluster.ts';
import { readHistory, seqsTo } from './history.ts';
import { registerPerson, send } from './people.ts';
import type { Person } from './people.ts';
import { eventually } from './wait.ts';

/** The app as `npm run build:app` makes it. */
export const APP_DIR = resolve(import.meta.dirname, '../../examples/ionic-chat/dist');

/** A server that serves the app, and a Chromium that opens it. */
export interface Stage {
  readonly cluster: Cluster;
  readonly browser: TestBrowser;
  /** A phone at the sign-in page. */
  openPhone(at?: { origin?: string } & PhoneOptions): Promise<AppScreen>;
  /** A phone of somebody who has an account, signed in. */
  openPhoneOf(person: Person, at?: { origin?: string } & PhoneOptions): Promise<AppScreen>;
  /** For afterEach: what the screens show, when the test has failed. */
  showFailure(context: Pick<TestContext, 'task'>): Promise<void>;
  /** Throws what the server or a page complained of. */
  close(): Promise<void>;
}

export async function openStage({
  server,
  ...options
}: BrowserOptions & { server?: ClusterOptions } = {}): Promise<Stage> {
  const cluster = await startCluster({ ...server, env: { APP_DIR, ...server?.env } });
  const browser = await openBrowser(options).catch(async (error: unknown) => {
    await cluster.stop();
    throw error;
  });

  async function openPhone({ origin = cluster.node(0).origin, ...options }: { origin?: string } & PhoneOptions = {}) {
    return createScreen(await browser.openPhone(origin, options));
  }

  return {
    cluster,
    browser,
    openPhone,
    async openPhoneOf(person, at) {
      const screen = await openPhone(at);
      await screen.signIn(person);
      return screen;
    },
    async showFailure({ task }) {
      if (task.result?.state === 'fail') console.log(`${task.name}\n\n${await browser.describe()}`);
    },
    async close() {
      const ends = await Promise.allSettled([browser.close(), cluster.stop()]);
      for (const end of ends) if (end.status === 'rejected') throw end.reason;
    },
  };
}

export const newPerson = (firstName: string, lastName: string): NewPerson => ({
  firstName,
  lastName,
  email: `${firstName.toLowerCase()}-${randomBytes(4).toString('hex')}@example.test`,
  password: `violet-harbour-${randomBytes(4).toString('hex')}`,
});

export const registerNew = (cluster: Cluster, firstName: string, lastName: string): Promise<Person> =>
  registerPerson(cluster, newPerson(firstName, lastName));

/** So many messages by turns, some at a time: what is lost on its way is said again, and still said once. */
export async function sayMany(
  chat: { id: string },
  authors: readonly Person[],
  texts: readonly string[],
  { atOnce = 10 } = {},
): Promise<void> {
  const queue = texts.map((text, i) => ({ text, author: authors[i % authors.length]!, clientId: randomUUID() }));
  const speak = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const { text, author, clientId } = next;
      await eventually(() => send(author, chat, text, { clientId }));
    }
  };
  await Promise.all(Array.from({ length: atOnce }, speak));
}

/**
 * What everybody's screen shows of the chat, row by row, is its history: all of it, in its order, and nothing twice.
 * Answers the history's texts.
 */
export async function expectSameOnAllScreens(
  chat: { id: string },
  viewers: ReadonlyArray<{ person: Person; screen: AppScreen }>,
): Promise<string[]> {
  const history = await readHistory(viewers[0]!.person, chat);
  expect(history.map(({ seq }) => seq)).toEqual(seqsTo(history.length));
  for (const { person, screen } of viewers) {
    const last = history.at(-1);
    if (last) await screen.sees(last.body);
    expect(await screen.readAll()).toEqual(
      history.map(({ author, body }) => ({
        mine: author?.id === person.id,
        text: body,
      })),
    );
  }
  return history.map(({ body }) => body);
}
