import { spawn } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { listSnapshots, openRepository, type Repository } from '../../src/repository/index.ts';
import { createLocalStore } from '../../src/store/local/index.ts';
import { backUpFiles, restoreFiles } from '../support/files-backup.ts';
import { errorsOf, noise, PASSWORD, testDirectory, testRepository } from '../support/repository.ts';
import { requires } from '../support/requirements.ts';
import { resticCheck } from '../support/restic.ts';
import { describeTree, restoredAt } from '../support/tree.ts';

/** How often a backup is killed. More by hand: HOLDFAST_TEST_KILLS=200. */
const KILLS = Number(process.env['HOLDFAST_TEST_KILLS'] ?? 8);
const WRITER = new URL('../support/backup-process.ts', import.meta.url).pathname;

/** Gives a directory new content, so that a backup has something to do at every instant. */
function fill(directory: string, round: number): void {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory);
  for (let index = 0; index < 40; index++)
    writeFileSync(join(directory, `${index}`), noise(500_000, `${round} ${index}`));
}

/** Runs a backup, killed some time after it began to write, and says whether it was told to be there. */
function runKilled(repository: string, source: string, afterMs: number): Promise<{ saved: boolean; tookMs: number }> {
  const child = spawn(process.execPath, [WRITER, repository, source], {
    env: { ...process.env, HOLDFAST_TEST_PASSWORD: PASSWORD },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  let openedMs = 0;
  child.stdout.on('data', (text: Buffer) => {
    said += text.toString();
    if (openedMs !== 0 || !said.includes('opened')) return;
    openedMs = performance.now();
    setTimeout(() => child.kill('SIGKILL'), afterMs);
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', () => resolve({ saved: said.includes('saved'), tookMs: performance.now() - openedMs }));
  });
}

async function assertRestores(repository: Repository, id: string, source: string, expected: unknown): Promise<void> {
  const target = join(testDirectory(), 'target');
  await restoreFiles(repository, target, id);
  expect(describeTree(restoredAt(target, source))).toEqual(expected);
  rmSync(target, { recursive: true });
}

describe('a backup that is killed', () => {
  it(`loses nothing that was there before, at ${KILLS} instants`, { timeout: 30_000 + KILLS * 10_000 }, async () => {
    const directory = join(testDirectory(), 'repository');
    const source = join(testDirectory(), 'source');
    const repository = await testRepository(createLocalStore(directory));
    fill(source, 0);
    const before = describeTree(source);
    const { id: first } = await backUpFiles(repository, [source]);
    // How long one takes that is not killed.
    fill(source, 1);
    const { tookMs, saved } = await runKilled(directory, source, 60_000);
    expect(saved).toBe(true);
    let killed = 0;
    for (let round = 2; round < KILLS + 2; round++) {
      fill(source, round);
      const result = await runKilled(directory, source, Math.random() * tookMs);
      if (!result.saved) killed++;
      const fresh = await openRepository(createLocalStore(directory), PASSWORD);
      expect(await errorsOf(fresh)).toEqual([]);
      const snapshots = await listSnapshots(fresh);
      if (result.saved) await assertRestores(fresh, snapshots.at(-1)!.id, source, describeTree(source));
    }
    expect(killed).toBeGreaterThan(0);
    await assertRestores(repository, first, source, before);
    // The dead process's locks bind nobody, and the next backup has all that it needs.
    const { id: last, problems } = await backUpFiles(repository, [source]);
    expect(problems).toEqual([]);
    expect(await repository.documentKeys('locks/')).toEqual([]);
    await assertRestores(repository, last, source, describeTree(source));
    if (requires('restic')) resticCheck(directory);
  });
});
