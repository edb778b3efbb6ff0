import { mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createLocalStore } from '../../src/store/local/index.ts';
import { backUpFiles, restoreFiles } from '../support/files-backup.ts';
import { Instants, type KilledRun, runKilled } from '../support/killed-process.ts';
import { noise, testDirectory, testRepository } from '../support/repository.ts';
import { describeTree, plantTree, restoredAt } from '../support/tree.ts';

/** How often a restore is killed. More by hand: HOLDFAST_TEST_KILLS=200. */
const KILLS = Number(process.env['HOLDFAST_TEST_KILLS'] ?? 3);

function replaceKilled(repository: string, target: string, afterMs: number): Promise<KilledRun> {
  return runKilled(new URL('../support/replace-process.ts', import.meta.url), [repository, target], {
    lastWord: 'replaced',
    afterMs,
  });
}

/** Spoils what was restored, differently each time. */
function spoil(at: string, outside: string, round: number): void {
  mkdirSync(at, { recursive: true });
  for (let index = 0; index < 20; index++) {
    const path = join(at, `${index}`);
    if ((index + round) % 3 === 0) writeFileSync(path, noise(700_000, `${round} ${index}`));
    else if ((index + round) % 5 === 0) rmSync(path, { force: true });
  }
  const surplus = join(at, `surplus${round}`);
  for (let index = 0; index < 30; index++) mkdirSync(join(surplus, `${index}`, 'deep', 'er'), { recursive: true });
  symlinkSync(outside, join(surplus, 'link'));
  rmSync(join(at, '1'), { recursive: true, force: true });
  mkdirSync(join(at, '1', 'in the way'), { recursive: true });
  rmSync(join(at, 'links'), { recursive: true, force: true });
  symlinkSync(outside, join(at, 'links'));
}

describe('a restore that replaces its target and is killed', () => {
  it(`is done right by the next one, at ${KILLS} instants`, { timeout: 60_000 + KILLS * 20_000 }, async () => {
    const directory = join(testDirectory(), 'repository');
    const source = join(testDirectory(), 'source');
    const outside = testDirectory();
    writeFileSync(join(outside, 'precious'), 'as it was');
    mkdirSync(source);
    plantTree(source);
    for (let index = 0; index < 20; index++) writeFileSync(join(source, `${index}`), noise(1_000_000, index));
    const repository = await testRepository(createLocalStore(directory));
    await backUpFiles(repository, [source]);
    const expected = [describeTree(source), describeTree(outside)];
    const target = join(testDirectory(), 'target');
    const at = restoredAt(target, source);
    spoil(at, outside, 0);
    const instants = new Instants(KILLS, (afterMs) => replaceKilled(directory, target, afterMs));
    await instants.measure();
    for (let round = 1; instants.areLeft; round++) {
      spoil(at, outside, round);
      const { ended } = await instants.runNext();
      if (!ended) {
        // No restore that removes nothing may take what is left for a part of itself.
        await expect(restoreFiles(repository, target)).rejects.toMatchObject({ code: 'target-not-empty' });
      }
      const { problems } = await restoreFiles(repository, target, undefined, { replace: true });
      expect(problems).toEqual([]);
      expect([describeTree(at), describeTree(outside)]).toEqual(expected);
      expect(readdirSync(target)).toEqual([source.split('/')[1]]);
    }
    expect(instants.killed).toBeGreaterThan(0);
  });
});
