import { describe, expect, it } from 'vitest';
import { noProgress } from '../../src/foundation/progress.ts';
import { lockRepository, removeSnapshot, repairRepository } from '../../src/repository/index.ts';
import { LOCKS_PREFIX } from '../../src/repository/layout.ts';
import { standingLocks } from '../../src/repository/standing-locks.ts';
import { errorsOf, movableClock, noise, prune, readFiles, testRepository, writeFiles } from '../support/repository.ts';

const DAY_MS = 24 * 3_600_000;
const NOW_MS = Date.parse('2026-03-01T12:00:00Z');

/** A wall clock that is set, beside a monotonic one that only goes on. */
function settableClock() {
  const clock = movableClock(NOW_MS);
  let setMs = 0;
  return {
    nowMs: () => clock.nowMs() + setMs,
    monotonicMs: clock.monotonicMs,
    advance: clock.advance,
    set: (milliseconds: number) => {
      setMs += milliseconds;
    },
  };
}

describe('a clock that is set', () => {
  it.each([
    ['back', -DAY_MS],
    ['forward', DAY_MS],
  ])('%s between backups harms none of them, nor what a prune leaves', async (_way, milliseconds) => {
    const repository = await testRepository();
    const clock = settableClock();
    const [first, second] = [{ a: noise(300_000, 1), b: noise(300_000, 2) }, { a: noise(300_000, 3) }];
    const { id: before } = await writeFiles(repository, first, { clock });
    clock.set(milliseconds);
    const { id: after } = await writeFiles(repository, second, { clock });
    await prune(repository);
    await prune(repository);
    expect((await readFiles(repository, before)).get('b')!.equals(first.b)).toBe(true);
    expect((await readFiles(repository, after)).get('a')!.equals(second.a)).toBe(true);
    expect(await errorsOf(repository)).toEqual([]);
  });

  it.each([
    ['back', -DAY_MS],
    ['forward', DAY_MS],
  ])(
    '%s between mark and sweep of a prune, and back within a repair, leaves all that is needed',
    async (_way, milliseconds) => {
      const repository = await testRepository();
      const clock = settableClock();
      const kept = { a: noise(300_000, 1) };
      const { id: gone } = await writeFiles(repository, { b: noise(300_000, 2) }, { clock });
      const { id } = await writeFiles(repository, kept, { clock });
      await removeSnapshot(repository, gone);
      const older = await lockRepository(repository, { exclusive: false, clock });
      expect((await prune(repository, { clock })).waitingFor).toBeDefined();
      clock.set(milliseconds);
      // By a clock that went forward, whoever began before has not refreshed for a day.
      const beside = await prune(repository, { clock });
      expect(beside.waitingFor === undefined).toBe(milliseconds > 0);
      await older.release();
      const after = await prune(repository, { clock });
      expect(beside.swept.packs + after.swept.packs).toBeGreaterThan(0);
      for (const key of await repository.documentKeys('index/')) await repository.store.delete(key);
      const lock = await lockRepository(repository, { exclusive: true, clock });
      clock.set(-DAY_MS);
      const { signal } = new AbortController();
      const repaired = await repairRepository(repository, { readData: true, lock, progress: noProgress, signal });
      await lock.release();
      expect([repaired.findings, repaired.packsIndexed.length > 0]).toEqual([[], true]);
      expect((await readFiles(repository, id)).get('a')!.equals(kept.a)).toBe(true);
      expect(await errorsOf(repository)).toEqual([]);
      expect(await repository.documentKeys(LOCKS_PREFIX)).toEqual([]);
    },
  );

  it('back while a lock is held keeps the lock, which still excludes others', async () => {
    const repository = await testRepository();
    const clock = settableClock();
    const lock = await lockRepository(repository, { exclusive: true, clock });
    clock.set(-DAY_MS);
    lock.assertHeld();
    await lock.confirm();
    for await (const { stale } of standingLocks(repository, clock, { writers: false })) expect(stale).toBe(false);
    await expect(lockRepository(repository, { exclusive: false, clock })).rejects.toMatchObject({
      code: 'repository-locked',
    });
    await lock.release();
    expect(await repository.documentKeys(LOCKS_PREFIX)).toEqual([]);
    await (await lockRepository(repository, { exclusive: true, clock })).release();
  });
});
