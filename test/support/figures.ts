import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Page } from 'playwright-core';
import { isWritingFigures } from './size.ts';

const SCREENSHOTS = resolve(import.meta.dirname, '../../examples/ionic-chat/screenshots');
const README = resolve(import.meta.dirname, '../../README.md');
const TABLE = /(<!-- figures -->\n)[^]*?(<!-- \/figures -->)/;

/** For the README. */
export async function keepScreenshot(page: Page, name: string): Promise<void> {
  if (isWritingFigures) await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), animations: 'disabled' });
}

/** Puts a figure into the README's table. */
export function noteFigure(what: string, value: string): void {
  if (!isWritingFigures) return;
  console.log(`${what}: ${value}`);
  const readme = readFileSync(README, 'utf8');
  const rows = new Map(
    [...(TABLE.exec(readme)?.[0] ?? '').matchAll(/^\| (?!figure|-)(.+?) +\| (.+?) +\|$/gm)].map(([, name, text]) => [
      name!,
      text!,
    ]),
  );
  rows.set(what, value);
  const table = ['| figure | measured |', '| --- | --- |', ...[...rows].map(([name, text]) => `| ${name} | ${text} |`)];
  writeFileSync(README, readme.replace(TABLE, `$1\n${table.join('\n')}\n\n$2`));
}
