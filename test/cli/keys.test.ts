import { chmodSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { document, environment, holdfast, initialise, PASSWORD, scratchDirectory, writePlan } from '../support/cli.ts';
import { requires } from '../support/requirements.ts';
import { restic } from '../support/restic.ts';

const SECOND = 'a second one, ünïcödé';

async function prepared(): Promise<{ directory: string; repository: string }> {
  const directory = scratchDirectory();
  mkdirSync(join(directory, 'data'));
  writeFileSync(join(directory, 'data', 'note'), 'remember');
  writePlan(directory, `  files: { type: files, paths: [${directory}/data] }`);
  await initialise(directory);
  return { directory, repository: join(directory, 'repository') };
}

async function addSecond(directory: string): Promise<string> {
  const added = await holdfast(directory, ['key', 'add', '--json'], environment({ HOLDFAST_NEW_PASSWORD: SECOND }));
  expect(added.exit, added.stderr).toBe(0);
  return document(added).added;
}

describe.skipIf(!requires('restic'))('the passwords of a repository', () => {
  it('are several: holdfast and restic open it with each, and neither is ever shown', async () => {
    const { directory, repository } = await prepared();
    const id = await addSecond(directory);
    const second = environment({ HOLDFAST_PASSWORD: SECOND });
    for (const env of [environment(), second]) expect((await holdfast(directory, ['backup'], env)).exit).toBe(0);
    for (const password of [PASSWORD, SECOND]) restic(repository, ['check'], { password });
    const listed = document(await holdfast(directory, ['key', 'list', '--json'], second)).repositories;
    expect(listed[0].repository).toBe('main');
    expect(listed[0].keys.map((key: { current: boolean }) => key.current)).toEqual([false, true]);
    expect(listed[0].keys[1].id).toBe(id);
    const text = await holdfast(directory, ['key', 'list'], second);
    expect(text.stdout).toContain(`*  ${id.slice(0, 8)}  main`);
    expect(restic(repository, ['key', 'list'], { password: SECOND }).output).toContain(`*${id.slice(0, 8)}`);
  });

  it('are given by a file that only its owner reads, or by a variable', async () => {
    const { directory, repository } = await prepared();
    writeFileSync(join(directory, 'second'), `${SECOND}\n`, { mode: 0o644 });
    const words = ['key', 'add', '--new-password-file', 'second', '--json'];
    const refused = await holdfast(directory, words);
    expect([refused.exit, document(refused).error.code]).toEqual([1, 'secret-unavailable']);
    chmodSync(join(directory, 'second'), 0o600);
    expect((await holdfast(directory, words)).exit).toBe(0);
    const named = ['key', 'add', '--new-password-env', 'THIRD'];
    expect((await holdfast(directory, named, environment({ THIRD: 'three' }))).exit).toBe(0);
    for (const password of [SECOND, 'three']) restic(repository, ['snapshots'], { password });
    expect((await holdfast(directory, ['key', 'add'])).exit).toBe(2);
    expect((await holdfast(directory, [...named, '--new-password-file', 'second'])).exit).toBe(2);
    expect((await holdfast(directory, named, environment({ THIRD: '' }))).exit).toBe(1);
    expect(readdirSync(join(repository, 'keys'))).toHaveLength(3);
  });

  it('go away one by one, but never the one in use, which may be the last', async () => {
    const { directory, repository } = await prepared();
    const id = await addSecond(directory);
    const keys = document(await holdfast(directory, ['key', 'list', '--json'])).repositories[0].keys;
    const current = keys.find((key: { current: boolean }) => key.current).id;
    const refused = await holdfast(directory, ['key', 'remove', current.slice(0, 8), '--json']);
    expect([refused.exit, document(refused).error.code]).toEqual([1, 'key-in-use']);
    const dry = document(await holdfast(directory, ['key', 'remove', id.slice(0, 8), '--dry-run', '--json']));
    expect(dry).toEqual({ repository: 'main', removed: id, dryRun: true });
    restic(repository, ['snapshots'], { password: SECOND });
    expect((await holdfast(directory, ['key', 'remove', id.slice(0, 8)])).exit).toBe(0);
    expect((await holdfast(directory, ['snapshots'], environment({ HOLDFAST_PASSWORD: SECOND }))).exit).toBe(12);
    expect(restic(repository, ['snapshots'], { password: SECOND, mayFail: true }).status).not.toBe(0);
    expect((await holdfast(directory, ['key', 'remove', current])).exit).toBe(1);
    const unknown = await holdfast(directory, ['key', 'remove', 'ffffffff', '--json']);
    expect([unknown.exit, document(unknown).error.code]).toEqual([1, 'unknown-key']);
    restic(repository, ['check']);
  });

  it('change: the new one opens, the old one does not, and what was backed up is there', async () => {
    const { directory, repository } = await prepared();
    expect((await holdfast(directory, ['backup'])).exit).toBe(0);
    const env = environment({ HOLDFAST_NEW_PASSWORD: SECOND });
    expect((await holdfast(directory, ['key', 'passwd'], env)).exit).toBe(0);
    expect((await holdfast(directory, ['snapshots'])).exit).toBe(12);
    const changed = environment({ HOLDFAST_PASSWORD: SECOND });
    expect(document(await holdfast(directory, ['snapshots', '--json'], changed)).snapshots).toHaveLength(1);
    restic(repository, ['check', '--read-data'], { password: SECOND });
    expect(readdirSync(join(repository, 'keys'))).toHaveLength(1);
  });
});
