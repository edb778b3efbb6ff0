import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { document, environment, holdfast, PASSWORD, scratchDirectory } from '../support/cli.ts';
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
    await run('init');
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

function passwordFile(directory: string): string {
  const file = join(directory, 'password');
  writeFileSync(file, PASSWORD, { mode: 0o600 });
  return file;
}
