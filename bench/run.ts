import { parseArgs } from 'node:util';
import { django } from './scenarios/django.ts';
import { fanOut } from './scenarios/fan-out.ts';
import { growth } from './scenarios/growth.ts';
import { http } from './scenarios/http.ts';
import { memory } from './scenarios/memory.ts';
import { reads } from './scenarios/reads.ts';
import { sends } from './scenarios/sends.ts';
import { start } from './scenarios/start.ts';
import { workers } from './scenarios/workers.ts';
import { checkOpenFiles, pinLoad } from './support/affinity.ts';
import { describeMachine } from './support/machine.ts';
import { keepSection, renderReport } from './support/report.ts';
import { createStage, FULL, QUICK } from './support/stage.ts';
import type { Size } from './support/stage.ts';

/*
 * npm run bench [-- [--quick] [--profile] scenario …]
 *
 * Measures Parley beside its peers, shows the figures, and keeps those of a full run in RESULTS.md; with --profile,
 * runs Parley alone, and tells where its time goes. Exit code 1: a message was lost, or something did not work.
 */

const SCENARIOS = [fanOut, sends, reads, http, memory, start, workers, django, growth];
/** Profiled when no other is named. */
const HOT_PATHS = ['fan-out', 'sends', 'reads'];

function sizeOf({ quick = false, profile = false }: { quick?: boolean; profile?: boolean }): Size {
  const size = quick ? QUICK : FULL;
  return profile ? { ...size, runs: 1, isProfiling: true } : size;
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { quick: { type: 'boolean' }, profile: { type: 'boolean' } },
  });
  const unknown = positionals.filter((name) => !SCENARIOS.some((scenario) => scenario.name === name));
  if (unknown.length > 0)
    throw new Error(
      `No scenario is called ${unknown.join(', ')}. There are: ${SCENARIOS.map((one) => one.name).join(', ')}.`,
    );
  const wanted = positionals.length === 0 && values.profile ? HOT_PATHS : positionals;
  const chosen = SCENARIOS.filter(({ name }) => wanted.length === 0 || wanted.includes(name));

  checkOpenFiles();
  pinLoad();
  const machine = describeMachine();
  console.log(machine);
  const stage = createStage(sizeOf(values), (line) => console.error(line));
  let failures = 0;
  try {
    for (const { name, title, run } of chosen) {
      stage.log(`${title} …`);
      try {
        const report = await run(stage);
        if (values.profile) continue;
        const text = `## ${title}\n\n${machine}\n\n${renderReport(report)}`;
        console.log(`\n${text}\n`);
        if (!values.quick) keepSection(name, text);
      } catch (error) {
        // What was lost here says nothing about the next.
        failures += 1;
        console.error(`${title} failed:`, error);
      }
    }
    if (values.profile) {
      const profiles = [...stage.profiles].map(([name, profile]) => `### ${name}\n\n${profile}`);
      const text = ['## Profiles', machine, ...profiles].join('\n\n');
      console.log(text);
      if (!values.quick) keepSection('profiles', text);
    }
  } finally {
    await stage.close();
  }
  return failures === 0 ? 0 : 1;
}

main().then(
  (exitCode) => process.exit(exitCode),
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);
