import { expect, it } from 'vitest';
import { movableClock } from '../../../test/support/repository.ts';
import { Shelf } from '../../../test/support/shelf.ts';
import { type BackupFinished, Ledger } from '../../ledger/index.ts';
import type { OpenedRepository } from '../workspace.ts';
import { changesByDay, FollowedJudge } from './judge-followed.ts';

const HOUR_MS = 3_600_000;
const KIB = 1024;
const clock = movableClock(Date.parse('2026-03-01T00:00:00Z'));

function captured(snapshot: string, bytesAdded: number, share = 0.3): BackupFinished {
  const sizes = { bytesProcessed: 10_000 * KIB, bytesAdded, bytesStored: bytesAdded * share };
  const time = new Date(clock.nowMs()).toISOString();
  return { source: 'docs', snapshot, tree: snapshot, time, outcome: 'complete', durationMs: 1, problems: 0, ...sizes };
}

it('is held against days, so that a burst of some seconds is usual and a day like no other is suspect, once', async () => {
  const ledger = new Ledger(new Shelf(), clock);
  const opened = { ledger } as OpenedRepository;
  let judge = new FollowedJudge(opened);
  const found: [string, string][] = [];
  const follow = async (finished: BackupFinished, first = finished) => {
    await ledger.append('backup.finished', finished);
    const why = await judge.judge(finished, first, clock.nowMs());
    if (why !== undefined) found.push([finished.snapshot, why]);
  };
  // Nothing but a little for hours, and once a day, at noon, much at once.
  for (let hour = 0; hour < 10 * 24; hour += 3) {
    clock.advance(3 * HOUR_MS);
    await follow(captured(`usual-${hour}`, hour % 24 === 12 ? 900 * KIB : KIB));
  }
  expect(found).toEqual([]);
  // Another process goes on where this one ended.
  judge = new FollowedJudge(opened);
  clock.advance(HOUR_MS);
  await follow(captured('encrypted', 10_000 * KIB, 0.99), captured('first-encrypted', 1));
  clock.advance(HOUR_MS);
  await follow(captured('after', 5000 * KIB, 0.99));
  judge = new FollowedJudge(opened);
  await follow(captured('after-restart', 5000 * KIB, 0.99));
  expect(found).toEqual([['encrypted', expect.stringMatching(/^within 24 hours: .* of new data, where /)]]);
  const marked = (await ledger.read()).flatMap(({ kind, body }) => (kind === 'snapshot.suspected' ? [body.tree] : []));
  expect(marked).toEqual(['first-encrypted', 'encrypted']);
});

it('sums up what came within 24 hours, by a clock that was set back as well', () => {
  const at = (hour: number, bytesProcessed: number, bytesStored?: number) => ({
    ...{ timeMs: hour * HOUR_MS, bytesProcessed, bytesAdded: 10 },
    ...(bytesStored !== undefined && { bytesStored }),
  });
  const changes = [at(1, 1, 1), at(2, 2, 1), at(30, 3), at(31, 4, 1), at(60, 5, 1), at(900, 6, 1)];
  expect(changesByDay(changes, 61 * HOUR_MS)).toEqual({
    last: { bytesProcessed: 6, bytesAdded: 20, bytesStored: 2 },
    before: [
      { bytesProcessed: 4, bytesAdded: 20 },
      { bytesProcessed: 2, bytesAdded: 20, bytesStored: 2 },
    ],
  });
});
