import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { document, environment, holdfast, type Ran, scratchDirectory, writePlan } from '../support/cli.ts';
import { requires } from '../support/requirements.ts';

/** What Holdfast makes of repositories that restic's own tests use. */

const FIXTURES = fileURLToPath(new URL('../fixtures/restic/', import.meta.url));
const PASSWORD = 'geheim';

function unpacked(name: string): { directory: string; run: (...words: string[]) => Promise<Ran> } {
  const directory = scratchDirectory();
  expect(spawnSync('tar', ['-xzf', join(FIXTURES, `${name}.tar.gz`), '-C', directory]).status).toBe(0);
  const made = readdirSync(directory)[0]!;
  expect(spawnSync('mv', [join(directory, made), join(directory, 'repository')]).status).toBe(0);
  writePlan(directory, `  files: { type: files, paths: [${directory}/data] }`);
  return { directory, run: (...words) => holdfast(directory, words, environment({ HOLDFAST_PASSWORD: PASSWORD })) };
}

async function snapshotIds(run: (...words: string[]) => Promise<Ran>): Promise<string[]> {
  const listed = document(await run('snapshots', '--json')).snapshots as { id: string }[];
  expect(listed.length).toBeGreaterThan(0);
  return listed.map(({ id }) => id);
}

async function restoreAll({ directory, run }: ReturnType<typeof unpacked>): Promise<Ran[]> {
  const ran: Ran[] = [];
  for (const id of await snapshotIds(run)) {
    ran.push(await run('restore', '--snapshot', id, '--to', join(directory, `to-${id}`), '--no-progress'));
  }
  return ran;
}

describe("a repository of restic's own tests", () => {
  it.each(['small-repo', 'repo-mixed', 'repo-same-timestamps', 'repo-layout-default'])(
    '%s is clean, restores, and is left as it is by a repair',
    async (name) => {
      const fixture = unpacked(name);
      const checked = await fixture.run('check', '--read-data', '--json', '--no-progress');
      expect([checked.exit, checked.stderr]).toEqual([0, '']);
      if (name === 'repo-mixed') expect(checked.stdout).toContain('mixes trees and data');
      for (const { exit, stderr } of await restoreAll(fixture)) expect([exit, stderr]).toEqual([0, '']);
      const index = readdirSync(join(fixture.directory, 'repository', 'index'));
      expect((await fixture.run('repair', '--read-data')).exit).toBe(0);
      expect(readdirSync(join(fixture.directory, 'repository', 'index'))).toEqual(index);
    },
    60_000,
  );

  it('repo-data-missing: what is missing is named by check, restore and repair, and success is reported by none', async () => {
    const fixture = unpacked('repo-data-missing');
    const checked = await fixture.run('check', '--json');
    expect(checked.exit).toBe(1);
    expect(checked.stdout).toMatch(/data\/[0-9a-f]{2}\/[0-9a-f]{64}",\s+"message": "the pack is missing/);
    for (const { exit, stderr } of await restoreAll(fixture)) {
      expect(exit).not.toBe(0);
      expect(stderr).toMatch(/[0-9a-f]{64}.*\/home\/thinkpad\/data\/test needs it/);
    }
    const snapshots = await snapshotIds(fixture.run);
    const repaired = await fixture.run('repair', '--json');
    expect(repaired.exit).toBe(3);
    const [{ blobsLost, findings, packsDropped }] = document(repaired).repositories;
    expect(packsDropped).toMatchObject([{ reason: 'it is missing' }]);
    expect(blobsLost.length).toBeGreaterThan(0);
    expect(findings[0].where).toMatch(/^snapshot [0-9a-f]{8} \//);
    expect(await snapshotIds(fixture.run)).toEqual(snapshots);
    expect((await fixture.run('check')).exit).toBe(1);
    for (const { exit, stderr } of await restoreAll({ ...fixture, directory: join(fixture.directory, 'data') })) {
      expect(exit).not.toBe(0);
      expect(stderr).toMatch(/[0-9a-f]{64}.*\/home\/thinkpad\/data\/test needs it/);
    }
    const [id] = snapshots;
    const without = ['restore', '--snapshot', id!, '--to', join(fixture.directory, 'rest'), '--exclude', 'test'];
    expect((await fixture.run(...without, '--no-progress')).exit).toBe(0);
  }, 60_000);

  it('repo-index-missing: packs that no index knows are named, and repair mends it', async () => {
    const fixture = unpacked('repo-index-missing');
    const checked = await fixture.run('check', '--json');
    expect(checked.exit).toBe(1);
    const { findings } = document(checked).repositories[0];
    const unknown = findings.filter(({ message }: { message: string }) => message.includes('no index knows this pack'));
    expect(unknown.length).toBeGreaterThan(0);
    const looked = document(await fixture.run('repair', '--dry-run', '--json')).repositories[0];
    expect(looked.packsIndexed).toHaveLength(unknown.length);
    expect((await fixture.run('check')).exit).toBe(1);
    expect((await fixture.run('repair')).exit).toBe(0);
    expect((await fixture.run('check', '--read-data')).exit).toBe(0);
    for (const { exit, stderr } of await restoreAll(fixture)) expect([exit, stderr]).toEqual([0, '']);
    expect(existsSync(join(fixture.directory, 'repository', 'holdfast', 'damaged'))).toBe(false);
    if (requires('restic')) {
      const { PATH } = process.env;
      const env = { PATH, RESTIC_PASSWORD: PASSWORD };
      const restic = spawnSync('restic', ['--no-cache', '-r', 'repository', 'check', '--read-data'], {
        cwd: fixture.directory,
        env,
        encoding: 'utf8',
      });
      expect([restic.status, restic.stderr]).toEqual([0, '']);
    }
  }, 60_000);
});
