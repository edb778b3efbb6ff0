import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { openRepository } from '../../src/repository/index.ts';
import { createLocalStore } from '../../src/store/local/index.ts';
import {
  document,
  environment,
  HOLDFAST,
  holdfast,
  initialise,
  PASSWORD,
  scratchDirectory,
  startHoldfast,
  writePlan,
} from '../support/cli.ts';
import { forgeNewest } from '../support/files-backup.ts';
import { requires } from '../support/requirements.ts';

/** A directory with a plan, a few files, and a repository that was made. */
async function prepared(more = ''): Promise<string> {
  const directory = scratchDirectory();
  mkdirSync(join(directory, 'data', 'inner'), { recursive: true });
  writeFileSync(join(directory, 'data', 'note.txt'), 'remember');
  writeFileSync(join(directory, 'data', 'inner', 'two words.txt'), 'as well');
  symlinkSync('note.txt', join(directory, 'data', 'link'));
  writePlan(directory, `  files: { type: files, paths: [${directory}/data]${more} }`);
  await initialise(directory);
  return directory;
}

describe('a directory, from plan to proof', () => {
  it('is backed up, listed, restored, proven and reported', async () => {
    const directory = await prepared();
    const backup = await holdfast(directory, ['backup', '--json']);
    expect(backup.exit).toBe(0);
    const [{ snapshot, outcome }] = document(backup).sources;
    expect(outcome).toBe('complete');
    expect(document(await holdfast(directory, ['snapshots', '--json'])).snapshots).toMatchObject([
      { id: snapshot, hostname: 'test', tags: ['holdfast', 'source:files', 'kind:tree'], paths: [`${directory}/data`] },
    ]);
    const listed = document(await holdfast(directory, ['ls', snapshot.slice(0, 8), '--json'])).entries;
    expect(listed.map(({ path }: { path: string }) => path)).toContain(`${directory}/data/inner/two words.txt`);
    expect((await holdfast(directory, ['restore', 'files', '--to', 'back'])).exit).toBe(0);
    expect(readFileSync(join(directory, 'back', directory, 'data/inner/two words.txt'), 'utf8')).toBe('as well');
    const proof = document(await holdfast(directory, ['verify', '--json'])).proofs[0];
    expect(proof).toMatchObject({ source: 'files', snapshot, state: 'proven', checksFailed: [] });
    expect((await holdfast(directory, ['check', '--read-data'])).exit).toBe(0);
    const status = document(await holdfast(directory, ['status', '--json'])).sources[0];
    expect(status).toMatchObject({ source: 'files', snapshots: 1, missed: [], last: { snapshot, proof: 'proven' } });
    expect(status.objectives).toEqual({ rpoMs: 3_600_000, rtoMs: 14_400_000 });
    expect(status.actual.rtoMs).toBe(proof.durationMs);
    expect((await holdfast(directory, ['status'])).stdout).not.toContain('never');
    const plan = join(directory, 'holdfast.yaml');
    const written = readFileSync(plan, 'utf8');
    const ofSize = async (size: string) => {
      writeFileSync(plan, written.replace('password:', `capacity: { of: ${size} }, password:`));
      return holdfast(directory, ['status', '--json']);
    };
    const [small, large] = [await ofSize('1KB'), await ofSize('5TB')];
    expect([small.exit, large.exit]).toEqual([4, 0]);
    expect(document(small).capacity).toMatchObject([{ repository: 'main', isReached: true, ofBytes: 1000 }]);
  });

  it('is read again with --read-all, also where nothing seems to have changed', async () => {
    const directory = await prepared();
    writeFileSync(join(directory, 'data', 'old.txt'), 'forget');
    await holdfast(directory, ['backup']);
    const repository = await openRepository(createLocalStore(join(directory, 'repository')), PASSWORD);
    await forgeNewest(repository, 'old.txt', 'note.txt');
    const taken = async (...words: string[]) =>
      document(await holdfast(directory, ['backup', '--json', ...words])).sources[0].files;
    expect(await taken()).toMatchObject({ changed: 0, unmodified: 3 });
    expect(await taken('--read-all')).toMatchObject({ changed: 1, unmodified: 2 });
    expect((await holdfast(directory, ['backup', '--estimate', '--read-all'])).exit).toBe(2);
  });

  it('is backed up behind all others on the machine, which go first', async () => {
    const directory = await prepared();
    // The program that tells the password tells of what it inherits as well.
    const script = 'nice > "$0"; printf %s "$HOLDFAST_PASSWORD"';
    const password = JSON.stringify({ command: ['sh', '-c', script, join(directory, 'niceness')] });
    const plan = join(directory, 'holdfast.yaml');
    writeFileSync(plan, readFileSync(plan, 'utf8').replace('{ env: HOLDFAST_PASSWORD }', password));
    expect((await startHoldfast(directory, ['backup']).done).exit).toBe(0);
    expect(Number(readFileSync(join(directory, 'niceness'), 'utf8'))).toBeGreaterThanOrEqual(10);
  });

  it('is restored in part', async () => {
    const directory = await prepared();
    await holdfast(directory, ['backup']);
    const restored = (name: string) => existsSync(join(directory, 'part', directory, 'data', name));
    const run = await holdfast(directory, [
      'restore',
      'files',
      '--to',
      'part',
      '--only',
      'inner',
      '*.txt',
      '--exclude',
      'note*',
    ]);
    expect(run.exit).toBe(0);
    expect(['note.txt', 'inner/two words.txt', 'link'].map(restored)).toEqual([false, true, false]);
    const nothing = await holdfast(directory, [
      'restore',
      'files',
      '--to',
      'none',
      '--include',
      '/no/such/thing',
      '--json',
    ]);
    expect(nothing.exit).toBe(1);
    expect(existsSync(join(directory, 'none'))).toBe(false);
  });

  it('goes on with a restore that was interrupted when it is asked for the same, and for nothing else', async () => {
    const directory = await prepared();
    await holdfast(directory, ['backup']);
    const [{ tree }] = document(await holdfast(directory, ['snapshots', '--json'])).snapshots;
    mkdirSync(join(directory, 'back'));
    // As versions marked it that knew nothing of selections.
    writeFileSync(join(directory, 'back', '.holdfast-restore'), JSON.stringify({ version: 1, tree }));
    const restore = ['restore', 'files', '--to', 'back', '--json'];
    const other = await holdfast(directory, [...restore, '--only', 'inner']);
    expect(document(other).error.code).toBe('target-not-empty');
    expect((await holdfast(directory, restore)).exit).toBe(0);
    expect(readFileSync(join(directory, 'back', directory, 'data/note.txt'), 'utf8')).toBe('remember');
  });

  it('counts as checked after every byte of the repository was read', async () => {
    const directory = await prepared();
    const proofOf = async () => document(await holdfast(directory, ['status', '--json'])).sources[0].last.proof;
    await holdfast(directory, ['backup']);
    expect(await proofOf()).toBe('stored');
    await holdfast(directory, ['check']);
    expect(await proofOf()).toBe('stored');
    await holdfast(directory, ['check', '--read-data']);
    expect(await proofOf()).toBe('checked');
  });

  it('misses its objective when it was never backed up', async () => {
    const status = await holdfast(await prepared(), ['status', '--json']);
    expect(status.exit).toBe(4);
    expect(document(status).sources[0].missed).toEqual(['rpo']);
  });

  it('restores the newest recovery point that is not after the time asked for', async () => {
    const directory = await prepared();
    await holdfast(directory, ['backup']);
    const between = new Date().toISOString();
    writeFileSync(join(directory, 'data', 'note.txt'), 'changed');
    await holdfast(directory, ['backup']);
    const text = (name: string) => readFileSync(join(directory, name, directory, 'data/note.txt'), 'utf8');
    await holdfast(directory, ['restore', 'files', '--to', 'then', '--at', between]);
    expect(text('then')).toBe('remember');
    await holdfast(directory, ['restore', 'files', '--to', 'now']);
    expect(text('now')).toBe('changed');
    expect((await holdfast(directory, ['restore', 'files', '--to', 'never', '--at', '1h ago'])).exit).toBe(1);
  });
});

