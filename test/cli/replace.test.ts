import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { document, environment, holdfast, initialise, type Ran, scratchDirectory, writePlan } from '../support/cli.ts';
import { skipWithout } from '../support/requirements.ts';

/** A directory with a plan, a backup, and a target that holds something. */
async function prepared(): Promise<{ directory: string; restored: string }> {
  const directory = scratchDirectory();
  mkdirSync(join(directory, 'data'));
  writeFileSync(join(directory, 'data', 'note.txt'), 'remember');
  writePlan(
    directory,
    `  files: { type: files, paths: [${directory}/data] }\n  shop: { type: postgres, url: "postgres://nowhere/shop" }`,
  );
  await initialise(directory);
  expect((await holdfast(directory, ['backup', 'files'])).exit).toBe(0);
  mkdirSync(join(directory, 'a target', 'mine'), { recursive: true });
  writeFileSync(join(directory, 'a target', 'mine', 'old'), 'x');
  return { directory, restored: join(directory, 'a target', directory, 'data') };
}

const INTO = ['restore', 'files', '--to', 'a target', '--json'];

function expectUsageError(ran: Ran, message: RegExp, hint: RegExp): void {
  expect(ran.exit).toBe(2);
  expect(document(ran).error).toMatchObject({
    code: 'bad-usage',
    message: expect.stringMatching(message),
    hint: expect.stringMatching(hint),
  });
}

describe('restore --replace', () => {
  it('makes the target what the snapshot is, once its name is given', async () => {
    const { directory, restored } = await prepared();
    const first = await holdfast(directory, [...INTO, '--replace', '--confirm', 'a target']);
    expect(first.exit, first.stderr).toBe(0);
    expect(document(first)).toMatchObject({ replaced: true, outcome: 'complete' });
    expect(document(first).notes).toEqual([expect.stringMatching(/2 entries were removed/)]);
    expect(readdirSync(join(directory, 'a target'))).toEqual([directory.split('/')[1]]);
    writeFileSync(join(restored, 'note.txt'), 'REMEMBER');
    writeFileSync(join(restored, 'more'), 'x');
    const again = await holdfast(directory, [...INTO, '--replace', '--confirm', 'a target']);
    expect(again.exit).toBe(0);
    expect(readdirSync(restored)).toEqual(['note.txt']);
    expect(readFileSync(join(restored, 'note.txt'), 'utf8')).toBe('remember');
    expect((await holdfast(directory, INTO)).exit).toBe(1);
  });

  it('says what to type where it is not confirmed, and changes nothing', async () => {
    const { directory } = await prepared();
    const typed = /Type `--replace --confirm 'a target'`/;
    expectUsageError(await holdfast(directory, [...INTO, '--replace']), /must be confirmed/, typed);
    expectUsageError(await holdfast(directory, [...INTO, '--replace', '--confirm', 'files']), /"files" is not/, typed);
    expectUsageError(
      await holdfast(directory, [...INTO, '--confirm', 'a target']),
      /belongs to --replace/,
      /--replace/,
    );
    expect(readFileSync(join(directory, 'a target', 'mine', 'old'), 'utf8')).toBe('x');
  });

  it('only says what it would remove on a dry run, for which nobody confirms', async () => {
    const { directory } = await prepared();
    const ran = await holdfast(directory, [...INTO, '--replace', '--dry-run']);
    expect(ran.exit, ran.stderr).toBe(0);
    const mine = join(directory, 'a target', 'mine');
    expect(document(ran).surplus).toEqual([join(mine, 'old'), mine]);
    expect(document(ran).replaced).toBeUndefined();
    const human = await holdfast(directory, [...INTO.slice(0, -1), '--replace', '--dry-run']);
    expect(human.stdout).toMatch(/would make .*a target.* and remove 2\n {2}.*\/mine\/old\n {2}.*\/mine\n$/);
    expect(readdirSync(join(directory, 'a target'))).toEqual(['mine']);
    const events = document(await holdfast(directory, ['ledger', 'log', '--json'])).events as { kind: string }[];
    // That it was shown is recorded, and no restore.
    expect(events.filter(({ kind }) => kind === 'content.listed')).toHaveLength(2);
    expect(events.filter(({ kind }) => kind.startsWith('restore.'))).toEqual([]);
    expectUsageError(await holdfast(directory, [...INTO, '--dry-run']), /belongs to --replace/, /--replace/);
  });

  it('takes any snapshot to a directory, too', async () => {
    const { directory, restored } = await prepared();
    const [{ id }] = document(await holdfast(directory, ['snapshots', '--json'])).snapshots;
    const words = ['restore', '--snapshot', id, '--to', 'a target/', '--replace', '--confirm', 'a target'];
    expect((await holdfast(directory, words)).exit).toBe(0);
    expect(existsSync(join(directory, 'a target', 'mine'))).toBe(false);
    expect(existsSync(join(directory, 'a target', '.holdfast', 'manifest.json'))).toBe(true);
    expect(readdirSync(restored)).toEqual(['note.txt']);
    // A restore of the source has no manifest.
    expect((await holdfast(directory, [...INTO, '--replace', '--confirm', 'a target'])).exit).toBe(0);
    expect(existsSync(join(directory, 'a target', '.holdfast'))).toBe(false);
  });

  it('is partial where something cannot be removed', async (context) => {
    skipWithout(context, 'immutable');
    const { directory } = await prepared();
    const stuck = join(directory, 'a target', 'mine', 'old');
    spawnSync('chattr', ['+i', stuck]);
    onTestFinished(() => void spawnSync('chattr', ['-i', stuck]));
    const ran = await holdfast(directory, [...INTO, '--replace', '--confirm', 'a target']);
    spawnSync('chattr', ['-i', stuck]);
    expect(ran.exit).toBe(3);
    expect(document(ran)).toMatchObject({ outcome: 'partial', problems: [{ path: stuck }] });
  });

  it('refuses a database: there it is not to be had', async () => {
    const { directory } = await prepared();
    for (const to of ['postgres://nowhere/shop', 'a target']) {
      const ran = await holdfast(directory, [
        'restore',
        'shop',
        '--to',
        to,
        '--replace',
        '--confirm',
        'shop',
        '--json',
      ]);
      expect(document(ran).error).toMatchObject({ code: 'source-unsupported', hint: expect.stringMatching(/new/) });
      expect(ran.exit).toBe(1);
    }
  });
});

