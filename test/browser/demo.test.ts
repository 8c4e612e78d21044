import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createScreen } from '../support/app-screen.ts';
import type { AppScreen } from '../support/app-screen.ts';
import { openBrowser } from '../support/browser.ts';
import type { TestBrowser } from '../support/browser.ts';
import { keepScreenshot } from '../support/figures.ts';
import { temporaryDirectory } from '../support/servers.ts';
import { eventually, within } from '../support/wait.ts';
import { guardProcess } from '../support/watchdog.ts';

const root = resolve(import.meta.dirname, '../..');
/** It builds, and fills a database, on a machine that does much else. */
const OPEN_MS = 180_000;

interface Demo {
  process: ChildProcess;
  readonly output: string;
  /** As Ctrl-C does: to all that the command has started. */
  interrupt(): Promise<number | null>;
}

describe('npm run demo', () => {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
  let browser: TestBrowser;
  let demo: Demo;
  let amarasTab: AppScreen;
  let jonasTab: AppScreen;
  beforeAll(async () => {
    directory = await temporaryDirectory('demo');
    demo = await startDemo(directory.path);
    browser = await openBrowser({
      // The seed's photographs are nowhere.
      allowHosts: ['photos.example'],
      // … and after Ctrl-C, so is the server of the tabs that were left open.
      allowConsole: [/photos\.example/, /WebSocket connection to .* failed/, /Failed to load resource: net::ERR_/],
    });
  }, OPEN_MS);
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') console.log(demo.output, await browser.describe());
  });
  afterAll(async () => {
    await browser?.close();
    await demo?.interrupt();
    await directory?.remove();
  });

  it('ends with what to open and how to sign in', () => {
    expect(demo.output.trimEnd().split('\n').slice(-2)).toEqual([
      expect.stringMatching(/^Open http:\/\/localhost:\d+ in two tabs/),
      expect.stringMatching(
        /^Sign in as Amara Okafor .* Jonas Lindqvist .* amara@parley\.example .* lantern-harbour-27/,
      ),
    ]);
  });

  it('keeps what it makes in one place', () => {
    expect(readdirSync(directory.path).toSorted()).toEqual(['data']);
    expect(readdirSync(join(directory.path, 'data'))).toContain('pgdata');
  });

  it('is two people in two tabs of one browser, and a live chat', async () => {
    const [, port] = /http:\/\/localhost:(\d+)/.exec(demo.output)!;
    const origin = `http://127.0.0.1:${port}`;
    const phone = await browser.openPhone(origin, { deviceScaleFactor: 2 });
    amarasTab = createScreen(phone);
    jonasTab = createScreen(await browser.openTab(phone, origin));
    await amarasTab.continueAs('Amara Okafor');
    await jonasTab.continueAs('Jonas Lindqvist');
    await Promise.all([amarasTab.openChat('Harbour Road 12'), jonasTab.openChat('Harbour Road 12')]);
    await amarasTab.write('Is anybody on the roof?');
    await jonasTab.sees('Is anybody on the roof?');
    await jonasTab.write('Only me and the bees');
    await amarasTab.sees('Only me and the bees');
    await keepScreenshot(amarasTab.page, 'chat');
  });

  it('is still two people after both tabs were loaded again', async () => {
    await Promise.all([amarasTab.page.reload(), jonasTab.page.reload()]);
    await amarasTab.write('Stay there');
    await jonasTab.sees('Stay there');
    expect(await jonasTab.message('Stay there').getAttribute('aria-label')).toMatch(/^Amara Okafor/);
    await jonasTab.back();
    await jonasTab.page.emulateMedia({ colorScheme: 'dark' });
    await jonasTab.chat('Harbour Road 12').getByText('Stay there').waitFor();
    await keepScreenshot(jonasTab.page, 'chats');
  });

  it(
    'goes at Ctrl-C, and comes back with what was said',
    async () => {
      await demo.interrupt();
      demo = await startDemo(directory.path);
      const [, port] = /http:\/\/localhost:(\d+)/.exec(demo.output)!;
      const again = createScreen(await browser.openPhone(`http://127.0.0.1:${port}`));
      await again.continueAs('Jonas Lindqvist');
      await again.openChat('Harbour Road 12');
      await again.sees('Stay there');
    },
    OPEN_MS,
  );
});

/** The command itself, without the steps before it: they have made what these tests run on. */
async function startDemo(directory: string): Promise<Demo> {
  const { PATH, HOME, TMPDIR } = process.env;
  const child = spawn('npm', ['run', '--silent', '--ignore-scripts', 'demo', '--', join(directory, 'data')], {
    cwd: root,
    // What a developer may have set is none of its business.
    env: {
      PATH,
      HOME,
      TMPDIR,
      PORT: '0',
      DATABASE_URL: 'postgresql://nowhere.invalid/own',
      DATA_DIR: join(directory, 'own'),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const release = guardProcess(child.pid!);
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  const ended = new Promise<number | null>((done) =>
    child.once('close', (code) => {
      release();
      done(code);
    }),
  );
  const demo: Demo = {
    process: child,
    get output() {
      return output;
    },
    async interrupt() {
      if (child.exitCode === null) process.kill(-child.pid!, 'SIGINT');
      return within(ended, 30_000, 'the end of the demo after Ctrl-C');
    },
  };
  await eventually(
    () => {
      if (child.exitCode !== null) throw new Error(`the demo ended: ${output}`);
      expect(output).toMatch(/^Sign in as .*\n/m);
    },
    { deadlineMs: OPEN_MS - 20_000, everyMs: 200 },
  ).catch(async (error: unknown) => {
    if (child.exitCode === null) process.kill(-child.pid!, 'SIGKILL');
    throw error;
  });
  return demo;
}
