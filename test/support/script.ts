import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** What a script of the tests says on standard output, in a process of its own that can collect garbage. */
export async function runScript(script: URL, ...args: string[]): Promise<string> {
  const { stdout } = await run(process.execPath, ['--expose-gc', '--import', 'tsx', fileURLToPath(script), ...args]);
  return stdout;
}
