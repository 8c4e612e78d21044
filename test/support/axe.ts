import type { AxeResults } from 'axe-core';
import axe from 'axe-core';
import type { Page } from 'playwright-core';

/**
 * What axe finds against WCAG 2.2, levels A and AA, on the page as it is shown now: a line for each rule that is
 * broken, with where. Of pages that are kept behind the present one nothing is said.
 */
export async function accessibilityFaults(page: Page): Promise<string[]> {
  // Over the debugger: the page's own policy takes no scripts of others.
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate((): Promise<AxeResults> =>
    (window as unknown as { axe: typeof axe }).axe.run(
      { exclude: ['.ion-page-hidden'] },
      { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] },
    ),
  );
  return violations.map(
    ({ id, help, nodes }) =>
      `${id}: ${help}\n${nodes.map(({ target, failureSummary }) => `  ${target.join(' ')}\n  ${failureSummary}`).join('\n')}`,
  );
}
