import { hash, verify } from '@node-rs/argon2';
import { createLimiter } from '../limiter.ts';
import type { QueueLength } from '../metrics/metrics.ts';

export interface Passwords {
  /** A PHC string, `$argon2id$v=19$m=19456,t=2,p=1$…`. */
  hash(password: string): Promise<string>;
  /** Takes the same time without a hash to compare with, so that an unknown account cannot be told by the clock. */
  verify(phc: string | null, password: string): Promise<boolean>;
  /** How many are at work, and wait for their turn. */
  count(): QueueLength;
}

/** The least that OWASP's password storage cheat sheet asks of argon2id. */
const OPTIONS = { algorithm: 2 /* argon2id */, memoryCost: 19_456, timeCost: 2, parallelism: 1 };

/** Hashing runs in libuv's threads, which files and DNS need too: a flood of logins may have two of the four. */
const MAX_CONCURRENT = 2;

/** Some seconds' worth: who would wait for longer has given up by then, and is told to come again at once. */
const MAX_WAITING = 200;

export function createPasswords(): Passwords {
  const limited = createLimiter(MAX_CONCURRENT, MAX_WAITING);
  let decoy: Promise<string> | undefined;
  return {
    hash: (password) => limited(() => hash(password, OPTIONS)),
    async verify(phc, password) {
      decoy ??= hash('no account has this password', OPTIONS);
      const against = phc ?? (await decoy);
      const matches = await limited(() => verify(against, password));
      return matches && phc !== null;
    },
    count: limited.count,
  };
}