describe('what restore --replace never replaces', () => {
  it('is the root, a home, and what holds the repository, the plan or the living files', async () => {
    const { directory } = await prepared();
    const elsewhere = scratchDirectory();
    mkdirSync(join(elsewhere, 'home', 'me'), { recursive: true });
    mkdirSync(join(elsewhere, 'plan'));
    symlinkSync(directory, join(elsewhere, 'link'));
    writeFileSync(
      join(elsewhere, 'plan', 'holdfast.yaml'),
      readFileSync(join(directory, 'holdfast.yaml'), 'utf8').replace('./repository', `${directory}/repository`),
    );
    const env = environment({ HOME: join(elsewhere, 'home', 'me') });
    const attempt = async (to: string, confirm: string) => {
      const words = ['restore', 'files', '--to', to, '--replace', '--confirm', confirm, '--json'];
      const ran = await holdfast(join(elsewhere, 'plan'), words, env);
      expect(ran.exit, to).toBe(1);
      expect(document(ran).error.code, to).toBe('target-unsuitable');
      return document(ran).error.message;
    };
    expect(await attempt('/', '')).toMatch(/the root directory/);
    expect(await attempt(`${elsewhere}/home/me`, 'me')).toMatch(/the home directory/);
    expect(await attempt(`${elsewhere}/home`, 'home')).toMatch(/the home directory/);
    expect(await attempt('/root', 'root')).toMatch(/the home directory/);
    expect(await attempt('.', 'plan')).toMatch(/the plan/);
    expect(await attempt(directory, directory.split('/').at(-1)!)).toMatch(/the repository/);
    expect(await attempt(`${elsewhere}/link`, 'link')).toMatch(/the repository/);
    expect(await attempt(`${directory}/repository/data`, 'data')).toMatch(/in the repository/);
    expect(await attempt(`${directory}/data`, 'data')).toMatch(/overlaps/);
    expect(readFileSync(join(directory, 'data', 'note.txt'), 'utf8')).toBe('remember');
    expect(existsSync(join(elsewhere, 'plan', 'holdfast.yaml'))).toBe(true);
  });
});
