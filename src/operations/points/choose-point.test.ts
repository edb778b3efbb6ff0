import { describe, expect, it } from 'vitest';
import { logWorkspace, segments, writeBase, writeTail } from '../../../test/support/log.ts';
import { testRepository } from '../../../test/support/repository.ts';
import { listSnapshots } from '../../repository/index.ts';
import { choosePoint, type PointRequest } from './choose-point.ts';

const DAY = '2026-01-31T';

/** Backups that ended at 10:00 and 12:00, and the log behind them until 14:00. */
async function followed() {
  const main = await testRepository();
  const workspace = logWorkspace({ main });
  const backups: string[] = [];
  for (const [at, finishedAt] of [
    [3, `${DAY}10:00:00Z`],
    [5, `${DAY}12:00:00Z`],
  ] as const)
    backups.push(await writeBase(main, { end: at, finishedAt }));
  await writeTail(main, segments(3, 5), { coveredUntil: `${DAY}12:00:00Z` });
  await writeTail(main, segments(5, 7), { coveredUntil: `${DAY}14:00:00Z` });
  const { ledger } = await workspace.open('main');
  const treeOf = async (id: string) => (await listSnapshots(main)).find((each) => each.id === id)!.tree;
  const prove = async (id: string): Promise<void> => {
    const tree = await treeOf(id);
    const figures = { validatorVersion: 2, durationMs: 1, restoreMs: 1, validateMs: 1, bytes: 1, checksPassed: 1 };
    await ledger.append('proof.recorded', {
      ...figures,
      source: 'db',
      snapshot: id,
      tree,
      state: 'proven',
      checksFailed: [],
    });
  };
  const suspect = async (id: string, time: string): Promise<void> => {
    await ledger.append('snapshot.suspected', { source: 'db', snapshot: id, tree: await treeOf(id), why: 'odd', time });
  };
  const chosen = (request: Partial<PointRequest>) =>
    choosePoint(workspace, { source: 'db', choose: 'latest', sinceMs: Date.parse(`${DAY}13:30:07Z`), ...request });
  return { backups, prove, suspect, chosen };
}

describe('a recovery point of a source with a log', () => {
  it('is the last second that the log leads to, or the very second that is asked for', async () => {
    const { chosen, backups } = await followed();
    expect(await chosen({})).toMatchObject({ time: `${DAY}14:00:00.000Z`, snapshot: backups[1] });
    expect(await chosen({ choose: 'at', at: `${DAY}11:11:11Z` })).toMatchObject({
      time: `${DAY}11:11:11.000Z`,
      snapshot: backups[0],
    });
    expect(await chosen({ before: `${DAY}12:34:56Z` })).toMatchObject({ time: `${DAY}12:34:56.000Z` });
    await expect(chosen({ choose: 'at', at: `${DAY}15:00:00Z` })).rejects.toMatchObject({ code: 'log-missing' });
  });

  it('is clean up to the second before the incident, by the log behind a backup that is proven', async () => {
    const { chosen, prove, backups } = await followed();
    await expect(chosen({ choose: 'latest-clean' })).rejects.toMatchObject({ code: 'unknown-snapshot' });
    await prove(backups[0]!);
    const { time, snapshot, reason } = await chosen({ choose: 'latest-clean' });
    expect([time, snapshot]).toEqual([`${DAY}13:30:07.000Z`, backups[0]]);
    expect(reason).toMatch(/by the log behind the backup of 2026-01-31T10:00:00Z, which is proven and not suspect/);
  });

  it('is no later than the last backup before what is suspect', async () => {
    const { chosen, prove, suspect, backups } = await followed();
    for (const id of backups) await prove(id);
    await suspect(backups[1]!, `${DAY}12:00:00Z`);
    const { time, reason } = await chosen({ choose: 'latest-clean' });
    expect(time).toBe(`${DAY}10:00:00.000Z`);
    expect(reason).toMatch(/1 newer was passed over: suspect$/);
  });

  it('is one that was itself proven, where that is asked for', async () => {
    const { chosen, prove, backups } = await followed();
    await prove(backups[0]!);
    expect(await chosen({ choose: 'latest-proven' })).toMatchObject({ time: `${DAY}10:00:00.000Z` });
  });
});
