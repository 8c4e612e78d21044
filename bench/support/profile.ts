import { existsSync, readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CpuProfile, CpuProfileNode } from '../../test/support/inspector.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const TOP_FUNCTIONS = 25;
/** What takes less than this share of the time is left out of the tree. */
const TREE_SHARE = 0.02;
const TREE_DEPTH = 24;
const IDLE = '(idle)';

/** A function of the profiled program, all its places together, and what was called from it. */
interface Frame {
  name: string;
  /** Where it is written: a file of ours, a package, or a part of Node. */
  source: string;
  selfTime: number;
  totalTime: number;
  callees: Map<string, Frame>;
}

/** Where the microseconds of one operation go: by package, by function, and as a flame graph in text. */
export function renderProfile(profile: CpuProfile, operations: number): string {
  const root = mergeFrames(profile);
  const all = listFrames(root).filter(({ name }) => name !== IDLE);
  const busy = sum(all);
  const perOperation = (time: number) => (time / operations).toFixed(2).padStart(9);
  const share = (time: number) => `${((time / busy) * 100).toFixed(1)} %`.padStart(7);
  const line = (time: number, text: string) => `${perOperation(time)} ${share(time)}  ${text}`;

  const bySource = rank(all, ({ source }) => packageOf(source)).filter(([, time]) => time >= busy * 0.005);
  const byFunction = rank(all, ({ name, source }) => `${name}  ${source}`).slice(0, TOP_FUNCTIONS);
  return [
    `µs for each of ${operations.toLocaleString('en')}, and share of the busy time, by where it is spent:`,
    fence(bySource.map(([source, time]) => line(time, source))),
    'By function:',
    fence(byFunction.map(([name, time]) => line(time, name))),
    'By what called it:',
    fence(renderTree(root, busy, line)),
  ].join('\n\n');
}

function mergeFrames({ nodes, samples, timeDeltas }: CpuProfile): Frame {
  const selfTimes = new Map<number, number>();
  for (const [index, id] of samples.entries()) selfTimes.set(id, (selfTimes.get(id) ?? 0) + timeDeltas[index]!);
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const sourceOf = createSourceFinder();

  function add(parent: Frame, node: CpuProfileNode): number {
    const name = node.callFrame.functionName || '(anonymous)';
    const source = sourceOf(node);
    const key = `${name} ${source}`;
    const frame = parent.callees.get(key) ?? { name, source, selfTime: 0, totalTime: 0, callees: new Map() };
    parent.callees.set(key, frame);
    const selfTime = selfTimes.get(node.id) ?? 0;
    const totalTime = (node.children ?? []).reduce((time, id) => time + add(frame, byId.get(id)!), selfTime);
    frame.selfTime += selfTime;
    frame.totalTime += totalTime;
    return totalTime;
  }

  const root: Frame = { name: '', source: '', selfTime: 0, totalTime: 0, callees: new Map() };
  for (const id of nodes[0]?.children ?? []) add(root, byId.get(id)!);
  return root;
}

function listFrames(frame: Frame): Frame[] {
  return [frame, ...[...frame.callees.values()].flatMap(listFrames)];
}

const sum = (frames: readonly Frame[]) => frames.reduce((total, { selfTime }) => total + selfTime, 0);

function rank(frames: readonly Frame[], keyOf: (frame: Frame) => string): Array<[key: string, time: number]> {
  const times = new Map<string, number>();
  for (const frame of frames) times.set(keyOf(frame), (times.get(keyOf(frame)) ?? 0) + frame.selfTime);
  return [...times].toSorted(([, a], [, b]) => b - a);
}

function renderTree(root: Frame, busy: number, line: (time: number, text: string) => string): string[] {
  const lines: string[] = [];
  function walk(frame: Frame, depth: number) {
    for (const callee of [...frame.callees.values()].toSorted((a, b) => b.totalTime - a.totalTime)) {
      if (callee.name === IDLE || callee.totalTime < busy * TREE_SHARE || depth > TREE_DEPTH) continue;
      lines.push(line(callee.totalTime, `${'  '.repeat(depth)}${callee.name}  ${callee.source}`));
      walk(callee, depth + 1);
    }
  }
  walk(root, 0);
  return lines;
}

/** Of a source within node_modules, its package; of ours, its folder; of what is no JavaScript, its name. */
function packageOf(source: string): string {
  const inPackage = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(source)?.[1];
  if (inPackage !== undefined) return inPackage;
  return source.startsWith('src/') ? source.split('/').slice(0, 2).join('/') : source;
}

/** Through the source maps of what was built. */
function createSourceFinder(): (node: CpuProfileNode) => string {
  const maps = new Map<string, SourceMap | undefined>();
  return ({ callFrame: { functionName, url, lineNumber, columnNumber } }) => {
    if (url === '') return functionName.startsWith('(') ? functionName.slice(1, -1) : 'native';
    if (!url.startsWith('file:')) return url;
    const path = fileURLToPath(url);
    if (!maps.has(path)) maps.set(path, readSourceMap(`${path}.map`));
    const entry = maps.get(path)?.findEntry(lineNumber, columnNumber);
    const source = entry && 'originalSource' in entry ? resolve(path, '..', entry.originalSource) : path;
    return relative(ROOT, source);
  };
}

function readSourceMap(path: string): SourceMap | undefined {
  return existsSync(path) ? new SourceMap(JSON.parse(readFileSync(path, 'utf8'))) : undefined;
}

const fence = (lines: readonly string[]) => `\`\`\`text\n${lines.join('\n')}\n\`\`\``;
