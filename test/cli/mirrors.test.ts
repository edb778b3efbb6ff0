import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { document, environment, holdfast, initialise, type Ran, scratchDirectory } from '../support/cli.ts';
import { noise } from '../support/repository.ts';
import { requires } from '../support/requirements.ts';
import { restic } from '../support/restic.ts';

/** A plan with a mirror, and files to be backed up. */
function planned(): { directory: string; run: (...words: string[]) => Promise<Ran> } {
  const directory = scratchDirectory();
  mkdirSync(join(directory, 'data'));
  writeFileSync(join(directory, 'data', 'large'), noise(3 << 20));
  writeFileSync(join(directory, 'data', 'note'), 'remember');
  writePlanWith(
    directory,
    'main: { store: ./main, password: { env: HOLDFAST_PASSWORD } }',
    'eu: { store: ./eu, mirrorOf: main }',
  );
  return { directory, run: (...words) => holdfast(directory, words, environment()) };
}

function writePlanWith(directory: string, ...repositories: string[]): void {
  const lines = repositories.map((line) => `  ${line}\n`).join('');
  const source = `  files: { type: files, paths: [${directory}/data] }\n`;
  writeFileSync(join(directory, 'holdfast.yaml'), `version: 1\nname: test\nrepositories:\n${lines}sources:\n${source}`);
}

function expectSame(directory: string, restored: string): void {
  const { status, stdout } = spawnSync('diff', ['-r', join(directory, 'data'), join(restored, directory, 'data')]);
  expect([status, String(stdout)]).toEqual([0, '']);
}

