import { setTimeout as delay } from 'node:timers/promises';
import { createLogger } from '../../src/logger.ts';
import { openDatabase } from '../../src/persistence/open-database.ts';
import { keptBy } from '../support/garbage.ts';

/*
 * Says whether what statements have found goes with the quick collection of garbage. The argument, if there is one, is
 * the JSON of what the statements are given up by.
 */

const ROUNDS = 60;
const BYTES = 4_000;
const READS = 500;

const until = process.argv[2] === undefined ? undefined : (JSON.parse(process.argv[2]) as { isCancelled: boolean });
const database = await openDatabase({
  url: process.env.TEST_DATABASE_URL!,
  dataDir: '',
  poolSize: 1,
  logger: createLogger('silent'),
});

async function read() {
  for (let nth = 0; nth < READS; nth += 1)
    await database.query.until(until)`SELECT string_to_array(repeat(${'text '}, ${BYTES / 8}::int), ' ') AS words`;
}

let kept = Infinity;
// Not before V8 has compiled it, which it does when it has the time.
for (let round = 0; round < ROUNDS && kept >= READS * BYTES; round += 1) {
  kept = await keptBy(read);
  await delay(25);
}
console.log(kept < READS * BYTES ? 'gone' : `${kept} bytes kept`);
await database.close();
