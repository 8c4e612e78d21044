import type { Route } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { AppScreen } from '../support/app-screen.ts';
import { apolloManifest, CLIENT_MANIFEST, readTexts, textsOfHelpers, writeManifest } from '../support/manifest.ts';
import type { Manifest } from '../support/manifest.ts';
import { openDirectChat, signInPerson } from '../support/people.ts';
import type { Person } from '../support/people.ts';
import { expectSameOnAllScreens, newPerson, openStage, sayMany } from '../support/stage.ts';
import type { Stage } from '../support/stage.ts';

/** More than any page of history. */
const MANY = 200;

/**
 * One day of three people, told in order: each test goes on where the one before it has ended. The server runs nothing but
 * what the app is known to send, and these helpers.
 */
describe('from signing up to signing out', () => {
  const [ann, bob, cid] = [newPerson('Ann', 'Lee'), newPerson('Bob', 'Ray'), newPerson('Cid', 'Sun')];
  let manifest: Manifest;
  let stage: Stage;
  let annsPhone: AppScreen;
  let bobsPhone: AppScreen;
  let cidsPhone: AppScreen;
  beforeAll(async () => {
    manifest = await writeManifest(apolloManifest({ ...textsOfHelpers(), ...(await readTexts(CLIENT_MANIFEST)) }));
    stage = await openStage({ server: { env: { PERSISTED_DOCUMENTS: manifest.path } } });
    [annsPhone, bobsPhone] = await Promise.all([stage.openPhone(), stage.openPhone()]);
  });
  afterEach((context) => stage?.showFailure(context));
  afterAll(async () => {
    await stage?.close();
    await manifest?.remove();
  });

  it('two people sign up', async () => {
    await Promise.all([annsPhone.register(ann), bobsPhone.register(bob)]);
  });

  it('one finds the other, and writes; the other finds the chat in the list', async () => {
    await annsPhone.openChatWith('Bob Ray');
    await annsPhone.write('Hello, Bob!');
    await annsPhone.seesTick('Hello, Bob!', 'Sent');
    await bobsPhone.chat('Ann Lee').getByRole('img', { name: '1 unread' }).waitFor();
    await bobsPhone.chat('Ann Lee').getByText('Hello, Bob!').waitFor();
  });

  it('the tick turns when the other reads', async () => {
    await bobsPhone.openChat('Ann Lee');
    await bobsPhone.sees('Hello, Bob!');
    await annsPhone.seesTick('Hello, Bob!', 'Read');
  });

  it('they chat, live, both ways', async () => {
    for (const word of ['one', 'two', 'three']) {
      await bobsPhone.write(`Bob says ${word}`);
      await annsPhone.sees(`Bob says ${word}`);
      await annsPhone.write(`Ann says ${word}`);
      await bobsPhone.sees(`Ann says ${word}`);
      await annsPhone.seesTick(`Ann says ${word}`, 'Read');
    }
    const [annThere, bobThere, chat] = await sameChat();
    const texts = await expectSameOnAllScreens(chat, [
      { person: annThere, screen: annsPhone },
      { person: bobThere, screen: bobsPhone },
    ]);
    expect(texts).toHaveLength(7);
  });

  it(`one pages back through ${MANY} messages, in order and without a gap`, async () => {
    const [annThere, bobThere, chat] = await sameChat();
    const lines = Array.from({ length: MANY }, (_, i) => `Line ${i + 1} of ${MANY}`);
    await sayMany(chat, [annThere, bobThere], lines);
    // A phone that has seen none of them, so that all come by pages.
    await bobsPhone.page.reload();
    const texts = await expectSameOnAllScreens(chat, [{ person: bobThere, screen: bobsPhone }]);
    expect(texts).toHaveLength(MANY + 7);
  });

  it('three make a group, and all hear all', async () => {
    cidsPhone = await stage.openPhone();
    await cidsPhone.register(cid);
    await annsPhone.back();
    await annsPhone.openGroup('The harbour', ['Bob Ray', 'Cid Sun']);
    await annsPhone.write('All aboard');
    await bobsPhone.back();
    await Promise.all([bobsPhone.openChat('The harbour'), cidsPhone.openChat('The harbour')]);
    const phones = [annsPhone, bobsPhone, cidsPhone];
    await bobsPhone.write('Bob is here');
    await Promise.all(phones.map((phone) => phone.sees('Bob is here')));
    await cidsPhone.write('Cid is here');
    await Promise.all(phones.map((phone) => phone.sees('Cid is here')));
  });

  it('one edits and deletes, and the others see that', async () => {
    await annsPhone.edit('All aboard', 'All aboard, please');
    for (const phone of [bobsPhone, cidsPhone]) {
      await phone.sees('All aboard, please');
      await phone.message('All aboard, please').getByText('Edited').waitFor();
      expect(await phone.message('All aboard').count()).toBe(0);
    }
    await bobsPhone.delete('Bob is here');
    for (const phone of [annsPhone, cidsPhone]) {
      await phone.page.getByText('This message was deleted').waitFor();
      expect(await phone.message('Bob is here').count()).toBe(0);
    }
  });

  it('what can be tapped stays where it is when the profile comes', async () => {
    await annsPhone.back();
    const { page } = annsPhone;
    const held: Route[] = [];
    await page.route('**/graphql', async (route) => {
      if (route.request().postDataJSON().operationName === 'Viewer') held.push(route);
      else await route.continue();
    });
    await annsPhone.openTab('Profile');
    await page.getByRole('status', { name: 'Loading your profile' }).waitFor();
    const signOut = page.getByRole('button', { name: 'Sign out' });
    const before = await signOut.boundingBox();
    for (const route of held) await route.continue();
    await page.getByText(ann.email).waitFor();
    expect(await signOut.boundingBox()).toEqual(before);
    await page.unroute('**/graphql');
  });

  it('who signs out leaves nothing behind', async () => {
    await annsPhone.signOut();
    await annsPhone.page.goBack();
    await annsPhone.page.getByRole('button', { name: 'Sign in' }).waitFor();
    expect(await annsPhone.page.getByText('The harbour').count()).toBe(0);
    const kept = await annsPhone.page.evaluate(() => JSON.stringify([localStorage, sessionStorage]));
    expect(kept).not.toMatch(/eyJ|prt_/);
    // … and comes back to what was there.
    await annsPhone.signIn(ann);
    await annsPhone.openChat('The harbour');
    await annsPhone.sees('Cid is here');
  });

  async function sameChat(): Promise<[Person, Person, { id: string }]> {
    const people = await Promise.all([signInPerson(stage.cluster, ann), signInPerson(stage.cluster, bob)]);
    return [...people, await openDirectChat(...people)];
  }
});
