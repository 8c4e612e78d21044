import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatSpread, spreadOf } from './samples.ts';
import type { Figures, Samples } from './samples.ts';

/** How many times as good one contestant is as another by one figure, run by run. */
export interface Comparison {
  case: string;
  figure: string;
  of: string;
  to: string;
  /** Default: the same case. */
  toCase?: string;
  /** Default: where more is better. */
  lessIsBetter?: boolean;
  atLeast?: number;
}

/** What a figure has to be whatever others are. */
export interface Bound {
  case: string;
  figure: string;
  of: string;
  atLeast?: number;
  atMost?: number;
}

export interface Report {
  /** What was done, and how to read the figures: a paragraph or two. */
  about: string;
  samples: Samples;
  comparisons: readonly Comparison[];
  bounds?: readonly Bound[];
  /** Lines about who was not measured, and why. */
  skipped?: readonly string[];
}

const RESULTS = join(import.meta.dirname, '../RESULTS.md');

/** As Markdown. */
export function renderReport({ about, samples, comparisons, bounds = [], skipped = [] }: Report): string {
  const cases = [...samples].map(([title, contestants]) => {
    const verdicts = [
      ...comparisons.filter((one) => one.case === title).flatMap((one) => renderComparison(one, samples)),
      ...bounds.filter((one) => one.case === title).flatMap((one) => renderBound(one, contestants)),
    ];
    return [
      `### ${title}`,
      renderFigures(contestants),
      ...(verdicts.length > 0
        ? [table(['times as good, or the figure itself', 'median (min–max)', 'target', ''], verdicts)]
        : []),
    ].join('\n\n');
  });
  return [about, ...cases, ...skipped.map((line) => `Skipped: ${line}`)].join('\n\n');
}

function renderFigures(contestants: ReadonlyMap<string, readonly Figures[]>): string {
  const names = [...new Set([...contestants.values()].flatMap((runs) => Object.keys(runs[0] ?? {})))];
  const rows = [...contestants].map(([contestant, runs]) => [
    contestant,
    ...names.map((name) => formatSpread(spreadOf(valuesOf(runs, name)))),
  ]);
  return table(['', ...names], rows);
}

function renderComparison(comparison: Comparison, samples: Samples): string[][] {
  const { figure, of, to, toCase = comparison.case, lessIsBetter = false, atLeast } = comparison;
  const ours = valuesOf(samples.get(comparison.case)?.get(of) ?? [], figure);
  const theirs = valuesOf(samples.get(toCase)?.get(to) ?? [], figure);
  if (ours.length === 0 || theirs.length === 0) return [];
  const ratio = spreadOf(ours.map((value, run) => (lessIsBetter ? theirs[run]! / value : value / theirs[run]!)));
  const other = toCase === comparison.case ? to : `${to}, ${toCase.toLowerCase()}`;
  return [
    [
      `${of} to ${other}, ${figure}`,
      `${formatSpread(ratio)} ×`,
      atLeast === undefined ? '' : `at least ${atLeast}`,
      atLeast === undefined ? '' : verdict(ratio.median >= atLeast),
    ],
  ];
}

function renderBound({ figure, of, atLeast, atMost }: Bound, contestants: ReadonlyMap<string, readonly Figures[]>) {
  const values = valuesOf(contestants.get(of) ?? [], figure);
  if (values.length === 0) return [];
  const spread = spreadOf(values);
  const isMet = spread.median >= (atLeast ?? -Infinity) && spread.median <= (atMost ?? Infinity);
  const target = atLeast === undefined ? `at most ${atMost}` : `at least ${atLeast}`;
  return [[`${of}, ${figure}`, formatSpread(spread), target, verdict(isMet)]];
}

const verdict = (isMet: boolean) => (isMet ? 'met' : '**missed**');

const valuesOf = (runs: readonly Figures[], figure: string) =>
  runs.map((figures) => figures[figure]).filter((value) => value !== undefined);

function table(head: readonly string[], rows: ReadonlyArray<readonly string[]>): string {
  const lines = [head, head.map(() => '---'), ...rows];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** Puts a section into the results, in place of the one with that name; the others stay as they were measured. */
export function keepSection(name: string, text: string): void {
  const before = existsSync(RESULTS) ? readFileSync(RESULTS, 'utf8') : '# Results\n';
  const section = `<!-- ${name} -->\n\n${text}\n\n<!-- /${name} -->`;
  const standing = new RegExp(`<!-- ${name} -->[^]*?<!-- /${name} -->`);
  const after = standing.test(before) ? before.replace(standing, () => section) : `${before.trimEnd()}\n\n${section}\n`;
  writeFileSync(RESULTS, after);
}
