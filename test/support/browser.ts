import { chromium } from 'playwright-core';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { findChromium } from './chromium.ts';

const FLAGS = [
  // Tests run as root in containers; they open nothing but pages of our own.
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--no-proxy-server',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // A test that depended on another host would fail here as it would on a train.
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
];

export interface BrowserOptions {
  /** Lines of the console that this file expects, such as a network that is away. Nothing else is ever forgiven. */
  allowConsole?: RegExp[];
  /** Hosts that pages may ask beside our own, in vain: no test goes out. */
  allowHosts?: string[];
}

export interface PhoneOptions {
  /** Device pixels for each pixel of the page. Default 1. */
  deviceScaleFactor?: number;
}

/** One Chromium for the phones of a test file. */
export interface TestBrowser {
  /** A phone with a storage of its own, and the app of this server open in its first tab. */
  openPhone(origin: string, options?: PhoneOptions): Promise<Page>;
  /** Another tab of the same phone: what is stored for the origin is shared. */
  openTab(phone: Page, origin: string): Promise<Page>;
  /**
   * Stops whatever runs pages, as a phone does with apps in the background; the network stays. Nothing can be asked of
   * a page until the answer is called, which lets them go on.
   */
  freeze(): Promise<() => void>;
  /** What every page shows now, for who has to find out why a test has failed. */
  describe(): Promise<string>;
  /** Throws when a page has broken its content policy, called another host, thrown, or written to the console. */
  close(): Promise<void>;
}

const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, locale: 'en-GB' };
const OURS = '127.0.0.1';

export async function openBrowser({ allowConsole = [], allowHosts = [] }: BrowserOptions = {}): Promise<TestBrowser> {
  const executablePath = findChromium();
  if (executablePath === undefined) throw new Error('no Chromium is installed');
  const browser = await chromium.launch({ executablePath, args: FLAGS });
  const complaints: string[] = [];

  async function watch(context: BrowserContext) {
    context.on('weberror', (error) => complaints.push(`thrown: ${error.error().stack ?? String(error.error())}`));
    context.on('console', (message) => {
      if (!['error', 'warning'].includes(message.type())) return;
      const line = `${message.type()}: ${message.text()} (${message.location().url})`;
      if (!allowConsole.some((known) => known.test(line))) complaints.push(line);
    });
    const seeAddress = (address: string) => {
      const { protocol, hostname } = new URL(address);
      if (/^(http|ws)s?:$/.test(protocol) && hostname !== OURS && !allowHosts.includes(hostname))
        complaints.push(`asked another host: ${address}`);
    };
    context.on('request', (request) => seeAddress(request.url()));
    context.on('page', (page) => page.on('websocket', (socket) => seeAddress(socket.url())));
    // Also said on the console, in words that change; this has the directive and the address.
    await context.exposeFunction('complainOfPolicy', (text: string) => void complaints.push(`against policy: ${text}`));
    await context.addInitScript(() =>
      document.addEventListener('securitypolicyviolation', (event) =>
        (window as unknown as { complainOfPolicy(text: string): void }).complainOfPolicy(
          `${event.violatedDirective} ${event.blockedURI}`,
        ),
      ),
    );
  }

  async function openTab(context: BrowserContext, origin: string): Promise<Page> {
    const page = await context.newPage();
    page.setDefaultTimeout(60_000);
    await page.goto(origin, { waitUntil: 'commit' });
    return page;
  }

  async function describe(page: Page): Promise<string> {
    const shown = page.locator('body').ariaSnapshot({ timeout: 5_000 });
    return `${page.url()}\n${await shown.catch((error: Error) => error.message)}`;
  }

  return {
    async describe() {
      const pages = browser.contexts().flatMap((context) => context.pages());
      return [...(await Promise.all(pages.map(describe))), ...complaints].join('\n\n');
    },
    async openPhone(origin, options = {}) {
      const context = await browser.newContext({ ...PHONE, ...options });
      await watch(context);
      return openTab(context, origin);
    },
    openTab: (phone, origin) => openTab(phone.context(), origin),
    freeze: () => freeze(browser),
    async close() {
      await browser.close();
      if (complaints.length > 0) throw new Error(`What pages should not have said or done:\n${complaints.join('\n')}`);
    },
  };
}

async function freeze(browser: Browser): Promise<() => void> {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  // An id of 0 or less would stop a whole group of processes.
  const renderers = processInfo.filter(({ type, id }) => type === 'renderer' && id > 0).map(({ id }) => id);
  for (const pid of renderers) process.kill(pid, 'SIGSTOP');
  return () => {
    for (const pid of renderers) process.kill(pid, 'SIGCONT');
  };
}
