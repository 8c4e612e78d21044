import type { Writable } from 'node:stream';
import * as ws from 'ws';
import { describe, expect, it } from 'vitest';
import { NextFrames } from '../../src/server/next-frames.ts';
import type { Written } from '../../src/server/next-frames.ts';

/** What a client of ours reads from the bytes, by the receiver that ws itself uses. */
async function read(bytes: Buffer): Promise<string[]> {
  const messages: string[] = [];
  // Its types leave the receiver out.
  const { Receiver } = ws as unknown as { Receiver: new (options: object) => Writable };
  const receiver = new Receiver({ isServer: false });
  receiver.on('message', (data: Buffer, isBinary: boolean) => {
    expect(isBinary).toBe(false);
    messages.push(data.toString());
  });
  await new Promise<void>((resolve, reject) => {
    receiver.on('error', reject);
    receiver.write(bytes, () => resolve());
  });
  return messages;
}

/** The bytes as they are by the time that they are pushed, or, if they are kept, later. */
function written(frames: NextFrames, id: string, answers: readonly string[], how: Written = 'done'): Buffer {
  let kept: Buffer = Buffer.alloc(0);
  const push = (bytes: Buffer) => {
    kept = how === 'waiting' ? bytes : Buffer.from(bytes);
    return how;
  };
  expect(frames.outlet(id, { isFree: () => true, push }).push(answers)).toBe(how !== 'refused');
  return kept;
}

const next = (id: string, payload: unknown) => JSON.stringify({ id, type: 'next', payload });

describe('the frames of an answer', () => {
  it.each([1, 70, 125, 126, 400, 65_535, 65_536, 200_000])(
    'of %i characters are what a client expects',
    async (size) => {
      const payload = { data: 'x'.repeat(size) };
      expect(await read(written(new NextFrames(), 'an id', [JSON.stringify(payload)]))).toEqual([
        next('an id', payload),
      ]);
    },
  );

  it('differ by their ids alone, whatever these are', async () => {
    const frames = new NextFrames();
    const answers = [{ data: 'Grüße, \u{1f30a}' }, { data: 'und "mehr"' }];
    const texts = answers.map((answer) => JSON.stringify(answer));
    for (const id of ['1', 'ab', 'ba', 'é\u{1f30a}', '"\\\n', '\ud800', crypto.randomUUID(), 'x'.repeat(128)])
      expect(await read(written(frames, id, texts))).toEqual(answers.map((answer) => next(id, answer)));
  });

  it('that still wait to be sent are not written over', async () => {
    const frames = new NextFrames();
    const answers = ['{}'];
    const hows: Written[] = ['waiting', 'refused', 'waiting', 'done', 'waiting'];
    const ids = hows.map((_, nth) => `id ${nth}`);
    const all = hows.map((how, nth) => written(frames, ids[nth]!, answers, how));
    expect(await Promise.all(all.map(read))).toEqual(ids.map((id) => [next(id, {})]));
  });
});
