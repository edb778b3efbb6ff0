import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { fixtureTree, projectRoot } from './fixture-tree.ts';

const PROJECT_FILES = ['bin', 'scripts', 'src', 'package.json', 'package-lock.json'];

describe('the package that npm pack makes', () => {
  let installed: string;

  beforeAll(() => {
    installed = installWithoutNetwork(packCopyOfProject());
  }, 180_000);

  it('holds what it needs and nothing else', () => {
    const files = readdirSync(installed, { recursive: true, encoding: 'utf8' });
    expect(files).toContain('bin/holdfast');
    expect(files).toContain('bin/package.json');
    expect(files).toContain('dist/main/main.js');
    expect(files.filter((file) => /\.ts$|\.test\.|^(?:src|test|scripts|node_modules)\b/.test(file))).toEqual([]);
  });

  it('holds every file that the sources read', () => {
    const besides = readdirSync(join(projectRoot, 'src'), { recursive: true, encoding: 'utf8' }).filter((file) =>
      /\.(?:sql|sh|wasm|md)$/.test(file),
    );
    expect(besides.filter((file) => !existsSync(join(installed, 'dist', file)))).toEqual([]);
  });

  it('tells of each source what it was built of', () => {
    const builtOf = Object.keys(JSON.parse(readFileSync(join(installed, 'dist/built-of.json'), 'utf8')) as object);
    const sources = readdirSync(join(projectRoot, 'src'), { recursive: true, encoding: 'utf8' }).filter(
      (file) => file.endsWith('.ts') && !file.endsWith('.test.ts'),
    );
    expect(sources.filter((file) => !builtOf.includes(`src/${file}`))).toEqual([]);
  });

  it('passes on the licences of what was built into it', () => {
    expect(readFileSync(join(installed, 'dist/LICENSES.md'), 'utf8')).toMatch(
      /^## zod [\d.]+ \(MIT\)\n\nMIT License$/m,
    );
  });

  it('runs', () => {
    const { version } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as { version: string };
    expect(holdfast('--version')).toEqual({ status: 0, stdout: expect.stringContaining(version), stderr: '' });
    expect(holdfast('--help')).toEqual({ status: 0, stdout: expect.stringContaining('holdfast'), stderr: '' });
  });

  function holdfast(...args: string[]) {
    const program = join(installed, '..', '.bin', 'holdfast');
    const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
    return { status, stdout, stderr };
  }
});

/** Packed in a copy, because packing builds, and the checkout's own dist/ is somebody's. The tarball's path. */
function packCopyOfProject(): string {
  const root = fixtureTree({});
  for (const path of PROJECT_FILES) cpSync(join(projectRoot, path), join(root, path), { recursive: true });
  symlinkSync(join(projectRoot, 'node_modules'), join(root, 'node_modules'));
  const { status, stderr } = spawnSync('npm', ['pack', '--silent'], { cwd: root, encoding: 'utf8' });
  expect(status, stderr).toBe(0);
  const tarball = readdirSync(root).find((name) => name.endsWith('.tgz'));
  return join(root, tarball as string);
}

/** As npm lays it out, with the dependencies that are already here: tests ask no registry. */
function installWithoutNetwork(tarball: string): string {
  const root = fixtureTree({});
  expect(spawnSync('tar', ['-xzf', tarball, '-C', root]).status).toBe(0);
  const modules = join(root, 'node_modules');
  mkdirSync(join(modules, '.bin'), { recursive: true });
  const installed = join(modules, 'holdfast');
  renameSync(join(root, 'package'), installed);
  const manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as Manifest;
  for (const [name, path] of Object.entries(manifest.bin)) {
    symlinkSync(join('..', 'holdfast', path), join(modules, '.bin', name));
  }
  // All packages, since dependencies have dependencies; which of them may be used is the linter's to say.
  for (const name of readdirSync(join(projectRoot, 'node_modules'))) {
    if (!name.startsWith('.')) symlinkSync(join(projectRoot, 'node_modules', name), join(modules, name));
  }
  return installed;
}

interface Manifest {
  bin: Record<string, string>;
}
