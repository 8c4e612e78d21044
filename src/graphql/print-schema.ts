import { readFileSync, writeFileSync } from 'node:fs';
import { printSchema } from 'graphql';
import { createSchema } from './schema.ts';

// node print-schema.ts [--check] FILE: writes the SDL, or fails when the file says otherwise.
const [file, check] = process.argv.slice(2).toSorted((a, b) => Number(a === '--check') - Number(b === '--check'));
const sdl = `${printSchema(createSchema())}\n`;
if (!file) throw new Error('usage: print-schema [--check] FILE');
if (check === undefined) writeFileSync(file, sdl);
else if (readFileSync(file, 'utf8') !== sdl) {
  console.error(`${file} is not what the code says: run npm run schema:print`);
  process.exitCode = 1;
}
