import { setTimeout as delay } from 'node:timers/promises';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createScreen } from '../support/app-screen.ts';
import type { AppScreen } from '../support/app-screen.ts';
import { openBrowser } from '../support/browser.ts';
import type { TestBrowser } from '../support/browser.ts';
import { openDirectChat, send, signInPerson } from '../support/people.ts';
import type { Person } from '../support/people.ts';
import { atFullSize } from '../support/size.ts';
import { expectSameOnAllScreens, openStage, registerNew } from '../support/stage.ts';
import type { Stage } from '../support/stage.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import type { TcpProxy } from '../support/tcp-proxy.ts';

/** What Chromium writes to the console of a page whose network or server is away, or whose token has run out. */
const NETWORK_AWAY = [/Failed to load resource: net::ERR_/, /WebSocket connection to .* failed/];
const TOKEN_EXPIRED = /Failed to load resource: .* 401 /;

const OFFLINE_MS = atFullSize(20_000, 3_000);
const FROZEN_MS = atFullSize(60_000, 5_000);
const FEW = 4;
/** Short, so that tokens run out in the middle of everything. */
const ACCESS_TOKEN_TTL_S = 10;
const RENEWALS = atFullSize(5, 2);

/** Longer than a client waits at most before it tries again, or before it gives up on a request. */
const BACK_MS = 60_000;

