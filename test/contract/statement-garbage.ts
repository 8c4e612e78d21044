import { createLogger } from '../../src/logger.ts';
import { openDatabase } from '../../src/persistence/open-database.ts';
import { sayWhetherGone } from '../support/garbage.ts';

/*
 * Says whether what statements have found goes with the quick collection of garbage. The argument, if there is one, is
 * the JSON of what the statements are given up by.
 */

const BYTES = 4_000;
const READS = 500;

const until = process.argv[2] === undefined ? undefined : (JSON.parse(process.argv[2]) as { isCancelled: boolean });
const database = await openDatabase({
  url: process.env.TEST_DATABASE_URL!,
  dataDir: '',
  poolSize: 1,
  logger: createLogger('silent'),
});
await sayWhetherGone(async () => {
  for (let nth = 0; nth < READS; nth += 1)
    await database.query.until(until)`SELECT string_to_array(repeat(${'text '}, ${BYTES / 8}::int), ' ') AS words`;
}, READS * BYTES);
await database.close();
