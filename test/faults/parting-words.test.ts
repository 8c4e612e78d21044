import { describe, expect, it } from 'vitest';
import { findFaults, readHistory, sendUntilKnown } from '../support/chat-history.ts';
import type { Known } from '../support/chat-history.ts';
import { backend, startCluster } from '../support/cluster.ts';
import { graphql } from '../support/generated/index.ts';
import { openDirectChat, registerPerson } from '../support/people.ts';
import { startPrivatePostgres } from '../support/postgres.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { eventually } from '../support/wait.ts';

const MarkRead = graphql(/* GraphQL */ `
  mutation MarkReadWhileItGoes($chatId: ID!, $seq: Int!) {
    markRead(chatId: $chatId, seq: $seq) {
      id
    }
  }
`);

/** What PostgreSQL says to a connection that an administrator ends: ErrorResponse, message formats of its manual. */
const FIELDS = ['SFATAL', 'VFATAL', 'C57P01', 'Mterminating connection due to administrator command'];
const TERMINATED = (() => {
  const body = Buffer.from(`${FIELDS.map((field) => `${field}\0`).join('')}\0`);
  const head = Buffer.alloc(5);
  head.write('E');
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
})();
/** ReadyForQuery, outside of a transaction. */
const READY = Buffer.from([0x5a, 0, 0, 0, 5, 0x49]);

/** Not the end of a transaction. */
const answersOneStatement = (chunk: Buffer) =>
  chunk.subarray(-READY.length).equals(READY) && !chunk.includes('COMMIT\0') && !chunk.includes('ROLLBACK\0');

const TIMES = 10;

/**
 * The last answer and the end of the connection arrive in one piece, just when the connection changes hands: an error
 * that nobody listens to would end the process.
 */
describe.runIf(backend === 'distributed')('PostgreSQL ends a connection right behind its answer', () => {
  it(`and the server lives on, ${TIMES} times`, { timeout: 120_000 }, async () => {
    const postgres = await startPrivatePostgres();
    const url = new URL(postgres.url);
    const proxy = await startTcpProxy({ port: Number(url.port) });
    url.port = String(proxy.port);
    const cluster = await startCluster({ nodes: 1, env: { DATABASE_URL: url.href, DATABASE_POOL_SIZE: '1' } });
    const ann = await registerPerson(cluster);
    const bob = await registerPerson(cluster);
    const chat = await openDirectChat(ann, bob);
    const acknowledged: Known[] = [];

    for (let time = 0; time < TIMES; time += 1) {
      const isEnded = proxy.cutAfter('down', answersOneStatement, TERMINATED);
      // A statement gives the only connection back while its answer is read, to a transaction that waits for it.
      const writes = Array.from({ length: 10 }, async (_, nth) => {
        const name = `message ${time} ${nth}`;
        const sending = sendUntilKnown(ann, { chatId: chat.id, body: name, clientId: name });
        await eventually(() => bob.client().request(MarkRead, { chatId: chat.id, seq: time }));
        acknowledged.push((await sending).message);
      });
      await Promise.all([isEnded, ...writes]);
    }

    const history = await readHistory(bob, chat.id);
    expect(history).toHaveLength(10 * TIMES);
    expect(findFaults({ acknowledged, followed: [], history })).toEqual([]);
    await cluster.stop();
    await proxy.close();
    await postgres.remove();
  });
});
