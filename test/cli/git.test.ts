import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/foundation/clock.ts';
import { noProgress } from '../../src/foundation/progress.ts';
import type { Repository } from '../../src/repository/index.ts';
import { Git } from '../../src/source/git/git-program.ts';
import { fsck, Mirror } from '../../src/source/git/mirror.ts';
import { validateRepository } from '../../src/source/git/validate.ts';
import { createLocalStore } from '../../src/store/local/index.ts';
import { PASSWORD, writePlan } from '../support/cli.ts';
import { runHere } from '../support/command-here.ts';
import { bareRepository, commit, git, gitWith, namesIn, recordingGit, startGitServer } from '../support/git.ts';
import { noise, testRepository, withReader } from '../support/repository.ts';
import { requires } from '../support/requirements.ts';
import { restic } from '../support/restic.ts';

const TOKEN = 'to/ken+of the "day"';

describe.skipIf(!requires('git'))('a git repository', () => {
  const directory = mkdtempSync(join(tmpdir(), 'git-cli-'));
  let repository: Repository;
  let targets = 0;

  beforeAll(async () => {
    vi.stubEnv('HOLDFAST_PASSWORD', PASSWORD);
    process.stdout.setMaxListeners(100);
    repository = await testRepository(createLocalStore(join(directory, 'repository')));
  });
  beforeEach(() => rmSync(join(directory, 'holdfast.yaml'), { force: true }));
  afterAll(() => vi.unstubAllEnvs());

  /** Each test has a source of its own: all are kept in one repository. */
  function plan(name: string, url: string, more = ''): void {
    writePlan(directory, `  ${name}: { type: git, url: ${JSON.stringify(url)}${more} }`);
  }
  const run = (...words: string[]) => runHere(join(directory, 'holdfast.yaml'), ...words);

  async function backup(): Promise<{ exit: number; [key: string]: unknown }> {
    const { exit, json } = await run('backup');
    return { exit: exit ?? 0, ...json.sources[0] };
  }

  async function restored(name: string): Promise<string> {
    const target = join(directory, `target-${targets++}.git`);
    expect(await run('restore', name, '--to', target)).toMatchObject({ exit: 0 });
    return target;
  }

  /** What is found wrong in a directory that the newest snapshot was restored to. */
  async function failedChecks(target: string): Promise<string[]> {
    const scratchDirectory = mkdtempSync(join(tmpdir(), 'checks-'));
    const { signal } = new AbortController();
    const runner = await Git.prepare({ scratchDirectory, variables: process.env, signal });
    const surroundings = { clock: systemClock, progress: noProgress, signal, scratchDirectory, timeMs: 0 };
    const { checks } = await withReader(repository, (reader) =>
      validateRepository(reader, target, { git: runner, checks: [], ...surroundings }),
    );
    return checks.filter(({ result }) => result === 'failed').map(({ name }) => name);
  }

  it('comes back with everything that it names, and can be cloned and pushed', async () => {
    const source = bareRepository();
    const first = commit(source, 'refs/heads/main', { 'a.txt': 'one\n' });
    commit(source, 'refs/heads/main', { 'a.txt': 'two\n' }, { parent: first });
    commit(source, 'refs/pull/7/head', { 'b.txt': 'proposed\n' });
    commit(source, 'refs/heads/caf\u00e9', { x: 'x' });
    gitWith({ input: 'note' }, source, 'notes', 'add', '--file=-', first);
    git(source, 'tag', '-a', '-m', 'first', 'v1', first);
    git(source, 'tag', '-a', '-m', 'tag of a tag', 'v1-again', 'v1');
    git(source, 'update-ref', 'refs/blobs/one', gitWith({ input: 'a blob' }, source, 'hash-object', '-w', '--stdin'));
    git(source, 'symbolic-ref', 'HEAD', 'refs/heads/caf\u00e9');
    plan('whole', source);
    expect(await run('doctor')).toMatchObject({ exit: 0, json: { missing: 0 } });
    const taken = await backup();
    expect(taken).toMatchObject({ exit: 0, outcome: 'complete' });
    const target = await restored('whole');
    expect(namesIn(target)).toEqual(namesIn(source));
    expect(readFileSync(join(target, 'HEAD'), 'utf8')).toBe('ref: refs/heads/caf\u00e9\n');
    const copy = bareRepository();
    gitWith({ quiet: true }, target, 'push', '--quiet', '--mirror', copy);
    expect(namesIn(copy).slice(1)).toEqual(namesIn(source).slice(1));
    const clone = join(directory, 'clone');
    git(directory, 'clone', '--quiet', '--branch', 'main', target, clone);
    expect(readFileSync(join(clone, 'a.txt'), 'utf8')).toBe('two\n');
    expect(await run('verify', 'whole')).toMatchObject({
      exit: 0,
      json: { proofs: [{ state: 'proven', checksPassed: 3, checksFailed: [] }] },
    });
    const [spoil, look] = [
      'rm -r ${sandbox.path}/objects/pack',
      'git --git-dir=${sandbox.path} cat-file -e main:a.txt',
    ];
    const checks = [spoil, look].map((line) => `{ name: "${line}", exec: [sh, -c, "${line}"] }`);
    plan('whole', source, `, validate: [${checks.join(', ')}]`);
    expect(await run('verify', 'whole')).toMatchObject({
      exit: 4,
      json: { proofs: [{ state: 'failed', checksPassed: 4, checksFailed: [`validate: ${look}`] }] },
    });
    const part = await run('restore', 'whole', '--to', join(directory, 'part'), '--only', 'refs/heads/main');
    expect(part).toMatchObject({ exit: 2, json: { error: { code: 'bad-usage' } } });
    const database = await run('restore', 'whole', '--to', 'postgres://localhost/x');
    expect(database).toMatchObject({ exit: 1, json: { error: { code: 'target-unsuitable' } } });
    git(target, 'update-ref', '-d', 'refs/pull/7/head');
    expect(await failedChecks(target)).toEqual(['references']);
    if (!requires('restic')) return;
    const byRestic = join(directory, 'by-restic');
    restic(join(directory, 'repository'), ['restore', String(taken['snapshot']), '--target', byRestic]);
    expect(namesIn(join(byRestic, 'data'))).toEqual(namesIn(source));
    git(join(byRestic, 'data'), 'fsck', '--full', '--strict');
  });

  it('is fetched and stored only as far as it is new', async () => {
    const source = bareRepository();
    const first = commit(source, 'refs/heads/main', { large: noise(2_000_000) });
    plan('grows', source);
    expect(Number((await backup())['bytesAdded'])).toBeGreaterThan(2_000_000);
    const { path, calls } = recordingGit();
    vi.stubEnv('PATH', path);
    try {
      expect(await backup()).toMatchObject({ files: { new: 0, changed: 0 } });
      expect(readFileSync(calls, 'utf8')).not.toContain(' fetch ');
      commit(source, 'refs/heads/main', { large: noise(2_000_000), small: 'x' }, { parent: first });
      const next = await backup();
      expect(Number(next['bytesAdded'])).toBeLessThan(20_000);
      expect(next).toMatchObject({ files: { new: 2, unmodified: 2 } });
      expect(readFileSync(calls, 'utf8')).toMatch(/ fetch .*\n(?:.*\n)*.* fsck --full --strict /);
    } finally {
      vi.stubEnv('PATH', path.slice(path.indexOf(':') + 1));
    }
    expect(namesIn(await restored('grows'))).toEqual(namesIn(source));
  });

  it('keeps what a force-push rewrote and what was deleted, in every backup from then on', async () => {
    const source = bareRepository();
    const base = commit(source, 'refs/heads/main', { a: 'base' });
    const old = commit(source, 'refs/heads/main', { a: 'rewritten' }, { parent: base });
    const merged = commit(source, 'refs/heads/merged', { a: 'merged' }, { parent: base });
    const gone = commit(source, 'refs/heads/gone', { b: 'deleted' });
    plan('forced', source);
    await backup();
    const fresh = commit(source, 'refs/heads/main', { a: 'new' }, { parent: merged });
    git(source, 'update-ref', '-d', 'refs/heads/gone');
    git(source, 'update-ref', '-d', 'refs/heads/merged');
    git(source, 'reflog', 'expire', '--expire=now', '--all');
    git(source, 'gc', '--quiet', '--prune=now');
    const compared = await run('compare', 'forced');
    expect(compared.exit).toBe(4);
    expect(
      compared.json.differences.map(({ item, kind }: { item: string; kind: string }) => `${kind} ${item}`),
    ).toEqual(['missing refs/heads/gone', 'content refs/heads/main', 'missing refs/heads/merged']);
    await backup();
    commit(source, 'refs/heads/other', { c: 'later' });
    await backup();
    const { losses, points } = (await run('history', 'forced')).json;
    expect(losses.map(({ item, kind }: Record<string, string>) => `${item} ${kind}`)).toEqual([
      'refs dropped',
      'refs/heads dropped',
      'refs/heads/gone vanished',
      'refs/heads/merged vanished',
    ]);
    expect(losses[2].before.snapshot).toBe(points[0].snapshot);
    expect((await run('history', 'forced', 'refs/heads')).json.points.at(-1).items).toMatchObject([{ count: 2 }]);
    const target = await restored('forced');
    const names = namesIn(target).filter((name) => !name.startsWith('HEAD'));
    expect(names.filter((name) => !name.includes('holdfast'))).toEqual(namesIn(source).slice(1));
    // What was merged is there by what it was merged into.
    expect(names.filter((name) => name.includes('holdfast')).map((name) => name.replace(/\d{8}T\d{6}Z/, 'T'))).toEqual([
      `refs/holdfast/T/heads/gone ${gone}`,
      `refs/holdfast/T/heads/main ${old}`,
    ]);
    expect(git(target, 'show', `${old}:a`)).toBe('rewritten');
    expect(git(target, 'rev-parse', 'refs/heads/main')).toBe(fresh);
    expect(await run('compare', 'forced')).toMatchObject({ exit: 0, json: { equal: true } });
    expect(await run('verify', 'forced')).toMatchObject({ exit: 0 });
  });

  it('has few packs after many backups, and large ones stay as they are', async () => {
    const source = bareRepository();
    let parent = commit(
      source,
      'refs/heads/main',
      Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`f${index}`, `${index}`])),
    );
    const pack = (name: string) => name.endsWith('.pack');
    // As after many backups: each brings a pack of its own.
    const scratchDirectory = mkdtempSync(join(tmpdir(), 'packs-'));
    const { signal } = new AbortController();
    const runner = await Git.prepare({ scratchDirectory, variables: process.env, signal });
    const mirror = new Mirror(runner, join(scratchDirectory, 'mirror.git'));
    await mirror.init('sha1');
    const packs = join(mirror.directory, 'objects', 'pack');
    const address = { protocol: 'path', url: source } as const;
    await mirror.setRefs({ head: undefined, refs: await mirror.fetch({ git: runner, address }, undefined) });
    const [large] = readdirSync(packs).filter(pack);
    for (let number = 0; number < 5; number++) {
      parent = commit(source, 'refs/heads/main', { large: `${number}` }, { parent });
      const input = `${parent}\n^${git(source, 'rev-parse', `${parent}~1`)}\n`;
      gitWith({ input }, source, 'pack-objects', '--quiet', '--revs', join(packs, 'pack'));
    }
    expect(readdirSync(packs).filter(pack)).toHaveLength(6);
    await mirror.setRefs({ head: undefined, refs: new Map([['refs/heads/main', parent]]) });
    await mirror.foldPacks();
    expect(readdirSync(packs).filter(pack)).toHaveLength(6);
    await mirror.foldPacks(6);
    const left = readdirSync(packs).filter(pack);
    expect(left).toHaveLength(2);
    expect(left).toContain(large);
    expect(git(mirror.directory, 'rev-list', '--count', 'refs/heads/main')).toBe('6');
  });

  it('is taken as it is: with a detached HEAD, other hashes, alternates, a shallow history, or nothing', async () => {
    const lender = bareRepository();
    const lent = commit(lender, 'refs/heads/main', { a: 'lent' });
    const detached = bareRepository();
    writeFileSync(join(detached, 'objects', 'info', 'alternates'), `${join(lender, 'objects')}\n`);
    git(detached, 'update-ref', 'refs/heads/main', lent);
    const alone = commit(detached, 'refs/heads/alone', { a: 'alone' });
    git(detached, 'update-ref', '--no-deref', 'HEAD', alone);
    git(detached, 'update-ref', '-d', 'refs/heads/alone');
    const sha256 = bareRepository('--object-format=sha256');
    const first = commit(sha256, 'refs/heads/main', { a: '1' });
    commit(sha256, 'refs/heads/main', { a: '2' }, { parent: first });
    const shallow = join(directory, 'shallow-source');
    git(directory, 'clone', '--quiet', '--mirror', '--depth=1', `file://${sha256}`, shallow);
    const empty = bareRepository();
    git(empty, 'symbolic-ref', 'HEAD', 'refs/heads/trunk');
    const urls = { detached, sha256, shallow, empty };
    const lines = Object.entries(urls).map(([name, url]) => `  ${name}: { type: git, url: ${url} }`);
    writePlan(directory, lines.join('\n'));
    expect((await run('backup')).exit).toBe(0);
    for (const name of ['sha256', 'empty'] as const) expect(namesIn(await restored(name))).toEqual(namesIn(urls[name]));
    expect(readFileSync(join(directory, `target-${targets - 1}.git`, 'HEAD'), 'utf8')).toBe('ref: refs/heads/trunk\n');
    const target = await restored('detached');
    rmSync(lender, { recursive: true });
    expect(readFileSync(join(target, 'HEAD'), 'utf8')).toBe(`${alone}\n`);
    expect([git(target, 'show', 'HEAD:a'), git(target, 'show', 'main:a')]).toEqual(['alone', 'lent']);
    expect(git(await restored('shallow'), 'rev-list', '--count', 'refs/heads/main')).toBe('1');
    expect((await run('verify')).exit).toBe(0);
  });

  it('is not stored where it is damaged, and the snapshots before stay', async () => {
    const source = bareRepository();
    commit(source, 'refs/heads/main', { a: 'whole' });
    plan('damaged', source);
    await backup();
    const blob = gitWith({ input: 'second' }, source, 'hash-object', '-w', '--stdin');
    commit(source, 'refs/heads/main', { a: 'second' });
    const path = join(source, 'objects', blob.slice(0, 2), blob.slice(2));
    chmodSync(path, 0o600);
    writeFileSync(path, 'no object');
    const failed = await backup();
    expect(failed).toMatchObject({ exit: 1, outcome: 'failed', error: { code: 'source-damaged' } });
    expect((await run('snapshots', 'damaged')).json.snapshots).toHaveLength(1);
  });

  it('is checked also where the damage lies in what was fetched before', async () => {
    const { signal } = new AbortController();
    const scratchDirectory = mkdtempSync(join(tmpdir(), 'fsck-'));
    const runner = await Git.prepare({ scratchDirectory, variables: process.env, signal });
    const source = bareRepository();
    const tree = gitWith({ input: '' }, source, 'hash-object', '-t', 'tree', '-w', '--stdin');
    // As old programs wrote it, and whole: no reason to have no backup of it.
    const odd = `tree ${tree}\nauthor A <a@example.com> 0 +0000\ncommitter A a@example.com> 0 +0000\n\nodd\n`;
    const id = gitWith({ input: odd }, source, 'hash-object', '--literally', '-t', 'commit', '-w', '--stdin');
    git(source, 'update-ref', 'refs/heads/main', id);
    expect(await fsck(runner, source)).toEqual({ damage: [], breaches: { badName: 1 } });
    rmSync(join(source, 'objects', tree.slice(0, 2)), { recursive: true });
    expect((await fsck(runner, source)).damage.join('\n')).toContain(`missing tree ${tree}`);
  });

  it('runs nothing that it brings, and says what belongs to it and does not lie in it', async () => {
    const source = bareRepository();
    commit(source, 'refs/heads/main', {
      '.gitmodules': '[submodule "x"]\n\tpath = x\n\turl = ../x\n',
      'media/.gitattributes': '*.psd filter=lfs diff=lfs merge=lfs -text\n',
    });
    const touched = join(directory, 'touched');
    mkdirSync(join(source, 'hooks'), { recursive: true });
    for (const hook of ['pre-receive', 'reference-transaction', 'post-checkout', 'pre-auto-gc'])
      writeFileSync(join(source, 'hooks', hook), `#!/bin/sh\ntouch ${touched}\n`, { mode: 0o755 });
    git(source, 'config', 'uploadpack.packObjectsHook', `touch ${touched};`);
    git(source, 'config', 'core.fsmonitor', `touch ${touched}`);
    git(source, 'config', 'core.alternateRefsCommand', `touch ${touched};`);
    plan('hostile', source);
    expect(await backup()).toMatchObject({ exit: 0 });
    const target = join(directory, 'hostile');
    const { json } = await run('restore', 'hostile', '--to', target);
    expect(json.notes).toEqual([expect.stringContaining('submodules'), expect.stringContaining('Git LFS')]);
    expect(existsSync(touched)).toBe(false);
    expect(readdirSync(target)).not.toContain('hooks');
    expect(readFileSync(join(target, 'config'), 'utf8')).toBe('[core]\n\tbare = true\n\trepositoryformatversion = 0\n');
  });

  it('is not fetched from where git would run a program, nor from nowhere', async () => {
    const touched = join(directory, 'run');
    vi.stubEnv('GIT_URL', `ext::sh -c touch% ${touched}`);
    const nowhere = join(directory, 'nowhere');
    writePlan(directory, `  refused: { type: git, url: { env: GIT_URL } }\n  nowhere: { type: git, url: ${nowhere} }`);
    expect((await run('backup')).json.sources).toMatchObject([
      { outcome: 'failed', error: { code: 'secret-unavailable' } },
      { outcome: 'failed', error: { code: 'source-unreachable' } },
    ]);
    expect(existsSync(touched)).toBe(false);
    expect(await run('doctor')).toMatchObject({ exit: 4, json: { missing: 2 } });
  });

  it('is neither backed up nor proven where git is not, or too old', async () => {
    const source = bareRepository();
    plan('without', source);
    await backup();
    const { PATH = '' } = process.env;
    for (const script of [undefined, '#!/bin/sh\necho git version 2.20.1\n']) {
      const programs = mkdtempSync(join(tmpdir(), 'programs-'));
      if (script !== undefined) writeFileSync(join(programs, 'git'), script, { mode: 0o755 });
      for (const name of ['sh', 'mkdir', 'rm', 'cat', 'find', 'chmod', 'sleep', 'ps', 'kill', 'rmdir'])
        symlinkSync(`/bin/${name}`, join(programs, name));
      vi.stubEnv('PATH', programs);
      const code = script === undefined ? 'program-missing' : 'program-too-old';
      expect(await backup()).toMatchObject({ outcome: 'failed', error: { code } });
      expect(await run('verify')).toMatchObject({ exit: 4, json: { proofs: [{ state: 'not-provable' }] } });
    }
    vi.stubEnv('PATH', PATH);
  });

  it('is fetched over HTTP with a password that is in no argument, and not told to another server', async () => {
    const source = bareRepository();
    commit(source, 'refs/heads/main', { a: 'a' });
    const server = await startGitServer(source, { username: 'robot', password: TOKEN });
    const other = await startGitServer(source, {
      username: 'robot',
      password: 'another',
      redirect: new URL(server.url).origin,
    });
    const { path, calls } = recordingGit();
    vi.stubEnv('PATH', path);
    vi.stubEnv('GIT_TOKEN', TOKEN);
    try {
      plan('distant', server.url, ', credentials: { username: robot, password: { env: GIT_TOKEN } }');
      expect(await backup()).toMatchObject({ exit: 0, outcome: 'complete' });
      expect(namesIn(await restored('distant'))).toEqual(namesIn(source));
      expect(server.authorizations.filter((each) => each !== undefined).length).toBeGreaterThan(0);
      vi.stubEnv('GIT_TOKEN', `wrong ${TOKEN}`);
      const refused = await backup();
      expect(refused).toMatchObject({ exit: 1, error: { code: 'source-refused' } });
      for (const said of [JSON.stringify(refused), readFileSync(calls, 'utf8')])
        for (const form of [TOKEN, encodeURIComponent(TOKEN), 'to/ken', 'ken+of']) expect(said).not.toContain(form);
      vi.stubEnv('GIT_TOKEN', TOKEN);
      server.authorizations.length = 0;
      plan('led', other.url, ', credentials: { username: robot, password: { env: GIT_TOKEN } }');
      expect(await backup()).toMatchObject({ exit: 1, error: { code: 'source-refused' } });
      expect(server.authorizations.filter((each) => each !== undefined)).toEqual([]);
    } finally {
      vi.stubEnv('PATH', path.slice(path.indexOf(':') + 1));
      await Promise.all([server.stop(), other.stop()]);
    }
  });
});
