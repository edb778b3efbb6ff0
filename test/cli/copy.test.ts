import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { document, environment, holdfast, initialise, PASSWORD, scratchDirectory } from '../support/cli.ts';
import { noise } from '../support/repository.ts';
import { requires } from '../support/requirements.ts';
import { restic } from '../support/restic.ts';

const OTHER = 'the password of the archive';

async function prepared(): Promise<string> {
  const directory = scratchDirectory();
  mkdirSync(join(directory, 'data'));
  writeFileSync(join(directory, 'data', 'large'), noise(5 << 20));
  writeFileSync(join(directory, 'data', 'note'), 'remember');
  writeFileSync(
    join(directory, 'holdfast.yaml'),
    `version: 1
name: test
repositories:
  main: { store: ./repository, password: { env: HOLDFAST_PASSWORD } }
  archive: { store: ./archive, password: { env: ARCHIVE_PASSWORD } }
sources:
  files: { type: files, paths: [${directory}/data], repository: main }
`,
  );
  return directory;
}

async function initialiseBoth(directory: string): Promise<void> {
  await initialise(directory);
  await initialise(directory, 'archive', OTHER);
}

describe.skipIf(!requires('restic'))('holdfast copy', () => {
  it('brings snapshots to a repository of another password and chunking that restic checks and restores', async () => {
    const directory = await prepared();
    const env = environment({ ARCHIVE_PASSWORD: OTHER });
    const run = (...words: string[]) => holdfast(directory, words, env);
    const archive = join(directory, 'archive');
    expect((await run('init')).exit).toBe(0);
    expect((await run('backup')).exit).toBe(0);
    restic(join(directory, 'repository'), ['backup', join(directory, 'data'), '--tag', 'theirs']);
    const ran = await run('copy', '--from', 'main', '--to', 'archive', '--json');
    expect(ran.exit, ran.stderr).toBe(0);
    expect(document(ran).snapshots).toHaveLength(2);
    restic(archive, ['check', '--read-data'], { password: OTHER });
    restic(archive, ['restore', 'latest', '--target', join(directory, 'back'), '--verify'], { password: OTHER });
    expect((await run('check', 'archive', '--read-data')).exit).toBe(0);
    const again = document(await run('copy', '--from', 'main', '--to', 'archive', '--json'));
    expect(again.snapshots.map(({ existed }: { existed: boolean }) => existed)).toEqual([true, true]);
    const [{ id }] = document(await run('snapshots', '--json', '--repository', 'archive')).snapshots;
    expect((await run('restore', '--snapshot', id, '--repository', 'archive', '--to', 'ours')).exit).toBe(0);
    // Which of the repositories has it need not be said.
    expect((await run('restore', '--snapshot', id, '--to', 'found')).exit).toBe(0);
    expect(await run('restore', '--snapshot', 'abcdef', '--to', 'nothing')).toMatchObject({
      exit: 1,
      stderr: expect.stringContaining('abcdef'),
    });
    // restic's own copy, the way back, knows them for what they are copies of.
    const copied = restic(
      archive,
      ['copy', '--repo2', join(directory, 'repository'), '--password-file2', passwordFile(directory)],
      {
        password: OTHER,
      },
    );
    expect(copied.output).toContain('skipping');
  });

  it('copies what is named, and refuses what makes no sense', async () => {
    const directory = await prepared();
    const env = environment({ ARCHIVE_PASSWORD: OTHER });
    const run = (...words: string[]) => holdfast(directory, words, env);
    await initialiseBoth(directory);
    for (let count = 0; count < 2; count++) expect((await run('backup')).exit).toBe(0);
    const [first] = document(await run('snapshots', '--json')).snapshots;
    const one = await run(
      'copy',
      first.id.slice(0, 10),
      '--from',
      'main',
      '--to',
      'archive',
      '--source',
      'files',
      '--json',
    );
    expect(document(one).snapshots.map(({ from }: { from: string }) => from)).toEqual([first.id]);
    expect((await run('copy', '--from', 'main')).exit).toBe(2);
    expect((await run('copy', '--from', 'main', '--to', 'main')).exit).toBe(2);
    expect((await run('copy', '--from', 'main', '--to', 'nowhere')).exit).toBe(2);
    expect((await run('copy', 'ffffffff', '--from', 'main', '--to', 'archive')).exit).toBe(1);
  });
});

describe('holdfast copy of a repository with a damaged snapshot document', () => {
  it('names it and copies the others, and is partial where it could be one of those asked for', async () => {
    const directory = await prepared();
    const env = environment({ ARCHIVE_PASSWORD: OTHER });
    const copy = async (...words: string[]) => {
      const ran = await holdfast(directory, ['copy', ...words, '--from', 'main', '--to', 'archive', '--json'], env);
      return { ...ran, result: document(ran) };
    };
    await initialiseBoth(directory);
    for (let count = 0; count < 3; count++) expect((await holdfast(directory, ['backup'], env)).exit).toBe(0);
    const listed = document(await holdfast(directory, ['snapshots', '--json'], env)).snapshots;
    const [first, lost, last] = listed.map(({ id }: { id: string }) => id);
    const file = join(directory, 'repository', 'snapshots', lost);
    chmodSync(file, 0o600);
    writeFileSync(file, readFileSync(file).subarray(1));
    const copiedBy = ({ result }: Awaited<ReturnType<typeof copy>>): string[] =>
      result.snapshots.map(({ from }: { from: string }) => from);

    const one = await copy(first);
    expect([one.exit, one.result.outcome, copiedBy(one)]).toEqual([0, 'complete', [first]]);
    expect(one.result.notes).toEqual([expect.stringContaining(`snapshots/${lost}`)]);
    const two = await copy(first, lost.slice(0, 10));
    expect([two.exit, two.result.outcome, copiedBy(two)]).toEqual([3, 'partial', [first]]);
    const all = await copy();
    expect([all.exit, all.result.outcome, copiedBy(all)]).toEqual([3, 'partial', [first, last]]);
    expect((await copy('--source', 'files')).exit).toBe(3);
    const none = await copy(lost);
    expect([none.exit, none.result.error.code]).toEqual([1, 'repository-damaged']);
  });

  it('is not kept from by one in the repository that is copied to', async () => {
    const directory = await prepared();
    const env = environment({ ARCHIVE_PASSWORD: OTHER });
    const run = (...words: string[]) => holdfast(directory, words, env);
    await initialiseBoth(directory);
    await run('backup');
    const [{ to }] = document(await run('copy', '--from', 'main', '--to', 'archive', '--json')).snapshots;
    const file = join(directory, 'archive', 'snapshots', to);
    chmodSync(file, 0o600);
    writeFileSync(file, 'torn');
    const again = await run('copy', '--from', 'main', '--to', 'archive', '--json');
    expect(again.exit, again.stdout).toBe(0);
    expect(document(again).snapshots).toMatchObject([{ existed: false }]);
    expect(document(again).notes).toEqual([expect.stringContaining(`snapshots/${to}`)]);
  });
});

function passwordFile(directory: string): string {
  const file = join(directory, 'password');
  writeFileSync(file, PASSWORD, { mode: 0o600 });
  return file;
}
