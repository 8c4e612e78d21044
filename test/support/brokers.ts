import { pino } from 'pino';
import type { Logger } from '../../src/logger.ts';
import type { Broker, BrokerSubscription } from '../../src/realtime/broker.ts';
import { within } from './wait.ts';

export interface LogLine {
  level: number;
  msg: string;
}

export const INFO = 30;
export const WARN = 40;

/** A logger that keeps its lines. */
export function createKeptLog(): { logger: Logger; lines: LogLine[] } {
  const lines: LogLine[] = [];
  const logger = pino({ level: 'debug' }, { write: (line: string) => void lines.push(JSON.parse(line) as LogLine) });
  return { logger, lines };
}

export interface Ear extends BrokerSubscription {
  /** The revisions that came, in order of arrival. */
  readonly heard: number[];
  /** Settles once this revision has come. */
  hears(revision: number): Promise<void>;
}

export function listen(broker: Broker, topic: string): Ear {
  const heard: number[] = [];
  const waiting = new Map<number, () => void>();
  const subscription = broker.subscribe(topic, ({ revision }) => {
    heard.push(revision);
    waiting.get(revision)?.();
  });
  return {
    heard,
    ...subscription,
    async hears(revision) {
      if (heard.includes(revision)) return;
      await within(new Promise<void>((resolve) => waiting.set(revision, resolve)), 5_000, `hint ${revision}`);
    },
  };
}

/** Listens, and waits until hints arrive. */
export async function listenReady(broker: Broker, topic: string): Promise<Ear> {
  const ear = listen(broker, topic);
  await within(ear.ready, 10_000, `ready on ${topic}`);
  return ear;
}
