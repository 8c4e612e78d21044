import type { Reporter, TestModule, TestRunEndReason } from 'vitest/node';

/** Ends the run with one plain line over all projects, for people and scripts alike. */
export class SummaryReporter implements Reporter {
  readonly #notRun: readonly string[];

  /** @param notRun what this machine cannot run, and how to get it; printed before the summary. */
  constructor(notRun: readonly string[] = []) {
    this.#notRun = notRun;
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[], reason: TestRunEndReason): void {
    const count = { passed: 0, failed: 0, skipped: 0, pending: 0 };
    for (const module of modules) {
      let failedHere = 0;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        count[state]++;
        if (state === 'failed') failedHere++;
      }
      // A file that could not be loaded, or whose hook threw, has failed even when none of its tests has.
      if (!module.ok() && failedHere === 0) count.failed++;
    }
    count.failed += unhandledErrors.length;
    if (reason === 'failed' && count.failed === 0) count.failed++;
    const skipped = count.skipped + count.pending;
    for (const line of this.#notRun) console.log(line);
    console.log(`Tests: ${count.passed} passed, ${count.failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
  }
}
