import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

interface Package {
  version?: string;
  resolved?: string;
  integrity?: string;
  link?: boolean;
  hasInstallScript?: boolean;
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
  overrides?: Record<string, unknown>;
  allowScripts?: Record<string, boolean>;
  workspaces?: string[];
}

const ROOT = join(import.meta.dirname, '..');
const readText = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const readPackage = (path: string) => JSON.parse(readText(path)) as Package;

const root = readPackage('package.json');
const manifests = ['package.json', ...root.workspaces!.map((folder) => `${folder}/package.json`)];
const lock = JSON.parse(readText('package-lock.json')) as { packages: Record<string, Package> };
/** What is installed from a registry, by where it lies. */
const installed = Object.entries(lock.packages).filter(([path, { link }]) => path.includes('node_modules/') && !link);

const EXACT = /^\d+\.\d+\.\d+(-[\w.-]+)?$/;

/** Of overrides that lie in overrides, too. */
function leaves(value: unknown): unknown[] {
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(leaves) : [value];
}

/** Where npm installs it: the last of the folders that its path names. */
const nameOf = (path: string) => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);

describe('dependencies', () => {
  it.each(manifests)('are named by one version in %s', (path) => {
    const { dependencies, devDependencies, optionalDependencies, peerDependencies, overrides } = readPackage(path);
    const wanted = [dependencies, devDependencies, optionalDependencies, peerDependencies, overrides].flatMap(leaves);
    for (const version of wanted.filter((value) => value !== undefined)) expect(version).toMatch(EXACT);
  });

  it.each(manifests)('in %s are what the lock installs', (path) => {
    const folder = path.replace(/\/?package\.json$/, '');
    const { dependencies, devDependencies } = readPackage(path);
    for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies })) {
      const [own, shared] = [`${folder}/node_modules/${name}`, `node_modules/${name}`].map((at) => lock.packages[at]);
      const { link, version: locked } = (own ?? shared)!;
      if (!link) expect(`${name} ${locked}`).toBe(`${name} ${version}`);
    }
  });

  it('are recognised by what is in them, and name no server to come from', () => {
    expect(installed.length).toBeGreaterThan(100);
    for (const [path, { integrity, resolved, version }] of installed) {
      expect(integrity, path).toMatch(/^sha512-/);
      expect(version, path).toMatch(EXACT);
      expect(resolved, path).toBeUndefined();
    }
  });

  it('run nothing when they are installed', () => {
    const scripts = installed.filter(([, { hasInstallScript }]) => hasInstallScript).map(([path]) => nameOf(path));
    expect(scripts.filter((name) => root.allowScripts![name] !== false)).toEqual([]);
    expect(Object.values(root.allowScripts!).filter((isAllowed) => isAllowed)).toEqual([]);
    expect(Object.keys(root.allowScripts!).filter((name) => !scripts.includes(name))).toEqual([]);
  });

  it('are added as one version, by the settings of the repository', () => {
    const settings = readText('.npmrc').split('\n');
    expect(settings).toContain('save-exact=true');
    expect(settings).toContain('omit-lockfile-registry-resolved=true');
  });
});