describe('a repository with a mirror', () => {
  it('is destroyed, and all of it comes back from the mirror, which is then made the repository', async () => {
    const { directory, run } = planned();
    expect((await run('doctor')).stdout).toContain('holdfast init');
    const made = document(await run('init', '--json')).repositories;
    expect(made).toMatchObject([
      { name: 'main', created: true },
      { name: 'eu', created: false, mirrorOf: 'main' },
    ]);
    expect(existsSync(join(directory, 'eu'))).toBe(false);
    const backedUp = await run('backup', '--json');
    expect(backedUp.exit, backedUp.stderr).toBe(0);
    expect(document(backedUp).mirrors).toMatchObject([{ mirror: 'eu', repository: 'main', outcome: 'complete' }]);
    expect(
      spawnSync('diff', ['-r', '-x', 'locks', '-x', '.staging', join(directory, 'main'), join(directory, 'eu')]).status,
    ).toBe(0);
    expect(document(await run('status', '--json')).mirrors).toMatchObject([
      { mirror: 'eu', lag: { snapshots: 0, lagMs: 0 } },
    ]);

    renameSync(join(directory, 'main'), join(directory, 'lost'));
    const { stdout: missing } = await run('doctor');
    expect(missing).toContain('holdfast repository promote eu');
    expect(missing).not.toContain('holdfast init');
    const [{ id }] = document(await run('snapshots', '--repository', 'eu', '--json')).snapshots;
    const before = spawnSync('find', [join(directory, 'eu'), '-newer', join(directory, 'eu', 'config')]).stdout;
    expect((await run('ls', id, '--repository', 'eu')).stdout).toContain('note');
    const restored = await run('restore', 'files', '--repository', 'eu', '--to', 'back', '--json');
    expect(restored.exit, restored.stderr).toBe(0);
    expect(document(restored).notes.join()).toContain('was not recorded in the ledger');
    expectSame(directory, join(directory, 'back'));
    expect((await run('verify', '--repository', 'eu')).exit).toBe(0);
    expect((await run('check', 'eu', '--read-data')).exit).toBe(0);
    // Nothing of that was written into it.
    expect(spawnSync('find', [join(directory, 'eu'), '-newer', join(directory, 'eu', 'config')]).stdout).toEqual(
      before,
    );
    expect(readdirSync(join(directory, 'eu'))).not.toContain('locks');
    // A new repository beside the copy of the old one would hide what can be had of that.
    const anew = await run('init', '--json');
    expect([anew.exit, document(anew).error.code]).toEqual([1, 'mirror-refused']);
    expect((await run('prune', 'eu')).exit).toBe(2);

    const promoted = await run('repository', 'promote', 'eu', '--json');
    expect(promoted.exit, promoted.stderr).toBe(0);
    expect(document(promoted)).toMatchObject({ repository: 'eu', was: 'main', epoch: 1, snapshots: 1 });
    // The old one is back, and a plan that nobody changed.
    renameSync(join(directory, 'lost'), join(directory, 'main'));
    const stale = await run('backup', '--json');
    expect(stale.exit).toBe(3);
    expect(document(stale)).toMatchObject({
      sources: [{ outcome: 'complete' }],
      mirrors: [{ outcome: 'failed', error: { code: 'mirror-refused' } }],
    });
    writePlanWith(
      directory,
      'eu: { store: ./eu, password: { env: HOLDFAST_PASSWORD } }',
      'main: { store: ./main, mirrorOf: eu }',
    );
    const turned = await run('backup', '--json');
    expect(document(turned).sources).toMatchObject([{ outcome: 'complete', repository: 'eu' }]);
    // What the old one had on its own is neither lost nor in silence.
    expect(document(turned).mirrors).toMatchObject([{ mirror: 'main', error: { code: 'mirror-diverged' } }]);
    expect(readdirSync(join(directory, 'main', 'snapshots'))).toHaveLength(3);
    if (requires('restic')) for (const name of ['main', 'eu']) restic(join(directory, name), ['check', '--read-data']);
  });

  it('is backed up although the mirror cannot be written to, which is partial, catches up, and heals the other', async () => {
    const { directory, run } = planned();
    await initialise(directory, 'main');
    writeFileSync(join(directory, 'eu'), 'in the way');
    const ran = await run('backup', '--json');
    expect(ran.exit).toBe(3);
    expect(document(ran)).toMatchObject({ sources: [{ outcome: 'complete' }], mirrors: [{ outcome: 'failed' }] });
    const status = await run('status', '--json');
    expect([status.exit, document(status).mirrors[0].failure.code]).toEqual([1, 'object-missing']);
    expect((await run('replicate')).exit).toBe(1);
    rmSync(join(directory, 'eu'));
    const caughtUp = await run('replicate', 'eu');
    expect(caughtUp.exit, caughtUp.stdout).toBe(0);
    expect(caughtUp.stdout).toContain('mirrored main to eu');
    const after = await run('status');
    expect([after.exit, after.stdout]).toEqual([0, expect.stringContaining('eu of main: has all that there is')]);
    expect((await run('replicate', 'nowhere')).exit).toBe(2);

    // One of the files' packs: of the manifest, which may have one of its own, a restore reads nothing.
    const large = [join(directory, 'main', 'data'), '-type', 'f', '-size', '+100k'];
    const packs = spawnSync('find', large, { encoding: 'utf8' }).stdout;
    const pack = packs.split('\n')[0]!;
    const bytes = readFileSync(pack);
    bytes[100]! ^= 1;
    writeFileSync(pack, bytes);
    const healed = await run('restore', 'files', '--to', 'back');
    expect(healed.exit, healed.stderr).toBe(0);
    expect(healed.stdout).toMatch(/data\/\S+ of main was taken from eu, since .*; it was put back/);
    expectSame(directory, join(directory, 'back'));
    if (requires('restic')) restic(join(directory, 'main'), ['check', '--read-data']);
    const told = await run('status');
    expect([told.exit, told.stdout]).toEqual([1, expect.stringMatching(/healed main: 1 object put back, .*data\//)]);
    expect((await run('check', 'main', '--read-data')).exit).toBe(0);
    const quiet = await run('status', '--json');
    expect([quiet.exit, document(quiet).healed]).toEqual([0, []]);
  });

  it.skipIf(!requires('restic'))(
    'loses what stock restic removed from it once a person says that it was meant',
    async () => {
      const { directory, run } = planned();
      await initialise(directory, 'main');
      // In how many packs each comes is for the threads to decide: much is gone in any case.
      for (const round of [1, 2, 3, 4]) {
        writeFileSync(join(directory, 'data', 'large'), noise(2 << 20, round));
        expect((await run('backup')).exit).toBe(0);
      }
      const main = join(directory, 'main');
      restic(main, ['forget', '--keep-last', '1', '--group-by', '', '--prune']);
      const alarm = await run('replicate', '--json');
      expect([alarm.exit, document(alarm).mirrors[0].error.code]).toEqual([1, 'mirror-diverged']);
      const listed = await run('replicate', 'eu', '--accept-missing', '--dry-run');
      expect(listed).toMatchObject({
        exit: 0,
        stdout: expect.stringMatching(/3 snapshots among them[\s\S]*source:files/),
      });
      for (const words of [['--accept-missing'], ['eu', '--why', 'x'], ['eu', '--accept-missing', '--why', 'x']]) {
        expect((await run('replicate', ...words)).exit, words.join(' ')).toBe(2);
      }
      const accepted = await run('replicate', 'eu', '--accept-missing', '--why', 'forget by Ann', '--confirm', 'eu');
      expect(accepted.exit, accepted.stdout).toBe(0);
      const { status, stdout } = spawnSync('diff', [
        '-r',
        '-x',
        'locks',
        '-x',
        '.staging',
        main,
        join(directory, 'eu'),
      ]);
      expect([status, String(stdout)]).toEqual([0, '']);
      restic(join(directory, 'eu'), ['check', '--read-data']);
      expect((await run('status')).exit).toBe(0);
    },
  );
});
