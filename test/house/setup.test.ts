import { spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fixtureTree, projectRoot } from './fixture-tree.ts';

/** Stands in for npm and apt-get: tells how it was called. */
const TELLTALE = '#!/bin/sh\necho "$(basename "$0") $*" >> "$CALLS"\n';

/** Builds nothing, and says what of. */
const STAND_IN_BUILD = `
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
const { mtimeMs, size } = statSync('src/main.ts');
mkdirSync('dist', { recursive: true });
writeFileSync('dist/built-of.json', JSON.stringify({ 'src/main.ts': [mtimeMs, size] }));
`;

describe('npm run setup', () => {
  it('says nothing and does nothing when all is there', () => {
    const { root } = readyClone();
    expect(setUp(root)).toEqual({ status: 0, output: '', calls: '' });
    expect(existsSync(join(root, 'node_modules', '.holdfast-setup'))).toBe(true);
    expect(setUp(root)).toEqual({ status: 0, output: '', calls: '' });
  });

  it('installs when there are no dependencies', () => {
    const { root } = readyClone();
    rmSync(join(root, 'node_modules'), { recursive: true });
    expect(setUp(root).calls).toMatch(/^npm ci /);
  });

  it('installs when an install broke off', () => {
    const { root } = readyClone();
    rmSync(join(root, 'node_modules', '.package-lock.json'));
    expect(setUp(root).calls).toMatch(/^npm ci /);
  });

  it('installs when the lock file asks for something else', () => {
    const { root, lockFile } = readyClone();
    setUp(root);
    writeFileSync(lockFile, readFileSync(lockFile, 'utf8').replace(/"integrity": "sha512-./, '"integrity": "sha512-?'));
    expect(setUp(root).calls).toMatch(/^npm ci /);
  });

  it('does not install for a change that leaves the dependencies alone', () => {
    const { root, lockFile } = readyClone();
    setUp(root);
    writeFileSync(lockFile, `${readFileSync(lockFile, 'utf8')}\n`);
    expect(setUp(root).calls).toBe('');
  });

  it('builds what the command line is run from, and again once a source has changed', () => {
    const { root } = readyClone();
    mkdirSync(join(root, 'node_modules', 'rolldown'));
    mkdirSync(join(root, 'src'));
    writeFileSync(join(root, 'src', 'main.ts'), 'first');
    writeFileSync(join(root, 'scripts', 'build.mjs'), STAND_IN_BUILD);
    expect(setUp(root).output).toMatch(/^setup: build …\nsetup: build: done in/);
    expect(setUp(root)).toEqual({ status: 0, output: '', calls: '' });
    writeFileSync(join(root, 'src', 'main.ts'), 'second');
    expect(setUp(root).output).toContain('setup: build');
  });

  it('fails when npm does', () => {
    const { root } = readyClone();
    rmSync(join(root, 'node_modules'), { recursive: true });
    writeFileSync(join(root, 'programs', 'npm'), '#!/bin/sh\nexit 3\n', { mode: 0o755 });
    expect(setUp(root)).toMatchObject({ status: 1, output: expect.stringMatching(/"npm ci .*" ended with 3/) });
  });
});

describe('the dependencies', () => {
  it.each(['koffi', 'sodium-native'])('%s loads its binary without an install script having run', (name) => {
    const { status, stderr } = spawnSync(process.execPath, ['-e', `require('${name}')`], { cwd: projectRoot });
    expect(stderr.toString()).toBe('');
    expect(status).toBe(0);
  });
});

/** A clone whose dependencies are recorded as installed, and whose programs are stand-ins. */
function readyClone() {
  const root = fixtureTree({});
  const lockFile = join(root, 'package-lock.json');
  for (const part of ['scripts', 'bin']) cpSync(join(projectRoot, part), join(root, part), { recursive: true });
  copyFileSync(join(projectRoot, 'package-lock.json'), lockFile);
  mkdirSync(join(root, 'node_modules'));
  const record = join('node_modules', '.package-lock.json');
  copyFileSync(join(projectRoot, record), join(root, record));
  mkdirSync(join(root, 'programs'));
  for (const name of ['npm', 'initdb', 'pg_dump', 'restic', 'radosgw', 'ceph-mon', 'ceph-osd']) {
    writeFileSync(join(root, 'programs', name), TELLTALE, { mode: 0o755 });
  }
  return { root, lockFile };
}

function setUp(root: string): { status: number | null; output: string; calls: string } {
  const calls = join(root, 'calls');
  rmSync(calls, { force: true });
  const env = { ...process.env, CALLS: calls, PATH: `${join(root, 'programs')}:${process.env['PATH']}` };
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'scripts', 'setup.mjs')], {
    env,
    encoding: 'utf8',
  });
  return { status, output: stdout + stderr, calls: existsSync(calls) ? readFileSync(calls, 'utf8') : '' };
}
