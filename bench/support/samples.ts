import type { Stage } from './stage.ts';

/** What one measurement of one contestant says, by the name of the figure. */
export type Figures = Record<string, number>;

/** One of those that are measured beside each other. */
export interface Contestant {
  name: string;
  /** Starts it, warms it up, measures it, checks that nothing was lost, stops it. By the title of the case. */
  measure(): Promise<Record<string, Figures>>;
}

/** A message was counted that was not kept, or not delivered. */
export class LostMessageError extends Error {}

/** Every figure of every contestant in every case, in the order of the runs. */
export type Samples = Map<string, Map<string, Figures[]>>;

export const PARLEY = 'Parley';

/** One contestant after the other, and all of that again: so that whatever else the machine does falls on everybody. */
export async function measureInTurn(
  contestants: readonly Contestant[],
  { size: { runs, isProfiling }, log }: Pick<Stage, 'size' | 'log'>,
): Promise<Samples> {
  const samples: Samples = new Map();
  for (let run = 1; run <= runs; run += 1)
    for (const { name, measure } of contestants) {
      if (isProfiling && name !== PARLEY) continue;
      const startedAt = performance.now();
      const cases = await measure();
      for (const [title, figures] of Object.entries(cases)) {
        const ofCase = samples.get(title) ?? new Map<string, Figures[]>();
        samples.set(title, ofCase);
        ofCase.set(name, [...(ofCase.get(name) ?? []), figures]);
        const shown = Object.entries(figures).map(([figure, value]) => `${figure} ${format(value)}`);
        log(`  run ${run}, ${title}, ${name}: ${shown.join(', ')}`);
      }
      log(`  run ${run}, ${name}: ${Math.round((performance.now() - startedAt) / 1000)} s in all`);
    }
  return samples;
}

export interface Spread {
  min: number;
  median: number;
  max: number;
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const median =
    sorted.length % 2 === 1 ? sorted[Math.floor(middle)]! : (sorted[middle - 1]! + (sorted[middle] ?? NaN)) / 2;
  return { min: sorted[0] ?? NaN, median, max: sorted.at(-1) ?? NaN };
}

/** Three digits that count. */
export function format(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

export function formatSpread({ min, median, max }: Spread): string {
  return min === max || Number.isNaN(median) ? format(median) : `${format(median)} (${format(min)}–${format(max)})`;
}