/** One chat of two phones: after each misfortune, both show all that was ever written in it. */
describe('on a bad network', () => {
  let stage: Stage;
  let ann: Person;
  let bob: Person;
  let chat: { id: string };
  let annsPhone: AppScreen;
  let bobsPhone: AppScreen;
  /** The wire of Ann's phone. */
  let wire: TcpProxy;
  /** Of his own, so that what happens to one phone happens to no other. */
  let bobsBrowser: TestBrowser;
  /** In the order of writing. */
  const written = { ann: [] as string[], bob: [] as string[] };

  beforeAll(async () => {
    const allowConsole = [...NETWORK_AWAY, TOKEN_EXPIRED];
    stage = await openStage({ allowConsole, server: { env: { ACCESS_TOKEN_TTL: `${ACCESS_TOKEN_TTL_S}s` } } });
    bobsBrowser = await openBrowser({ allowConsole });
    const { cluster } = stage;
    [ann, bob] = await Promise.all([registerNew(cluster, 'Ann', 'Lee'), registerNew(cluster, 'Bob', 'Ray')]);
    chat = await openDirectChat(ann, bob);
    await send(ann, chat, 'Ann, before it all');
    written.ann.push('Ann, before it all');
    wire = await startTcpProxy({ port: cluster.node(0).port });
    annsPhone = await stage.openPhoneOf(ann, { origin: `http://127.0.0.1:${wire.port}` });
    bobsPhone = createScreen(await bobsBrowser.openPhone(cluster.node(0).origin));
    await bobsPhone.signIn(bob);
    await Promise.all([annsPhone.openChat('Bob Ray'), bobsPhone.openChat('Ann Lee')]);
    await Promise.all([annsPhone.sees('Ann, before it all'), bobsPhone.sees('Ann, before it all')]);
  });

  afterEach(async (context) => {
    await stage.showFailure(context);
    if (context.task.result?.state === 'fail') console.log(await bobsBrowser.describe());
  });

  afterAll(async () => {
    await wire?.close();
    await Promise.all([stage?.close(), bobsBrowser?.close()]);
  });

  async function annWrites(text: string): Promise<void> {
    written.ann.push(`Ann, ${text}`);
    await annsPhone.write(`Ann, ${text}`);
  }

  async function bobWrites(text: string): Promise<void> {
    written.bob.push(`Bob, ${text}`);
    await bobsPhone.write(`Bob, ${text}`);
  }

  async function bothWrite(text: string): Promise<void> {
    await Promise.all([annWrites(text), bobWrites(text)]);
  }

  /** Both screens show the history, and it is what was written: of each person in the order of writing. */
  async function expectAll(): Promise<void> {
    for (const phone of [annsPhone, bobsPhone])
      for (const text of [written.ann.at(-1)!, written.bob.at(-1)])
        if (text !== undefined) await phone.message(text).waitFor({ timeout: BACK_MS });
    await annsPhone.seesTick(written.ann.at(-1)!, /Sent|Read/);
    if (written.bob.length > 0) await bobsPhone.seesTick(written.bob.at(-1)!, /Sent|Read/);
    ann = await signInPerson(stage.cluster, ann);
    const texts = await expectSameOnAllScreens(chat, [
      { person: ann, screen: annsPhone },
      { person: bob, screen: bobsPhone },
    ]);
    const of = (name: string) => texts.filter((text) => text.startsWith(name));
    expect({ ann: of('Ann'), bob: of('Bob') }).toEqual(written);
  }

  it(`offline for ${OFFLINE_MS / 1000} s while both write`, async () => {
    await annsPhone.page.context().setOffline(true);
    wire.reset();
    for (let i = 1; i <= FEW; i++) {
      await annWrites(`in a tunnel, ${i}`);
      await bobWrites(`on the platform, ${i}`);
      await bobsPhone.seesTick(`Bob, on the platform, ${i}`, 'Sent');
      await delay(OFFLINE_MS / FEW);
    }
    await annsPhone.seesTick(`Ann, in a tunnel, ${FEW}`, 'Waiting');
    expect(await annsPhone.message('Bob, on the platform, 1').count()).toBe(0);
    await annsPhone.page.getByRole('status').getByText('Offline').waitFor();
    await annsPhone.page.context().setOffline(false);
    await expectAll();
  });

  it('an answer that is lost on its way', async () => {
    const cut = wire.cutBefore('down', (chunk) => chunk.includes('"sendMessage"'));
    await annWrites('said once');
    await cut;
    await annWrites('said after');
    await expectAll();
  });

  it('a wire that swallows everything, and tells nobody', async () => {
    wire.set({ kind: 'drop' });
    await annWrites('into the void');
    await bobWrites('meanwhile');
    await annsPhone.page
      .getByRole('status')
      .getByText(/Connecting|Offline/)
      .waitFor({ timeout: BACK_MS });
    wire.set({ kind: 'pass' });
    wire.reset();
    await expectAll();
  });

  it(`access tokens that run out ${RENEWALS} times while both write`, async () => {
    const renewals = [annsPhone, bobsPhone].map(({ page }) => countRenewals(page));
    for (let i = 1; renewals.some((count) => count() < RENEWALS); i++) {
      await bothWrite(`token or not, ${i}`);
      await delay(1_000);
    }
    await expectAll();
  });

  it(`a tab that stands still for ${FROZEN_MS / 1000} s`, async () => {
    await annWrites('before I nod off');
    const thaw = await stage.browser.freeze();
    try {
      for (let i = 1; i <= FEW; i++) {
        await bobWrites(`are you there? ${i}`);
        await bobsPhone.seesTick(`Bob, are you there? ${i}`, 'Sent');
        await delay(FROZEN_MS / FEW);
      }
    } finally {
      thaw();
    }
    await annWrites('now I am');
    await expectAll();
  });

  it('the server killed and started again, while both write', async () => {
    const { port } = stage.cluster.node(0);
    await stage.cluster.node(0).kill();
    await bothWrite('while it is gone');
    await bothWrite('and again');
    await annsPhone.seesTick('Ann, and again', 'Waiting');
    await stage.cluster.startNode({ PORT: String(port) });
    await bothWrite('as it comes back');
    await expectAll();
  });
});

/** How often a page has got new tokens since this was called. */
function countRenewals(page: Page): () => number {
  let count = 0;
  page.on('response', (response) => {
    const asked = response.request().postData() ?? '';
    if (response.ok() && /\brefresh\s*\(/.test(asked)) count += 1;
  });
  return () => count;
}
