import type { Locator, Page } from 'playwright-core';
import { eventually } from './wait.ts';

export interface NewPerson {
  firstName: string;
  lastName: string;
  email: string;
  password: string;
}

export type Tick = 'Waiting' | 'Sent' | 'Read' | 'Not sent';

/** A message as the feed shows it. */
export interface Row {
  /** Written by whom the phone belongs to. */
  mine: boolean;
  text: string;
}

/** The example app, as somebody with a phone in hand would tell of it. Everything waits until it can be done. */
export type AppScreen = ReturnType<typeof createScreen>;

const escape = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');

export function createScreen(page: Page) {
  const button = (name: string | RegExp) => page.getByRole('button', { name });
  const textbox = (name: string) => page.getByRole('textbox', { name, exact: true });
  const chat = (title: string) =>
    page.getByRole('listitem').filter({ has: page.getByRole('heading', { name: title, exact: true }) });
  /** The message with this text, by whom and whenever. */
  const message = (text: string) => page.getByRole('article', { name: new RegExp(`: ${escape(text)}$`) });
  const scroller = page.locator('.ion-page:not(.ion-page-hidden) .message-scroller');

  /** The page with this heading has come, and the one before it has gone: until then both are there to be touched. */
  async function arriveAt(heading: string) {
    // On iOS a large title stands in for the small one; for a moment, both are there.
    await page.getByRole('heading', { name: heading, exact: true, level: 1 }).first().waitFor();
    await page.waitForFunction(() =>
      [...document.querySelectorAll('ion-router-outlet')].every(
        (outlet) => outlet.querySelectorAll(':scope > .ion-page:not(.ion-page-hidden)').length <= 1,
      ),
    );
  }

  async function openTab(name: 'Chats' | 'People' | 'Profile') {
    await page.getByRole('tab', { name }).click();
    await arriveAt(name);
  }

  async function chooseAction(text: string, action: 'Edit' | 'Copy text' | 'Delete') {
    await message(text).getByText(text).click({ button: 'right' });
    await button(action).click();
  }

  return {
    page,
    message,
    scroller,

    async register({ firstName, lastName, email, password }: NewPerson) {
      await page.getByRole('link', { name: 'Create an account' }).click();
      await arriveAt('Create an account');
      await textbox('First name').fill(firstName);
      await textbox('Last name').fill(lastName);
      await textbox('E-mail').fill(email);
      await textbox('Password').fill(password);
      await button('Create account').click();
      await arriveAt('Chats');
    },

    async signIn({ email, password }: Pick<NewPerson, 'email' | 'password'>) {
      await textbox('E-mail').fill(email);
      await textbox('Password').fill(password);
      await button('Sign in').click();
      await arriveAt('Chats');
    },

    /** At the sign-in page of a demo. */
    async continueAs(name: string) {
      await button(`Continue as ${name}`).click();
      await arriveAt('Chats');
    },

    async signOut() {
      await openTab('Profile');
      await button('Sign out').click();
      await textbox('E-mail').waitFor();
    },

    openTab,

    /** In the list of chats. */
    chat,

    async openChat(title: string) {
      await chat(title).click();
      await arriveAt(title);
    },

    async openChatWith(name: string) {
      await openTab('People');
      await page.getByRole('searchbox', { name: 'Search people' }).fill(name);
      await button(name).click();
      await arriveAt(name);
    },

    async openGroup(title: string, names: readonly string[]) {
      await openTab('People');
      await button('New group').click();
      await textbox('Group name').fill(title);
      for (const name of names) {
        await page.getByRole('searchbox', { name: 'Search people to add' }).fill(name);
        await page.getByRole('checkbox', { name }).click();
      }
      await button('Create').click();
      await arriveAt(title);
    },

    back: () => button(/^back$/i).click(),

    async write(text: string) {
      await textbox('Message').fill(text);
      await button('Send').click();
      await message(text).waitFor();
    },

    async edit(text: string, to: string) {
      await chooseAction(text, 'Edit');
      await button('Save').waitFor();
      await textbox('Message').fill(to);
      await button('Save').click();
    },

    async delete(text: string) {
      await chooseAction(text, 'Delete');
      await page.getByRole('alertdialog').getByRole('button', { name: 'Delete' }).click();
    },

    sees: (text: string) => message(text).waitFor(),

    seesTick: (text: string, tick: Tick | RegExp) => message(text).getByRole('img', { name: tick }).waitFor(),

    /** Every message of the open chat, from its beginning to its end, each as often as it is shown. */
    readAll: () => readAll(scroller),
  };
}

async function readAll(scroller: Locator): Promise<Row[]> {
  await eventually(
    async () => {
      const top = await scroller.evaluate(scrollToTop);
      const isWhole = await scroller.getByText('Beginning of the conversation').isVisible();
      // Those that come above keep what is read where it is.
      if (!isWhole || top > 0) throw new Error('older messages have not come');
    },
    { deadlineMs: 30_000 },
  );
  let rows: string[] = [];
  for (;;) {
    const { shown, isEnd } = await scroller.evaluate(readWindow);
    rows = join(rows, shown);
    if (isEnd) break;
    await scroller.evaluate((element) => (element.scrollTop += element.clientHeight / 2));
  }
  return rows.map((name) => {
    const [, author, text] = /^(.+?), .+?: ([^]*)$/.exec(name) ?? [];
    if (text === undefined) throw new Error(`no author, time and text in the name of a message: ${name}`);
    return { mine: author === 'You', text };
  });
}

/** In the page: answers where it is, once nothing that comes above moves it any more. */
async function scrollToTop(element: Element): Promise<number> {
  element.scrollTop = 0;
  for (let looks = 0; looks < 10 && element.scrollTop === 0; looks += 1)
    await new Promise((done) => setTimeout(done, 50));
  return element.scrollTop;
}

/** In the page: what is shown now, once it stands. */
async function readWindow(element: Element): Promise<{ shown: string[]; isEnd: boolean }> {
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  const { top, bottom } = element.getBoundingClientRect();
  // Others may be kept, out of sight and far from where they belong.
  const isInSight = (article: Element) => {
    const box = article.getBoundingClientRect();
    return box.bottom > top && box.top < bottom;
  };
  const read = () =>
    [...element.querySelectorAll('article')]
      .filter(isInSight)
      .map((article) => article.getAttribute('aria-label') ?? '');
  let shown: string[];
  let before: string[] = [];
  do {
    shown = before;
    await frame();
    await frame();
    before = read();
  } while (shown.length === 0 || shown.join('\n') !== before.join('\n'));
  return { shown, isEnd: element.scrollTop + element.clientHeight >= element.scrollHeight - 2 };
}

/**
 * What was read so far and what is shown now, which begins somewhere in it: so that what is shown twice is read twice,
 * and what was scrolled past unseen is no gap but an error.
 */
export function join(before: readonly string[], shown: readonly string[]): string[] {
  if (before.length === 0) return [...shown];
  for (let start = 0; start < before.length; start++) {
    const common = Math.min(before.length - start, shown.length);
    if (shown.slice(0, common).every((name, i) => name === before[start + i]))
      return [...before, ...shown.slice(common)];
  }
  throw new Error(`nothing joins ${before.at(-1)} and ${shown[0]}: the list was scrolled too far, or it changed`);
}
