import { setImmediate as nextRound, setTimeout as delay } from 'node:timers/promises';
import { createLogger } from '../../src/logger.ts';
import { createRedisBroker } from '../../src/realtime/redis-broker.ts';
import { sayWhetherGone } from '../support/garbage.ts';

/* Says whether what it takes to send hints goes with the quick collection of garbage. The argument is Redis's address. */

const ROUNDS = 1_000;
/** Of what is sent in one round, with its answer. */
const BYTES = 2_000;

const broker = createRedisBroker({ urls: [process.argv[2]!], prefix: 'garbage:', logger: createLogger('silent') });
while (broker.status() !== 'up') await delay(20);
let revision = 0;
await sayWhetherGone(async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    revision += 1;
    broker.publish('chat:one', { revision });
    broker.publish('chat:other', { revision });
    await nextRound();
  }
}, ROUNDS * BYTES);
await broker.close();