describe('what goes wrong with a repository', () => {
  it('is told apart: no repository is 10, a wrong password 12', async () => {
    const directory = scratchDirectory();
    writePlan(directory, `  files: { type: files, paths: [${directory}] }`);
    const restore = ['restore', 'files', '--to', 'x'];
    const commands = [['backup'], ['snapshots'], ['status'], ['check'], ['verify'], restore];
    for (const command of commands) {
      expect((await holdfast(directory, command)).exit, command.join(' ')).toBe(10);
    }
    await initialise(directory);
    for (const command of commands) {
      const ran = await holdfast(directory, command, environment({ HOLDFAST_PASSWORD: 'wrong' }));
      expect(ran.exit, command.join(' ')).toBe(12);
      expect(ran.stderr + ran.stdout).not.toContain('wrong password'.repeat(2));
    }
  });

  it('is an error when everything that init should create exists, and nothing is changed', async () => {
    const directory = await prepared();
    await holdfast(directory, ['backup']);
    const config = readFileSync(join(directory, 'repository', 'config'));
    const again = await holdfast(directory, ['init', '--json']);
    expect(again.exit).toBe(1);
    expect(document(again).error.code).toBe('repository-exists');
    expect(readFileSync(join(directory, 'repository', 'config'))).toEqual(config);
    expect(document(await holdfast(directory, ['snapshots', '--json'])).snapshots).toHaveLength(1);
  });

  it('is 1 when check finds damage, and says where', async () => {
    const directory = await prepared();
    await holdfast(directory, ['backup']);
    const index = join(directory, 'repository', 'data');
    rmSync(index, { recursive: true });
    const ran = await holdfast(directory, ['check', '--json']);
    expect(ran.exit).toBe(1);
    expect(document(ran).repositories[0].findings[0]).toMatchObject({
      severity: 'error',
      message: 'the pack is missing',
    });
    expect((await holdfast(directory, ['restore', 'files', '--to', 'back'])).exit).toBe(1);
    expect((await holdfast(directory, ['verify'])).exit).toBe(4);
  });
});

