import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { findFaults, Follower, readHistory, sendUntilKnown } from '../support/chat-history.ts';
import type { Known } from '../support/chat-history.ts';
import { backend, startCluster } from '../support/cluster.ts';
import { openGroup, registerPerson } from '../support/people.ts';
import { atFullSize, report } from '../support/size.ts';
import { eventually } from '../support/wait.ts';

const KILLS = atFullSize(50, 4);
const SENDS = atFullSize(2_000, 240);
const SENDERS = 8;
const CHATS = 3;

/** Killed without warning, again and again, while people write: promises 1 to 4. */
describe.each(backend === 'embedded' ? [1] : atFullSize([1, 2], [2]))('%i node(s) under kill -9', (nodes) => {
  it(`loses no acknowledged message in ${SENDS} sends and ${KILLS} kills`, { timeout: 1_800_000 }, async () => {
    const cluster = await startCluster({ nodes });
    const people = await Promise.all(
      Array.from({ length: SENDERS }, (_, index) => registerPerson(cluster, { firstName: `Sender ${index}` })),
    );
    const chats = await Promise.all(
      Array.from({ length: CHATS }, (_, index) => openGroup(people[0]!, people.slice(1), `Chat ${index}`)),
    );
    const followers = chats.flatMap((chat, index) => [
      { chat, follower: new Follower(people[index]!, chat.id, { node: 0 }) },
      { chat, follower: new Follower(people[index + 1]!, chat.id, { node: 1 }) },
    ]);
    const acknowledged = new Map<string, Known[]>(chats.map((chat) => [chat.id, []]));
    let sent = 0;
    let retries = 0;

    const writing = people.map(async (person, index) => {
      for (let nth = index; nth < SENDS; nth += SENDERS) {
        const chat = chats[nth % CHATS]!;
        const { message, attempts } = await sendUntilKnown(
          person,
          { chatId: chat.id, body: `message ${nth}`, clientId: `client ${nth}` },
          { firstNode: nth },
        );
        acknowledged.get(chat.id)!.push(message);
        sent += 1;
        retries += attempts - 1;
      }
    });

    const killing = (async () => {
      for (let kill = 1; kill <= KILLS; kill += 1) {
        // Spread over the whole of the writing.
        await eventually(() => expect(sent).toBeGreaterThanOrEqual((SENDS * (kill - 0.5)) / (KILLS + 1)), {
          deadlineMs: 300_000,
        });
        await delay(Math.random() * 100);
        const victim = cluster.nodes[kill % cluster.nodes.length]!;
        await victim.kill();
        await cluster.startNode({ PORT: String(victim.port) });
      }
    })();

    await Promise.all([...writing, killing]);
    for (const chat of chats) {
      const history = await readHistory(people[0]!, chat.id);
      const mine = followers.filter((entry) => entry.chat === chat).map(({ follower }) => follower);
      await eventually(() => mine.forEach((follower) => expect(follower.lastSeq).toBe(history.length)), {
        deadlineMs: 20_000,
      });
      const recorded = { acknowledged: acknowledged.get(chat.id)!, followed: mine.map(({ seen }) => seen), history };
      expect(findFaults(recorded)).toEqual([]);
    }
    expect(sent).toBe(SENDS);
    // The faults were real: somebody had to send again, and somebody had to come back.
    const reconnects = followers.reduce((sum, { follower }) => sum + follower.reconnects, 0);
    expect(retries + reconnects).toBeGreaterThan(0);
    report(expect.getState().currentTestName!, { sent, retries, reconnects });
    await Promise.all(followers.map(({ follower }) => follower.stop()));
    await cluster.stop();
  });
});
