import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { listSnapshots, openRepository, type Repository } from '../../src/repository/index.ts';
import { createLocalStore } from '../../src/store/local/index.ts';
import { backUpFiles, restoreFiles } from '../support/files-backup.ts';
import { Instants, type KilledRun, runKilled } from '../support/killed-process.ts';
import { errorsOf, noise, PASSWORD, testDirectory, testRepository } from '../support/repository.ts';
import { requires } from '../support/requirements.ts';
import { resticCheck } from '../support/restic.ts';
import { describeTree, restoredAt } from '../support/tree.ts';

/** How often a backup is killed. More by hand: HOLDFAST_TEST_KILLS=200. */
const KILLS = Number(process.env['HOLDFAST_TEST_KILLS'] ?? 3);

/** Gives a directory new content, so that a backup has something to do at every instant. */
function fill(directory: string, round: number): void {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory);
  for (let index = 0; index < 40; index++)
    writeFileSync(join(directory, `${index}`), noise(500_000, `${round} ${index}`));
}

function backUpKilled(repository: string, source: string, afterMs: number): Promise<KilledRun> {
  return runKilled(new URL('../support/backup-process.ts', import.meta.url), [repository, source], {
    lastWord: 'saved',
    afterMs,
  });
}

async function assertRestores(repository: Repository, id: string, source: string, expected: unknown): Promise<void> {
  const target = join(testDirectory(), 'target');
  await restoreFiles(repository, target, id);
  expect(describeTree(restoredAt(target, source))).toEqual(expected);
  rmSync(target, { recursive: true });
}

describe('a backup that is killed', () => {
  it(`loses nothing that was there before, at ${KILLS} instants`, { timeout: 60_000 + KILLS * 20_000 }, async () => {
    const directory = join(testDirectory(), 'repository');
    const source = join(testDirectory(), 'source');
    const repository = await testRepository(createLocalStore(directory));
    fill(source, 0);
    const before = describeTree(source);
    const { id: first } = await backUpFiles(repository, [source]);
    // How long one takes that is not killed.
    fill(source, 1);
    const instants = new Instants(KILLS, (afterMs) => backUpKilled(directory, source, afterMs));
    await instants.measure();
    for (let round = 2; instants.areLeft; round++) {
      fill(source, round);
      const { ended } = await instants.runNext();
      const fresh = await openRepository(createLocalStore(directory), PASSWORD);
      expect(await errorsOf(fresh)).toEqual([]);
      const snapshots = await listSnapshots(fresh);
      if (ended) await assertRestores(fresh, snapshots.at(-1)!.id, source, describeTree(source));
    }
    expect(instants.killed).toBeGreaterThan(0);
    await assertRestores(repository, first, source, before);
    // The dead process's locks bind nobody, and the next backup has all that it needs.
    const { id: last, problems } = await backUpFiles(repository, [source]);
    expect(problems).toEqual([]);
    expect(await repository.documentKeys('locks/')).toEqual([]);
    await assertRestores(repository, last, source, describeTree(source));
    if (requires('restic')) resticCheck(directory);
  });
});