describe('a backup that cannot read everything', () => {
  it('is partial: the rest is there, and what is missing is named', async () => {
    const directory = await prepared();
    writePlan(directory, `  files: { type: files, paths: [${directory}/data, ${directory}/gone] }`);
    const ran = await holdfast(directory, ['backup', '--json']);
    expect(ran.exit).toBe(3);
    expect(document(ran).sources[0]).toMatchObject({
      outcome: 'partial',
      problems: [{ item: `${directory}/gone`, code: 'path-missing' }],
    });
    expect(document(await holdfast(directory, ['snapshots', '--json'])).snapshots[0].tags).toContain('partial');
    const human = await holdfast(directory, ['backup']);
    expect(human.stdout).toContain(`${directory}/gone: `);
    // A partial recovery point does not count for RPO.
    expect((await holdfast(directory, ['status'])).exit).toBe(4);
  });

  it('is partial when a file grows while it is read', async () => {
    const directory = await prepared();
    const log = join(directory, 'data', 'log');
    writeFileSync(log, Buffer.alloc(64 * 1024 * 1024, 'line\n'));
    const { done } = startHoldfast(directory, ['backup', '--json']);
    let running = true;
    done.finally(() => {
      running = false;
    });
    while (running) {
      appendFileSync(log, 'one more\n');
      await sleep(2);
    }
    const ran = await done;
    expect(ran.exit).toBe(3);
    expect(document(ran).sources[0].problems[0]).toMatchObject({ item: log, code: 'source-lost' });
  });

  it('fails when there is nothing to read at all, beside another source that succeeds', async () => {
    const directory = await prepared();
    writePlan(
      directory,
      `  files: { type: files, paths: [${directory}/data] }\n  gone: { type: files, paths: [/nowhere/at/all] }`,
    );
    const ran = await holdfast(directory, ['backup', '--json']);
    expect(ran.exit).toBe(1);
    expect(document(ran).sources).toMatchObject([
      { outcome: 'complete' },
      { outcome: 'failed', error: { code: 'path-missing' } },
    ]);
  });
});

