/** What changes a repository, where nothing can be written: a clear error, the repository clean, and then the work is done. */

import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { document, environment, holdfast, initialise, type Ran } from '../support/cli.ts';
import { noise } from '../support/repository.ts';
import { requires } from '../support/requirements.ts';
import { resticCheck } from '../support/restic.ts';

/** Nobody, whom root becomes for a while: root may write everywhere. */
const UNPRIVILEGED = 65_534;

interface Command {
  words: string[];
  /** Gives it something to change. */
  before?: (directory: string) => void;
}

const COMMANDS: Record<string, Command> = {
  backup: { words: ['backup'], before: () => writeFileSync(join(template, 'data', 'more'), noise(300_000, 3)) },
  copy: { words: ['copy', '--from', 'main', '--to', 'archive'] },
  retain: { words: ['retain'] },
  prune: { words: ['prune', 'main'] },
  repair: {
    words: ['repair', 'main'],
    before: (directory) => rmSync(join(directory, 'main', 'index'), { recursive: true }),
  },
};

interface Fault {
  impose: (directory: string) => void;
  lift: (directory: string) => void;
  code: string;
  message: RegExp;
}

function mount(...words: string[]): void {
  const { status, stderr } = spawnSync('mount', words, { encoding: 'utf8' });
  expect([status, stderr]).toEqual([0, '']);
}

const BALLAST = 'ballast';
const FULL: Fault = {
  impose: (directory) => {
    const { bavail, bsize } = statfsSync(directory);
    writeFileSync(join(directory, BALLAST), Buffer.alloc(bavail * bsize));
  },
  lift: (directory) => rmSync(join(directory, BALLAST)),
  code: 'disk-full',
  message: /no space is left/,
};
const READ_ONLY: Fault = {
  impose: (directory) => mount('-o', 'remount,ro', directory),
  lift: (directory) => mount('-o', 'remount,rw', directory),
  code: 'permission-denied',
  message: /the file system is read-only/,
};
const DENIED: Fault = {
  impose: (directory) => {
    expect(spawnSync('chmod', ['-R', 'a+rX', directory, template]).status).toBe(0);
    process.seteuid!(UNPRIVILEGED);
  },
  lift: () => process.seteuid!(0),
  code: 'permission-denied',
  message: /EACCES: permission denied/,
};

/** A plan, the data that it protects, and two repositories: two backups in `main` and nothing in `archive`. */
let template: string;

/** A copy of the repositories and the plan on a file system of their own. */
function place(): string {
  const directory = mkdtempSync(join(tmpdir(), 'unwritable-'));
  mount('-t', 'tmpfs', '-o', 'size=32m,mode=755', 'tmpfs', directory);
  onTestFinished(() => {
    process.seteuid!(0);
    spawnSync('umount', ['-l', directory]);
  });
  for (const name of ['holdfast.yaml', 'main', 'archive']) {
    cpSync(join(template, name), join(directory, name), { recursive: true });
  }
  return directory;
}

function run(directory: string, words: string[]): Promise<Ran> {
  const state = { XDG_STATE_HOME: join(template, 'state'), XDG_CACHE_HOME: join(template, 'cache') };
  // On a busy machine, long work shows how far it is.
  return holdfast(directory, ['--no-progress', ...words], environment(state));
}

beforeAll(async () => {
  template = mkdtempSync(join(tmpdir(), 'template-'));
  chmodSync(template, 0o755);
  mkdirSync(join(template, 'data'));
  const repository = (name: string) => `${name}: { store: ./${name}, password: { env: HOLDFAST_PASSWORD } }`;
  writeFileSync(
    join(template, 'holdfast.yaml'),
    `version: 1
name: test
repositories: { ${repository('main')}, ${repository('archive')} }
sources: { files: { type: files, paths: [${template}/data], repository: main, retention: { last: 1 } } }
`,
  );
  for (const name of ['main', 'archive']) await initialise(template, name);
  for (const round of [1, 2]) {
    writeFileSync(join(template, 'data', 'file'), noise(600_000, round));
    const ran = await run(template, ['backup']);
    expect([ran.exit, ran.stderr]).toEqual([0, '']);
  }
});

afterAll(() => rmSync(template, { recursive: true, force: true }));

/** All objects of both repositories, by name: none has another content under the same one. */
function objectsIn(directory: string): string[] {
  return ['main', 'archive'].flatMap((name) =>
    readdirSync(join(directory, name), { recursive: true, encoding: 'utf8' })
      .filter((path) => /\/[0-9a-f]{64}$/.test(path))
      .map((path) => join(name, path)),
  );
}

function errorOf(ran: Ran): { code: string; message: string; hint: string } {
  const told = document(ran);
  return told.error ?? told.sources?.[0]?.error ?? told.failures?.[0]?.error ?? told.repositories?.[0]?.error;
}

describe.skipIf(!requires('tmpfs', 'root', 'restic'))('where nothing can be written', () => {
  it.each([
    ['on a disk that is full', FULL],
    ['on a file system that is read-only', READ_ONLY],
    ['without the permission', DENIED],
  ])('%s, backup, copy, retain, prune and repair say so, harm nothing, and work again afterwards', async (_, fault) => {
    const directory = place();
    for (const [name, { words, before }] of Object.entries(COMMANDS)) {
      before?.(directory);
      const there = objectsIn(directory);
      fault.impose(directory);
      const refused = await run(directory, [...words, '--json']);
      fault.lift(directory);
      expect([name, refused.exit]).toEqual([name, 1]);
      expect(errorOf(refused), name).toMatchObject({
        code: fault.code,
        message: expect.stringMatching(fault.message),
        hint: expect.stringMatching(/.\.$/),
      });
      expect(objectsIn(directory), name).toEqual(there);
      const done = await run(directory, words);
      expect([name, done.exit, done.stderr]).toEqual([name, 0, '']);
      const checked = await run(directory, ['check']);
      expect([name, checked.exit, checked.stderr]).toEqual([name, 0, '']);
    }
    for (const name of ['main', 'archive']) resticCheck(join(directory, name));
  });
});
