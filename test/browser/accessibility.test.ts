import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { accessibilityFaults } from '../support/axe.ts';
import { openDirectChat, openGroup, send } from '../support/people.ts';
import type { Person } from '../support/people.ts';
import { openStage, registerNew } from '../support/stage.ts';
import type { Stage } from '../support/stage.ts';
import { eventually } from '../support/wait.ts';

/** Each look in each light: their colours are not the same. */
const LOOKS = [
  { mode: 'ios', colorScheme: 'light' },
  { mode: 'ios', colorScheme: 'dark' },
  { mode: 'md', colorScheme: 'light' },
  { mode: 'md', colorScheme: 'dark' },
] as const;

describe('for whoever cannot see well, or has no pointer', () => {
  let stage: Stage;
  let ann: Person;
  let bob: Person;
  beforeAll(async () => {
    stage = await openStage();
    [ann, bob] = await Promise.all([
      registerNew(stage.cluster, 'Ann', 'Lee'),
      registerNew(stage.cluster, 'Bob', 'Ray'),
    ]);
    const chat = await openDirectChat(ann, bob);
    await send(ann, chat, 'Hello, Bob!');
    await send(bob, chat, 'Hello, Ann!');
    await send(bob, await openGroup(bob, [ann], 'The harbour'), 'All aboard');
  });
  afterEach((context) => stage?.showFailure(context));
  afterAll(() => stage?.close());

  it.each(LOOKS)('every screen can be read: $mode, $colorScheme', async ({ mode, colorScheme }) => {
    const origin = `${stage.cluster.node(0).origin}/?ionic:mode=${mode}`;
    const phone = await stage.openPhone({ origin });
    const { page } = phone;
    await page.emulateMedia({ colorScheme });
    // What fades in has no contrast yet.
    const isReadable = (screen: string) =>
      eventually(async () => expect(await accessibilityFaults(page), screen).toEqual([]), { everyMs: 500 });

    await page.getByRole('button', { name: 'Sign in' }).waitFor();
    await isReadable('sign in');
    await page.getByRole('link', { name: 'Create an account' }).click();
    await page.getByRole('heading', { name: 'Create an account' }).waitFor();
    await isReadable('create an account');
    await page.goto(origin);
    await phone.signIn(ann);
    await phone.chat('Bob Ray').waitFor();
    await isReadable('chats');
    await phone.openChat('Bob Ray');
    await phone.sees('Hello, Ann!');
    await isReadable('a chat');
    await phone.back();
    await phone.openTab('People');
    await page.getByRole('searchbox', { name: 'Search people' }).fill('Bob');
    await page.getByRole('button', { name: 'Bob Ray' }).waitFor();
    await isReadable('people');
    await phone.openTab('Profile');
    await isReadable('profile');
    await page.close();
  });

  it('a chat needs nothing but a keyboard', async () => {
    const phone = await stage.openPhone();
    const { page } = phone;
    const { keyboard } = page;
    await page.getByRole('button', { name: 'Sign in' }).waitFor();
    await tabTo(page, 'E-mail');
    await keyboard.type(ann.email);
    await tabTo(page, 'Password');
    await keyboard.type(ann.password);
    await keyboard.press('Enter');
    await phone.chat('The harbour').waitFor();
    await tabTo(page, 'The harbour');
    await keyboard.press('Enter');
    await phone.sees('All aboard');
    await tabTo(page, 'Message');
    await keyboard.type('By hand');
    await tabTo(page, /^Send$/);
    await keyboard.press('Enter');
    await phone.seesTick('By hand', /Sent|Read/);
    // Among messages one goes by the arrows, and Home and End; and asks by a key what can be done with one.
    await tabTo(page, 'All aboard', 'Shift+Tab');
    await keyboard.press('End');
    await eventually(async () => expect(await page.evaluate(nameOfFocused)).toContain('By hand'));
    await keyboard.press('Enter');
    await page.getByRole('button', { name: 'Edit' }).waitFor();
    await keyboard.press('Escape');
    await page.getByRole('button', { name: 'Edit' }).waitFor({ state: 'hidden' });
    await tabTo(page, /^back$/i, 'Shift+Tab');
    await keyboard.press('Enter');
    await phone.chat('Bob Ray').waitFor();
  });
});

/** As often as somebody would press it at most, to come to what is called so. */
async function tabTo(page: Page, name: string | RegExp, key = 'Tab'): Promise<void> {
  const passed: string[] = [];
  for (let i = 0; i < 40; i++) {
    await page.keyboard.press(key);
    const here = await page.evaluate(nameOfFocused);
    if (typeof name === 'string' ? here.includes(name) : name.test(here)) return;
    passed.push(here);
  }
  throw new Error(`${key} does not come to ${name}, but to: ${passed.join(' | ')}`);
}

/** In the page, and through the shadows of its components. */
function nameOfFocused(): string {
  let element = document.activeElement;
  while (element?.shadowRoot?.activeElement) element = element.shadowRoot.activeElement;
  if (!element || element === document.body) return '';
  const root = element.getRootNode();
  const host = root instanceof ShadowRoot ? root.host : element;
  const label = document.getElementById(element.getAttribute('aria-labelledby') ?? '')?.textContent;
  const name = label ?? element.getAttribute('aria-label') ?? host.getAttribute('aria-label') ?? host.textContent;
  return (name ?? '').replaceAll(/\s+/g, ' ').trim();
}
