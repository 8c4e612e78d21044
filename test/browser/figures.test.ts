import { gzipSync } from 'node:zlib';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { AppScreen } from '../support/app-screen.ts';
import { noteFigure } from '../support/figures.ts';
import { openDirectChat } from '../support/people.ts';
import type { Person } from '../support/people.ts';
import { isWritingFigures, quantile } from '../support/size.ts';
import { APP_DIR, openStage, registerNew, sayMany } from '../support/stage.ts';
import type { Stage } from '../support/stage.ts';

/*
 * What is written in the README is measured with FIGURES=write, at the size that it names. Otherwise these tests are
 * smaller, and their bounds are what would be broken, not what would be slow.
 */
const atReadmeSize = (full: number, small: number) => (isWritingFigures ? full : small);

const HISTORY = atReadmeSize(1_000, 200);
const LIVE = atReadmeSize(2_000, 200);
const LOADS = atReadmeSize(7, 3);

/** Rows in the document at once, whatever the length of the history: what is in the window, and some around it. */
const MAX_ROWS = 60;
const MAX_BUNDLE_BYTES = 600 * 1024;
/** Nothing is kept of a message but the message. */
const MAX_BYTES_PER_MESSAGE = 20_000;

describe('the figures', () => {
  let stage: Stage;
  let ann: Person;
  let bob: Person;
  let chat: { id: string };
  let phone: AppScreen;
  beforeAll(async () => {
    stage = await openStage();
    [ann, bob] = await Promise.all([
      registerNew(stage.cluster, 'Ann', 'Lee'),
      registerNew(stage.cluster, 'Bob', 'Ray'),
    ]);
    chat = await openDirectChat(ann, bob);
    await sayMany(chat, [ann, bob], linesOf(HISTORY, 'Line'));
    phone = await stage.openPhoneOf(ann);
    await phone.chat('Bob Ray').waitFor();
  });
  afterEach((context) => stage?.showFailure(context));
  afterAll(() => stage?.close());

  it('what a phone loads before the first chat is shown', async () => {
    const paths = new Set<string>();
    phone.page.on('request', (request) => {
      const { pathname } = new URL(request.url());
      if (/\.(js|css|svg|html)$/.test(pathname)) paths.add(pathname);
    });
    await withoutCache(phone.page, () => showFirstChat(phone));
    const bytes = ['/index.html', ...paths].reduce(
      (sum, path) => sum + gzipSync(readFileSync(join(APP_DIR, path))).length,
      0,
    );
    expect(paths.size).toBeGreaterThan(2);
    expect(bytes).toBeLessThan(MAX_BUNDLE_BYTES);
    noteFigure(
      'Loaded before the first chat is shown, gzip',
      `${Math.round(bytes / 1024)} KiB in ${paths.size + 1} files`,
    );
  });

  it('from opening the address to the first chat', async () => {
    const times = (load: () => Promise<number>) => repeat(LOADS, load);
    const cold = await times(() => withoutCache(phone.page, () => showFirstChat(phone)));
    const warm = await times(() => showFirstChat(phone));
    noteFigure(
      'From opening the address to the first chat',
      `${Math.round(quantile(cold, 0.5))} ms; ${Math.round(quantile(warm, 0.5))} ms with the files in the browser's cache`,
    );
    expect(quantile(warm, 0.5)).toBeLessThan(30_000);
  });

  it(`scrolling through ${HISTORY} messages`, async () => {
    await phone.openChat('Bob Ray');
    expect(await phone.readAll()).toHaveLength(HISTORY);
    const { frames, maxRows } = await phone.scroller.evaluate(scrollToStart);
    const late = frames.filter((ms) => ms > 17.5).length;
    noteFigure(
      `Frames while ${HISTORY.toLocaleString('en')} messages are scrolled through`,
      `${frames.length} frames, median ${quantile(frames, 0.5).toFixed(1)} ms, 95th percentile ` +
        `${quantile(frames, 0.95).toFixed(1)} ms; ${((100 * late) / frames.length).toFixed(1)} % later than 1/60 s; ` +
        `never more than ${maxRows} rows in the document`,
    );
    expect(frames.length).toBeGreaterThan(50);
    expect(maxRows).toBeGreaterThan(5);
    expect(maxRows).toBeLessThan(MAX_ROWS);
  });

  it(`the memory that ${LIVE} live messages take`, async () => {
    await phone.back();
    await phone.openChat('Bob Ray');
    const hear = async (lines: string[]) => {
      await sayMany(chat, [bob], lines);
      // Said by several at once, they end in any order: this one comes behind them all.
      const last = `That was ${lines.length}`;
      await sayMany(chat, [bob], [last]);
      await phone.sees(last);
    };
    // What is made once, is made now.
    await hear(linesOf(20, 'Warming up'));
    const before = await usedBytes(phone.page);
    await hear(linesOf(LIVE, 'Live'));
    const after = await usedBytes(phone.page);
    const mib = (bytes: number) => `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
    noteFigure(
      `JavaScript heap before and after ${LIVE.toLocaleString('en')} live messages`,
      `${mib(before)}, ${mib(after)}`,
    );
    expect((after - before) / LIVE).toBeLessThan(MAX_BYTES_PER_MESSAGE);
    expect(await phone.page.locator('article').count()).toBeLessThan(MAX_ROWS);
  });
});

const linesOf = (count: number, word: string) =>
  Array.from({ length: count }, (_, i) => `${word} ${i + 1} of ${count}`);

async function repeat(times: number, measure: () => Promise<number>): Promise<number[]> {
  const figures: number[] = [];
  for (let i = 0; i < times; i++) figures.push(await measure());
  return figures;
}

async function withoutCache<T>(page: Page, act: () => Promise<T>): Promise<T> {
  const session = await page.context().newCDPSession(page);
  await session.send('Network.enable');
  await session.send('Network.setCacheDisabled', { cacheDisabled: true });
  try {
    return await act();
  } finally {
    await session.detach();
  }
}

/** Opens the app by its address, signed in; the milliseconds by the page's own clock. */
async function showFirstChat({ page, chat }: AppScreen): Promise<number> {
  await page.goto(new URL(page.url()).origin);
  const title = page.locator('.chat-row h2').first();
  // Asked at each frame, in the page: what it costs to ask from outside is none of the app's.
  const shownAt = page.waitForFunction(() => document.querySelector('.chat-row h2') && performance.now());
  await title.waitFor();
  await chat('Bob Ray').waitFor();
  return Number(await (await shownAt).jsonValue());
}

/** In the page: upwards from the end, as fast as a thumb, frame by frame. */
async function scrollToStart(element: Element): Promise<{ frames: number[]; maxRows: number }> {
  const frame = () => new Promise<number>((done) => requestAnimationFrame(done));
  element.scrollTop = element.scrollHeight;
  let before = await frame();
  const frames: number[] = [];
  let maxRows = 0;
  while (element.scrollTop > 0) {
    element.scrollTop -= 60;
    const now = await frame();
    frames.push(now - before);
    before = now;
    maxRows = Math.max(maxRows, element.querySelectorAll('article').length);
  }
  return { frames, maxRows };
}

async function usedBytes(page: Page): Promise<number> {
  const session = await page.context().newCDPSession(page);
  await session.send('HeapProfiler.collectGarbage');
  const { usedSize } = await session.send('Runtime.getHeapUsage');
  await session.detach();
  return usedSize;
}
