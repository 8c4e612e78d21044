import cluster from 'node:cluster';
import { listenForScrapes } from './metrics-listener.ts';
import type { MetricsAddress } from './metrics-listener.ts';
import { NO_METRICS } from './metrics.ts';
import type { Metrics } from './metrics.ts';

export interface OpenMetrics {
  metrics: Metrics;
  /** Where this process answers; undefined: it does not. */
  port: number | undefined;
  close(): Promise<void>;
}

/**
 * What a process that serves people tells of itself: to whoever asks at the address, or, if it is one of several
 * workers, to their primary. Without an address nothing is kept, and no library is loaded.
 *
 * @throws EADDRINUSE and the like.
 */
export async function openMetrics(address: MetricsAddress | undefined): Promise<OpenMetrics> {
  if (!address) return { metrics: NO_METRICS, port: undefined, close: async () => {} };
  const { createPrometheus } = await import('./prometheus.ts');
  const { metrics, registry } = createPrometheus();
  if (cluster.isWorker) {
    const { answerPrimary } = await import('./worker-figures.ts');
    answerPrimary(registry);
    return { metrics, port: undefined, close: async () => {} };
  }
  const listener = await listenForScrapes(address, async () => ({
    contentType: registry.contentType,
    text: await registry.metrics(),
  }));
  return { metrics, ...listener };
}

/** What the primary of several workers tells: the sum of them. @throws EADDRINUSE and the like. */
export async function openSummedMetrics(address: MetricsAddress): Promise<{ port: number }> {
  const { gatherFigures } = await import('./worker-figures.ts');
  return listenForScrapes(address, gatherFigures());
}
