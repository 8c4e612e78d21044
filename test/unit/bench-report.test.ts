import { describe, expect, it } from 'vitest';
import { renderReport } from '../../bench/support/report.ts';
import type { Bound, Comparison, Report } from '../../bench/support/report.ts';
import { format, formatSpread, measureInTurn, spreadOf } from '../../bench/support/samples.ts';
import type { Contestant, Figures, Samples } from '../../bench/support/samples.ts';
import { quantile } from '../support/size.ts';

const CASE = 'A case';

/** The runs of one figure, by contestant. */
function samplesOf(figure: string, runs: Record<string, number[]>, title = CASE): Samples {
  const contestants = Object.entries(runs).map(([name, values]): [string, Figures[]] => [
    name,
    values.map((value) => ({ [figure]: value })),
  ]);
  return new Map([[title, new Map(contestants)]]);
}

/** The cells of every row of the tables of a report. */
const rowsOf = (report: Partial<Report> & Pick<Report, 'samples'>) =>
  renderReport({ about: '', comparisons: [], ...report })
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .map((line) => line.slice(2, -2).split(' | '));

/** What the only comparison comes to: ratio, target, verdict. */
function compare(runs: { ours: number[]; theirs: number[] }, options: Partial<Comparison> = {}) {
  const comparison = { case: CASE, figure: 'x', of: 'ours', to: 'theirs', ...options };
  return rowsOf({ samples: samplesOf('x', runs), comparisons: [comparison] })
    .at(-1)!
    .slice(1);
}

const hold = (values: number[], bound: Pick<Bound, 'atLeast' | 'atMost'>) =>
  rowsOf({
    samples: samplesOf('x', { ours: values }),
    bounds: [{ case: CASE, figure: 'x', of: 'ours', ...bound }],
  })
    .at(-1)!
    .slice(1);

describe('a spread', () => {
  it.each([
    [[7], { min: 7, median: 7, max: 7 }],
    [[30, 4, 100], { min: 4, median: 30, max: 100 }],
    [[4, 1, 3, 2], { min: 1, median: 2.5, max: 4 }],
    [[], { min: NaN, median: NaN, max: NaN }],
  ])('of %j', (values, spread) => {
    expect(spreadOf(values)).toEqual(spread);
  });

  it('leaves the order of the runs as it was', () => {
    const values = [3, 1, 2];
    spreadOf(values);
    expect(values).toEqual([3, 1, 2]);
  });

  it('is shown with three digits that count, and as one number where there is but one', () => {
    expect([1234.5, 123.4, 12.345, 0.98765, NaN, Infinity].map(format)).toEqual([
      '1,235',
      '123',
      '12.3',
      '0.99',
      '–',
      '–',
    ]);
    expect(formatSpread({ min: 1, median: 2, max: 3 })).toBe('2.00 (1.00–3.00)');
    expect(formatSpread({ min: 2, median: 2, max: 2 })).toBe('2.00');
  });
});

describe('a quantile', () => {
  it('is the value that so many stay within', () => {
    const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect([0, 0.5, 0.99, 1].map((share) => quantile(hundred, share))).toEqual([1, 51, 100, 100]);
    expect(quantile([5], 0.99)).toBe(5);
    expect(quantile([], 0.5)).toBeNaN();
  });
});

describe('a comparison', () => {
  it('is taken within each run, and is not that of the medians', () => {
    expect(compare({ ours: [10, 40, 90], theirs: [10, 10, 30] })[0]).toBe('3.00 (1.00–4.00) ×');
  });

  it('says how many times as good, whether more or less is better', () => {
    expect(compare({ ours: [20], theirs: [10] })[0]).toBe('2.00 ×');
    expect(compare({ ours: [20], theirs: [10] }, { lessIsBetter: true })[0]).toBe('0.50 ×');
  });

  it.each([
    ['met', 20, 10, false],
    ['met', 10, 20, true],
    ['**missed**', 19, 10, false],
    ['**missed**', 10, 19, true],
  ])('is %s at %d to %d where twice as good is wanted', (verdict, ours, theirs, lessIsBetter) => {
    const [, target, said] = compare({ ours: [ours], theirs: [theirs] }, { lessIsBetter, atLeast: 2 });
    expect([target, said]).toEqual(['at least 2', verdict]);
  });

  it('is judged by its median', () => {
    expect(compare({ ours: [1, 20, 30], theirs: [10, 10, 10] }, { atLeast: 2 })[2]).toBe('met');
    expect(compare({ ours: [1, 19, 90], theirs: [10, 10, 10] }, { atLeast: 2 })[2]).toBe('**missed**');
  });

  it('has no verdict without a target', () => {
    expect(compare({ ours: [1], theirs: [2] })).toEqual(['0.50 ×', '', '']);
  });

  it('may be with another case', () => {
    const samples = new Map([...samplesOf('x', { ours: [10] }), ...samplesOf('x', { ours: [40] }, 'Another case')]);
    const comparisons = [{ case: CASE, figure: 'x', of: 'ours', to: 'ours', toCase: 'Another case' }];
    expect(rowsOf({ samples, comparisons })).toContainEqual(['ours to ours, another case, x', '0.25 ×', '', '']);
  });

  it('is left out with those who were not measured', () => {
    const comparisons = [{ case: CASE, figure: 'x', of: 'ours', to: 'nobody', atLeast: 2 }];
    expect(rowsOf({ samples: samplesOf('x', { ours: [10] }), comparisons })).toEqual(
      rowsOf({ samples: samplesOf('x', { ours: [10] }) }),
    );
  });
});

describe('a bound', () => {
  it.each([
    ['met', [1, 10, 90], { atLeast: 10 }],
    ['**missed**', [1, 9.9, 90], { atLeast: 10 }],
    ['met', [1, 10, 90], { atMost: 10 }],
    ['**missed**', [1, 10.1, 90], { atMost: 10 }],
  ])('is %s by %j within %j', (verdict, values, bound) => {
    expect(hold(values, bound)[2]).toBe(verdict);
  });

  it('shows what was wanted', () => {
    expect(hold([10], { atLeast: 9 })).toEqual(['10.0', 'at least 9', 'met']);
    expect(hold([10], { atMost: 9 })).toEqual(['10.0', 'at most 9', '**missed**']);
  });
});

describe('contestants', () => {
  const measured: string[] = [];
  const contestant = (name: string): Contestant => ({
    name,
    async measure() {
      measured.push(name);
      return { [CASE]: { x: measured.length } };
    },
  });
  const measure = async (isProfiling: boolean) => {
    measured.length = 0;
    const size = { runs: 2, warmUpSeconds: 0, seconds: 0, isQuick: false, isProfiling };
    return measureInTurn([contestant('Parley'), contestant('another')], { size, log: () => {} });
  };

  it('are measured in turn, and keep the order of the runs', async () => {
    const samples = await measure(false);
    expect(measured).toEqual(['Parley', 'another', 'Parley', 'another']);
    expect([...samples.get(CASE)!]).toEqual([
      ['Parley', [{ x: 1 }, { x: 3 }]],
      ['another', [{ x: 2 }, { x: 4 }]],
    ]);
  });

  it('are Parley alone where profiles are taken', async () => {
    await measure(true);
    expect(measured).toEqual(['Parley', 'Parley']);
  });
});