describe.skipIf(!requires('root'))('a user without a name, as containers have them', () => {
  it('backs up like any other', async () => {
    const directory = await prepared();
    spawnSync('chown', ['-R', '12345:12345', directory]);
    const ran = spawnSync(
      'setpriv',
      ['--reuid=12345', '--regid=12345', '--clear-groups', HOLDFAST, 'backup', '--json'],
      {
        cwd: directory,
        env: environment({ HOME: directory }),
        encoding: 'utf8',
      },
    );
    expect(ran.status, ran.stderr).toBe(0);
    const [snapshot] = document(await holdfast(directory, ['snapshots', '--json'])).snapshots;
    expect(snapshot).toMatchObject({ username: '12345', uid: 12345, gid: 12345 });
  });
});

describe('a target', () => {
  it('that is not empty is refused, and left as it is', async () => {
    const directory = await prepared();
    await holdfast(directory, ['backup']);
    mkdirSync(join(directory, 'mine'));
    writeFileSync(join(directory, 'mine', 'precious'), 'mine');
    const ran = await holdfast(directory, ['restore', 'files', '--to', 'mine', '--json']);
    expect(ran.exit).toBe(1);
    expect(document(ran).error.code).toBe('target-not-empty');
    expect(readFileSync(join(directory, 'mine', 'precious'), 'utf8')).toBe('mine');
  });
});

describe('a validation', () => {
  it('that is not fulfilled makes the proof fail, with exit code 4', async () => {
    const directory = await prepared(', validate: [{ name: holds, exec: ["true"] }, { name: fails, exec: ["false"] }]');
    await holdfast(directory, ['backup']);
    const ran = await holdfast(directory, ['verify', '--json']);
    expect(ran.exit).toBe(4);
    expect(document(ran).proofs[0]).toMatchObject({ state: 'failed', checksFailed: ['validate: fails'] });
    expect(document(await holdfast(directory, ['status', '--json'])).sources[0].last.proof).toBe('failed');
  });
});

describe('a source that has no backup yet', () => {
  it('keeps no other from being proven, and makes the exit code 1', async () => {
    const directory = await prepared();
    const files = `{ type: files, paths: [${directory}/data] }`;
    writePlan(directory, `  never: ${files}\n  files: ${files}`);
    await holdfast(directory, ['backup', 'files']);
    const ran = await holdfast(directory, ['verify', '--json']);
    expect(ran.exit).toBe(1);
    expect(document(ran)).toMatchObject({
      proofs: [{ source: 'files', state: 'proven' }],
      failures: [{ source: 'never', error: { code: 'unknown-snapshot', message: 'never has no snapshot' } }],
    });
    const { exit, stdout } = await holdfast(directory, ['verify', 'files', 'never']);
    expect([exit, stdout]).toEqual([
      1,
      expect.stringMatching(/^proven {2}files .*\nfailed {2}never: never has no snap/s),
    ]);
    expect(document(await holdfast(directory, ['verify', 'never', '--json'])).error.code).toBe('unknown-snapshot');
  });
});

describe('a backup that is killed', () => {
  /** How long it takes to get there depends on what else the machine does. */
  async function atWork(directory: string): Promise<void> {
    const locks = join(directory, 'repository', 'locks');
    while (!existsSync(locks) || readdirSync(locks).length === 0) await sleep(20);
  }

  it('leaves earlier snapshots whole, and the next run works', async () => {
    const directory = await prepared();
    expect((await holdfast(directory, ['backup'])).exit).toBe(0);
    writeFileSync(join(directory, 'data', 'large'), Buffer.alloc(200 * 1024 * 1024, 'not much in it, but a lot of it'));
    const { child, done } = startHoldfast(directory, ['backup']);
    await atWork(directory);
    child.kill('SIGKILL');
    expect((await done).exit).toBe('SIGKILL');
    expect((await holdfast(directory, ['check', '--read-data'])).exit).toBe(0);
    expect(document(await holdfast(directory, ['snapshots', '--json'])).snapshots).toHaveLength(1);
    expect((await holdfast(directory, ['verify'])).exit).toBe(0);
    expect((await holdfast(directory, ['backup'])).exit).toBe(0);
    expect((await holdfast(directory, ['verify'])).exit).toBe(0);
  });

  it('by Ctrl-C ends in good order with 130, without a snapshot and without a lock', async () => {
    const directory = await prepared();
    writeFileSync(join(directory, 'data', 'large'), Buffer.alloc(400 * 1024 * 1024, 'not much in it, but a lot of it'));
    const { child, done } = startHoldfast(directory, ['backup']);
    await atWork(directory);
    child.kill('SIGINT');
    expect((await done).exit).toBe(130);
    expect(document(await holdfast(directory, ['snapshots', '--json'])).snapshots).toHaveLength(0);
    expect((await holdfast(directory, ['check', '--read-data'])).exit).toBe(0);
  });
});

