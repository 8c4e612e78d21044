import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { finished } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { Follower } from '../support/chat-history.ts';
import { backend, startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { rawSocket } from '../support/client.ts';
import { scrape } from '../support/exposition.ts';
import { measureMemory } from '../support/footprint.ts';
import { INSPECTABLE, INSPECTOR_LINES } from '../support/inspector.ts';
import { openDirectChat, openGroup, registerPerson, send } from '../support/people.ts';
import type { Person } from '../support/people.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { atFullSize } from '../support/size.ts';
import { eventually, within } from '../support/wait.ts';

const READERS = atFullSize(25, 6);
const STREAMS = 3;
/** Three bytes each: four pages of it are as much as one answer may hold. */
const BODY = '\u20ac'.repeat(8_000);
/** More than the kernels on the way to a reader keep, also of an event stream. */
const MESSAGES = 400;
/** Of 19 MB each. */
const PAGES = 4;
const PAGE_BYTES = 100 * Buffer.byteLength(BODY);
const ANSWER_MEGABYTES = (PAGES * PAGE_BYTES) / 1024 ** 2;
const CUT_OFF_WITHIN_MS = 25_000;
/** An answer lasts longer than a reader that takes nothing may stay. */
const SLOW_BYTES_PER_SECOND = 500_000;

const page = (nth: number) => `page${nth}: messages(last: 100) { edges { node { body } } }`;
const HISTORY = `query ($chatId: ID!) { chat(id: $chatId) { ${Array.from({ length: PAGES }, (_, nth) => page(nth)).join(' ')} } }`;
const MESSAGES_ADDED = 'subscription ($chatId: ID!) { messageAdded(chatId: $chatId, afterSeq: 0) { body } }';

/** The head of an answer, of which nobody reads on. */
async function ask(url: string, person: Person, chatId: string, query: string, accept: string) {
  const request = httpRequest(url, {
    method: 'POST',
    agent: false,
    headers: { accept, 'content-type': 'application/json', authorization: `Bearer ${person.accessToken}` },
  });
  onTestFinished(() => void request.destroy());
  request.end(JSON.stringify({ query, variables: { chatId } }));
  const [response] = (await within(once(request, 'response'), 30_000, 'a response')) as [IncomingMessage];
  return response;
}

/** Whether the whole of it comes, to who reads on. */
async function isWhole(response: IncomingMessage): Promise<boolean> {
  response.on('error', () => {}).resume();
  await finished(response).catch(() => {});
  return response.complete;
}

/** Megabytes, of everything that the server still refers to. */
async function measure(server: ServerProcess): Promise<number> {
  const { heap, bytes } = await measureMemory(server);
  return heap + bytes;
}

/** Promise 7, of answers over HTTP. Beside PostgreSQL: the embedded database keeps its own memory in the same process. */
describe.runIf(backend === 'distributed')('answers over HTTP', () => {
  let cluster: Cluster;
  let ann: Person;
  let bob: Person;
  let archiveId: string;
  beforeAll(async () => {
    cluster = await startCluster({
      nodes: 1,
      env: { METRICS_PORT: '0', ...INSPECTABLE },
      allowErrors: [INSPECTOR_LINES],
    });
    [ann, bob] = await Promise.all([registerPerson(cluster), registerPerson(cluster)]);
    const archive = await openGroup(bob, [], 'The archive');
    archiveId = archive.id;
    for (let nth = 0; nth < MESSAGES; nth += 1) await send(bob, archive, BODY);
  });
  afterAll(() => cluster?.stop());

  const stalled = () => cluster.node(0).logs.filter((line) => line.includes('answer.stalled')).length;
  const read = async (name: string, labels?: Record<string, string>) =>
    (await scrape(cluster.node(0))).read(name, labels);

  it(
    'that nobody reads are let go of, event streams among them, and neighbours go on',
    { timeout: 120_000 },
    async () => {
      const { url } = cluster.node(0);
      const chat = await openDirectChat(ann, bob);
      const follower = new Follower(ann, chat.id);
      await send(bob, chat, 'before');
      await eventually(() => expect(follower.lastSeq).toBe(1));
      const subscriptions = ['parley_subscriptions_open', { field: 'messageAdded' }] as const;
      const connections = await read('parley_connections_open');

      const empty = await measure(cluster.node(0));
      const answers: IncomingMessage[] = [];
      // One after the other: what is to be seen is not how many may ask at once.
      for (let nth = 0; nth < READERS; nth += 1)
        answers.push(await ask(url, bob, archiveId, HISTORY, 'application/json'));
      for (const { headers } of answers) expect(Number(headers['content-length'])).toBeGreaterThan(PAGES * PAGE_BYTES);
      for (let nth = 0; nth < STREAMS; nth += 1)
        answers.push(await ask(url, bob, archiveId, MESSAGES_ADDED, 'text/event-stream'));
      const askedAt = performance.now();
      expect(await read(...subscriptions)).toBe(1 + STREAMS);
      const full = await measure(cluster.node(0));
      expect(full).toBeGreaterThan(empty + READERS * ANSWER_MEGABYTES);
      let sent = 1;
      while (stalled() < answers.length && performance.now() - askedAt < CUT_OFF_WITHIN_MS) {
        await send(bob, chat, `message ${(sent += 1)}`);
        await eventually(() => expect(follower.lastSeq).toBe(sent));
      }
      expect(stalled()).toBe(answers.length);
      expect(await read('parley_slow_sockets_closed_total')).toBe(answers.length);
      expect(follower.reconnects).toBe(0);
      await eventually(async () => {
        expect(await read(...subscriptions)).toBe(1);
        expect(await read('parley_connections_open')).toBe(connections);
      });
      const halfOfThem = (READERS * ANSWER_MEGABYTES) / 2;
      await eventually(async () => expect(await measure(cluster.node(0))).toBeLessThan(empty + halfOfThem), {
        deadlineMs: 20_000,
        everyMs: 1_000,
      });
      expect(await Promise.all(answers.map(isWhole))).toEqual(answers.map(() => false));
      await follower.stop();
    },
  );

  it('come whole to who reads them slowly', { timeout: 120_000 }, async () => {
    const before = stalled();
    const startedAt = performance.now();
    const answer = await ask(cluster.node(0).url, bob, archiveId, HISTORY, 'application/json');
    let bytes = 0;
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      await delay((1_000 * chunk.length) / SLOW_BYTES_PER_SECOND);
    }
    expect(answer.complete).toBe(true);
    expect(bytes).toBeGreaterThan(PAGES * PAGE_BYTES);
    // Or nothing was proved.
    expect(performance.now() - startedAt).toBeGreaterThan(17_000);
    expect(stalled()).toBe(before);
  });

  it.each([
    // Six bytes each in JSON, and three.
    ['ws', '\u0001', 26],
    ['http', '\u6c34', 40],
  ] as const)(
    'that are too much all together are let go of, those first that hold the most: %s',
    { timeout: 120_000 },
    async (transport, character, readers) => {
      const heavy = await openGroup(ann, []);
      for (let nth = 0; nth < 100; nth += 1) await send(ann, heavy, `a${character.repeat(7_999)}`);
      const query = `query ($chatId: ID!) {
        chat(id: $chatId) { messages(last: 100) { edges { node { body b: body c: body d: body } } } }
      }`;
      const cutOff = () => cluster.node(0).logs.filter((line) => line.includes('answer.too_heavy')).length;
      const before = cutOff();
      const modest = await ask(cluster.node(0).url, bob, archiveId, HISTORY.replace(/100/g, '10'), 'application/json');
      for (let nth = 0; nth < readers; nth += 1)
        if (transport === 'http') await ask(cluster.node(0).url, ann, heavy.id, query, 'application/json');
        else {
          const { socket, ...raw } = await rawSocket(cluster.node(0));
          onTestFinished(() => socket.terminate());
          raw.send({ type: 'connection_init', payload: { authorization: `Bearer ${ann.accessToken}` } });
          await raw.nextMessage();
          socket.pause();
          raw.send({ id: 'heavy', type: 'subscribe', payload: { query, variables: { chatId: heavy.id } } });
        }
      await eventually(() => expect(cutOff()).toBeGreaterThan(before), { deadlineMs: 14_000 });
      expect(cutOff() - before).toBeLessThan(readers / 2);
      expect(await isWhole(modest)).toBe(true);
    },
  );
});
