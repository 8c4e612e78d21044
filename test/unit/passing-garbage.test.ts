import { expect, it } from 'vitest';
import { runScript } from '../support/script.ts';

it.each(['coalescer', 'batch'])('What passes through a %s goes with the quick collection of garbage', async (name) => {
  expect(await runScript(new URL('passing-garbage.ts', import.meta.url), name)).toBe('gone\n');
});