describe('the output', () => {
  it('is one document with --json, whatever happens, before or after the command', async () => {
    const directory = await prepared();
    for (const words of [
      ['--json', 'backup'],
      ['backup', '--json'],
      ['status', '--json'],
      ['bakcup', '--json'],
      ['restore', '--json'],
      ['plan', 'check', '--json'],
    ]) {
      const ran = await holdfast(directory, words);
      expect(() => JSON.parse(ran.stdout), words.join(' ')).not.toThrow();
    }
  });

  it('holds no secret, in errors neither', async () => {
    const directory = await prepared();
    for (const words of [
      ['plan', 'show'],
      ['backup'],
      ['status'],
      ['snapshots'],
      ['restore', 'files', '--to', '/proc/nowhere'],
    ]) {
      const { stdout, stderr } = await holdfast(directory, words, environment({ HOLDFAST_DEBUG: '1' }));
      expect(stdout + stderr).not.toContain('correct horse');
    }
  });

  it('ends quietly when nobody reads it any more', async () => {
    const directory = await prepared();
    await holdfast(directory, ['backup']);
    for (const words of [
      ['ls', 'latest'],
      ['ls', '--help'],
    ]) {
      const { child, done } = startHoldfast(directory, words);
      child.stdout!.destroy();
      await once(child, 'close');
      expect((await done).stderr).not.toContain('EPIPE');
    }
  });

  it('that cannot be printed is a failure', async () => {
    const directory = await prepared();
    for (const option of ['--json', '--help']) {
      const ran = spawnSync('sh', ['-c', `exec "$0" "$@" > /dev/full`, HOLDFAST, 'snapshots', option], {
        ...{ cwd: directory, env: environment(), encoding: 'utf8' },
      });
      expect(ran.status).toBe(1);
      expect(ran.stderr).toMatch(/^holdfast: the result could not be printed: ENOSPC/m);
    }
  });
});

describe('usage', () => {
  it('errors are 2 and name the nearest command', async () => {
    const directory = scratchDirectory();
    const ran = await holdfast(directory, ['bakcup']);
    expect(ran.exit).toBe(2);
    expect(ran.stderr).toContain('backup');
    expect((await holdfast(directory, ['restore', 'x'])).exit).toBe(2);
    expect((await holdfast(directory, ['status'])).exit).toBe(2);
    expect((await holdfast(directory, ['--help'])).exit).toBe(0);
    expect((await holdfast(directory, ['backup', '--help'])).stdout).toContain('Exit codes:');
  });

  it('names an unknown source and those that there are', async () => {
    const ran = await holdfast(await prepared(), ['backup', 'flies']);
    expect(ran.exit).toBe(2);
    expect(ran.stderr).toContain('files');
  });

  it('of an invalid plan is 2, with all that is wrong, and where', async () => {
    const directory = scratchDirectory();
    writeFileSync(
      join(directory, 'holdfast.yaml'),
      `version: 1
name: test
objectives: { rpo: 1 hour }
repositories:
  main: { store: ./repository, password: hunter2 }
sources:
  files: { type: files, path: [/srv], repository: mian }
`,
    );
    const ran = await holdfast(directory, ['plan', 'check', '--json']);
    expect(ran.exit).toBe(2);
    const { problems } = document(ran).error;
    expect(problems.map(({ line, path }: { line: number; path: string }) => [line, path])).toEqual([
      [3, 'objectives.rpo'],
      [5, 'repositories.main.password'],
      [7, 'sources.files.paths'],
      [7, 'sources.files.path'],
      [7, 'sources.files.repository'],
    ]);
    expect(ran.stderr).toMatch(/holdfast\.yaml:7:\d+: sources\.files\.repository: .*main/);
    expect(ran.stderr + ran.stdout).not.toContain('hunter2');
  });
});
