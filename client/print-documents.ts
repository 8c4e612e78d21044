import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { getOperationAST } from 'graphql';
import type { DocumentNode } from 'graphql';
import { documentText } from './src/document-text.ts';
import * as generated from './src/generated/graphql.ts';

// node print-documents.ts FILE: lists what this package sends, as an Apollo persisted query manifest.
const [file] = process.argv.slice(2);
if (!file) throw new Error('usage: print-documents FILE');

const operations = Object.values<DocumentNode>(generated).flatMap((document) => {
  const operation = getOperationAST(document);
  if (!operation?.name) return [];
  const body = documentText(document);
  const id = createHash('sha256').update(body).digest('hex');
  return [{ id, name: operation.name.value, type: operation.operation, body }];
});
writeFileSync(
  file,
  `${JSON.stringify({ format: 'apollo-persisted-query-manifest', version: 1, operations }, null, 2)}\n`,
);
