import cluster from 'node:cluster';
import type { Worker } from 'node:cluster';
import { AggregatorRegistry } from 'prom-client';
import type { Aggregator, Registry } from 'prom-client';
import type { Exposition } from './metrics-listener.ts';

/** One metric as the library writes it for others to read. */
interface Figure {
  name: string;
  type: string;
  aggregator: Aggregator;
}

/** From the primary to a worker and, with figures, back. Beside what a worker says of its end, which is text. */
interface Message {
  figuresAsked: number;
  figures?: Figure[];
}

/** A worker that does not answer within this is given by what it said last. */
const ANSWER_WITHIN_MS = 1_000;

/** In a worker: answers the primary whenever it asks. */
export function answerPrimary(registry: Registry): void {
  process.on('message', ({ figuresAsked }: Partial<Message>) => {
    if (figuresAsked === undefined) return;
    void registry.getMetricsAsJSON().then((figures) => process.send?.({ figuresAsked, figures }));
  });
}

/**
 * In the primary: asks all workers that listen, and adds up. What a worker that has ended counted stays in the sums, as
 * far as it was asked in time: a sum that fell would look like a restart, and everything in it like new.
 */
export function gatherFigures(): () => Promise<Exposition> {
  const listening = new Set<Worker>();
  const last = new Map<Worker, Figure[]>();
  let former: Figure[] = [];
  let folding = Promise.resolve();
  /** Who asks while others do is given the same. */
  let round: Promise<Exposition> | undefined;
  let rounds = 0;
  let onAnswer = (_worker: Worker): void => {};

  cluster.on('listening', (worker) => void listening.add(worker));
  cluster.on('message', (worker, { figuresAsked, figures }: Partial<Message>) => {
    // What comes from one that has ended is in the sums already.
    if (!figures || !listening.has(worker)) return;
    last.set(worker, figures);
    if (figuresAsked === rounds) onAnswer(worker);
  });
  cluster.on('exit', (worker) => {
    listening.delete(worker);
    onAnswer(worker);
    const parting = last.get(worker);
    if (parting) folding = folding.then(() => fold(worker, parting));
  });

  async function fold(worker: Worker, parting: Figure[]): Promise<void> {
    const sums = await add([former, parting]).getMetricsAsJSON();
    former = (sums as unknown as Figure[]).filter(isCumulative);
    last.delete(worker);
  }

  function askAll(): Promise<void> {
    rounds += 1;
    const waitedFor = new Set(listening);
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ANSWER_WITHIN_MS);
      onAnswer = (worker) => {
        waitedFor.delete(worker);
        if (waitedFor.size > 0) return;
        clearTimeout(timer);
        resolve();
      };
      if (waitedFor.size === 0) return resolve();
      for (const worker of waitedFor)
        worker.send({ figuresAsked: rounds } satisfies Message, (error) => error && onAnswer(worker));
    });
  }

  async function gather(): Promise<Exposition> {
    await askAll();
    const sum = add([...last.values(), former]);
    return { contentType: sum.contentType, text: await sum.metrics() };
  }

  return () => (round ??= gather().finally(() => (round = undefined)));
}

function add(figures: Figure[][]): Registry {
  return AggregatorRegistry.aggregate(figures.map((ofOne) => ofOne.map(worstLag)));
}

/** Of several event loops the slowest matters: a mean would hide it. */
function worstLag(figure: Figure): Figure {
  return figure.name.startsWith('nodejs_eventloop_lag') ? { ...figure, aggregator: 'max' } : figure;
}

function isCumulative({ type }: Figure): boolean {
  return type === 'counter' || type === 'histogram';
}
