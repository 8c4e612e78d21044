import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createClient } from '../support/client.ts';
import type { Transport } from '../support/client.ts';
import { startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';

const README = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');

/** The blocks to paste, in their order, as the README has them. */
function pastedBlocks(): string[] {
  const section = README.split('\n## ').find((part) => part.startsWith('A first conversation'))!;
  return [...section.matchAll(/```graphql\n([^]*?)```/g)].map((match) => match[1]!);
}

describe('the first conversation of the README', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(() => cluster?.stop());

  it.each(['ws', 'sse'] as const)('works as it is pasted, and is heard over %s', async (transport: Transport) => {
    const [signUpAnn, signUpBob, openChat, listen, write] = pastedBlocks();
    const paste = async (text: string, token?: string) =>
      (await createClient(cluster.node(0), token === undefined ? {} : { token }).request(text)) as any;
    // The second round signs up two others.
    const own = (text: string) => text.replace('@example.org', `+${transport}@example.org`);

    const ann = (await paste(own(signUpAnn!))).register;
    const bob = (await paste(own(signUpBob!))).register;
    const chat = (await paste(openChat!.replace("<Bob's id>", bob.user.id), ann.accessToken)).createChat;

    const stream = await createClient(cluster.node(1), { token: bob.accessToken }).subscribe(
      listen!.replace("<the chat's id>", chat.id),
      {},
      { transport },
    );
    const message = write!.replace("<the chat's id>", chat.id);
    const { sendMessage } = await paste(message, ann.accessToken);
    expect(sendMessage).toMatchObject({ seq: 1 });
    expect(await stream.next()).toEqual({
      messageAdded: { seq: 1, body: 'Hello, Bob!', author: { firstName: 'Ann' } },
    });

    // Sent again it is the same message, and Bob hears nothing new: what he hears next is another.
    expect((await paste(message, ann.accessToken)).sendMessage).toEqual(sendMessage);
    await paste(message.replace('"first"', '"second"').replace('Hello', 'Hello again'), ann.accessToken);
    expect(await stream.next()).toMatchObject({ messageAdded: { seq: 2, body: 'Hello again, Bob!' } });
    await stream.close();
  });
});
