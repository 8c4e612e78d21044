import type { Audience, Speaker } from './audience.ts';
import { gatherAudience, gatherSpeakers } from './audience.ts';
import { BODY } from './dialects.ts';
import type { Dialect } from './dialects.ts';
import type { Figures } from './samples.ts';
import { cpuTimeOf } from './server.ts';
import type { Server } from './server.ts';
import type { Metered, Stage } from './stage.ts';

const BURSTS = [1, 4];

export const fanOutTitle = (listeners: number, burst: number) =>
  burst === 1 ? `One message to ${listeners} subscribers` : `Messages, ${burst} at a time, to ${listeners} subscribers`;

export interface Cast {
  listeners: readonly Dialect[];
  speaker: Dialect;
  /** Over how many connections the speaker takes turns. Default: 8. */
  connections?: number;
  onSaid?: () => void;
  /** The same speaker where nobody listens. */
  aside?: Dialect;
}

type Measured = Metered & Pick<Server, 'port' | 'stop'>;

/** Stops the server at the end. */
export async function measureFanOut(stage: Stage, server: Measured, cast: Cast): Promise<Record<string, Figures>> {
  const audience = await gatherAudience(server.port, cast.listeners);
  const speaker = await gatherSpeakers(server.port, cast.speaker, cast.connections);
  const { warmUpSeconds, seconds } = stage.size;
  try {
    const cases: Record<string, Figures> = {};
    for (const burst of BURSTS) {
      const title = fanOutTitle(audience.size, burst);
      const sendCost = cast.aside ? await measureSendCost(stage, server, cast.aside, burst) : 0;
      const say = () => sayToAll(audience, speaker, burst, cast.onSaid);
      await repeat(warmUpSeconds, say);
      const { count, elapsedMs, fanOutMs, cpuTime } = await stage.meter(title, server, async () => {
        const { rounds, ...times } = await repeat(seconds, say);
        return { count: rounds * burst * audience.size, ...times };
      });
      cases[title] = {
        'fan-out/s': (count * 1000) / fanOutMs,
        'deliveries/s': (count * 1000) / elapsedMs,
        'CPU µs/delivery': cpuTime / count,
        'send apart': cpuTime / count - sendCost / audience.size,
        busy: cpuTime / 1000 / elapsedMs,
      };
    }
    return cases;
  } finally {
    audience.close();
    speaker.close();
    await server.stop();
  }
}

/** Microseconds of processor time for one message to nobody, so many sent at a time. */
async function measureSendCost({ size }: Stage, server: Measured, dialect: Dialect, burst: number): Promise<number> {
  const speaker = await gatherSpeakers(server.port, dialect);
  const say = async () => {
    await Promise.all(Array.from({ length: burst }, () => speaker.say(BODY)));
    return 0;
  };
  await repeat(size.warmUpSeconds, say);
  const usedBefore = cpuTimeOf(server);
  const { rounds } = await repeat(size.seconds, say);
  speaker.close();
  return (cpuTimeOf(server) - usedBefore) / (rounds * burst);
}

/** Returns when everybody has them all; tells how long it took from the first delivery to the last. */
async function sayToAll(audience: Audience, speaker: Speaker, burst: number, onSaid = () => {}): Promise<number> {
  const delivered = audience.expect(burst * audience.size);
  const answered = Array.from({ length: burst }, async () => {
    await speaker.say(BODY);
    onSaid();
  });
  await Promise.all([delivered, ...answered]);
  return audience.lastAt - audience.firstAt;
}

async function repeat(seconds: number, round: () => Promise<number>) {
  const startedAt = performance.now();
  const end = startedAt + seconds * 1000;
  let rounds = 0;
  let fanOutMs = 0;
  for (; performance.now() < end; rounds += 1) fanOutMs += await round();
  return { rounds, elapsedMs: performance.now() - startedAt, fanOutMs };
}
