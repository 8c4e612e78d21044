import { readdirSync, readFileSync } from 'node:fs';
import { join, posix, relative } from 'node:path';
import { parseSync } from 'vite';
import { groupBy } from '../../src/group-by.ts';

export interface Import {
  /** The importing file, by its path below the root. */
  from: string;
  /** A file by its path below the root, or the name of a package with what follows it. */
  to: string;
  /** `type`: gone once the code is built. `dynamic`: loaded as it is needed. */
  kind: 'static' | 'dynamic' | 'type';
}

export interface SourceFile {
  path: string;
  imports: Import[];
  /** Takes the environment into its hands: `process.env`, or `process` itself, from which anything may be taken. */
  readsEnvironment: boolean;
}

interface Node {
  type: string;
  [key: string]: unknown;
}

/** Every TypeScript file below the root, parsed. */
export function readSources(root: string, skip: (path: string) => boolean): SourceFile[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .map((path) => relative(root, join(root, path)).replaceAll('\\', '/'))
    .filter((path) => path.endsWith('.ts') && !skip(path))
    .toSorted()
    .map((path) => parseSource(path, readFileSync(join(root, path), 'utf8')));
}

export function parseSource(path: string, text: string): SourceFile {
  const file: SourceFile = { path, imports: [], readsEnvironment: false };
  walk(parseSync(path, text).program as unknown as Node, (node, parent) => {
    const kind = kindOf(node);
    const source = node.source as { value?: unknown } | null | undefined;
    if (kind !== undefined && typeof source?.value === 'string') {
      const to = source.value.startsWith('.') ? posix.join(posix.dirname(path), source.value) : source.value;
      file.imports.push({ from: path, to, kind });
      if (/^(node:)?process$/.test(to)) file.readsEnvironment = true;
    }
    if (node.type === 'Identifier' && node.name === 'process' && !isHarmless(node, parent))
      file.readsEnvironment = true;
  });
  return file;
}

/** `import { type A }` is no `import type`: the module is still loaded when it is built as it is written. */
function kindOf(node: Node): Import['kind'] | undefined {
  if (node.type === 'ImportExpression') return 'dynamic';
  if (node.type === 'TSImportType') return 'type';
  if (node.type === 'ImportDeclaration') return node.importKind === 'type' ? 'type' : 'static';
  if (node.type === 'ExportNamedDeclaration' || node.type === 'ExportAllDeclaration')
    return node.exportKind === 'type' ? 'type' : 'static';
  return undefined;
}

/** Another member of `process`, or a name that only looks like it. */
function isHarmless(node: Node, parent: Node | undefined): boolean {
  if (parent?.type === 'TSQualifiedName') return true;
  if (parent?.type !== 'MemberExpression') return parent?.type === 'Property' && parent.value !== node;
  if (parent.object !== node) return parent.computed !== true;
  return parent.computed !== true && (parent.property as Node).name !== 'env';
}

function walk(node: Node, visit: (node: Node, parent: Node | undefined) => void, parent?: Node): void {
  visit(node, parent);
  for (const child of Object.values(node).flat())
    if (typeof child === 'object' && child !== null && 'type' in child) walk(child as Node, visit, node);
}

/** The first circle of imports that is found, as the files in it; null: there is none. */
export function findCycle(imports: readonly Import[]): string[] | null {
  const targets = groupBy(imports, ({ from }) => from);
  const done = new Set<string>();
  const way: string[] = [];

  function search(path: string): string[] | null {
    if (way.includes(path)) return [...way.slice(way.indexOf(path)), path];
    if (done.has(path)) return null;
    way.push(path);
    for (const { to } of targets.get(path) ?? []) {
      const cycle = search(to);
      if (cycle) return cycle;
    }
    way.pop();
    done.add(path);
    return null;
  }

  for (const path of targets.keys()) {
    const cycle = search(path);
    if (cycle) return cycle;
  }
  return null;
}
