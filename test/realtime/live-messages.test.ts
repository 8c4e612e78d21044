import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { graphql } from '../support/generated/index.ts';
import { openDirectChat, registerPerson, send } from '../support/people.ts';

const Added = graphql(/* GraphQL */ `
  subscription LiveAdded($chatId: ID!, $afterSeq: Int) {
    messageAdded(chatId: $chatId, afterSeq: $afterSeq) {
      id
      seq
      body
      author {
        id
        firstName
      }
    }
  }
`);

describe('messageAdded', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(() => cluster?.stop());

  it.each(['ws', 'sse'] as const)('carries what one node accepts to a subscriber of the other, over %s', async (transport) => {
    const ann = await registerPerson(cluster, { firstName: 'Ann' });
    const bob = await registerPerson(cluster, { firstName: 'Bob' });
    const chat = await openDirectChat(ann, bob);
    await send(ann, chat, 'before');
    const stream = await bob.client(1).subscribe(Added, { chatId: chat.id, afterSeq: 0 }, { transport });
    expect((await stream.next()).messageAdded).toMatchObject({ seq: 1, body: 'before', author: { id: ann.id } });
    await send(ann, chat, 'after');
    expect((await stream.next()).messageAdded).toMatchObject({ seq: 2, body: 'after', author: { firstName: 'Ann' } });
    await stream.close();
  });
});
