import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbedded } from '../src/persistence/embedded.ts';
import { packTemplate, templateFile } from '../src/persistence/embedded-template.ts';
import { applyMigrations } from '../src/persistence/migrations.ts';

/* Part of the build: what every new embedded database starts as. */

const file = await templateFile();
if (!existsSync(file)) {
  const directory = await mkdtemp(join(tmpdir(), 'parley-template-'));
  try {
    const engine = await startEmbedded(directory);
    await applyMigrations(engine.adapter).finally(() => engine.close());
    packTemplate(join(directory, 'pgdata'), file);
  } finally {
    await rm(directory, { recursive: true });
  }
}
