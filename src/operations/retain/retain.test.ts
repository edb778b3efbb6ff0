import { expect, it, vi } from 'vitest';
import { CLUSTER, logWorkspace, OWNER, segments, writeBase, writeTail } from '../../../test/support/log.ts';
import { mirroredWorkspace, plannedFiles } from '../../../test/support/mirrored.ts';
import { craftSnapshot, dataBlob, ledgerOf, testRepository } from '../../../test/support/repository.ts';
import { LogTail, listSnapshots, lsnText } from '../../repository/index.ts';
import { MemoryStore } from '../../store/memory/index.ts';
import { foldTail } from '../log/fold.ts';
import { StoredLog } from '../log/stored-log.ts';
import { retain, retainRepository } from './retain.ts';

it('removes the log before the oldest backup that stays, as the ledger says where that begins, and nothing beside it', async () => {
  const main = await testRepository();
  const workspace = logWorkspace({ main }, { source: { retention: { last: 1 } } });
  const opened = await workspace.open('main');
  for (const [at, day] of [
    [3, '01'],
    [5, '03'],
  ] as const) {
    const snapshot = await writeBase(main, { start: at, end: at + 0.5, finishedAt: `2026-01-${day}T10:00:00Z` });
    const { tree } = (await listSnapshots(main)).find(({ id }) => id === snapshot)!;
    const [start, end] = [lsnText(segments(0, at).end), lsnText(segments(0, at + 0.5).end)];
    const log = { system: CLUSTER.system, timeline: 1, start, end };
    const figures = { durationMs: 1, bytesProcessed: 1, bytesAdded: 1, problems: 0 };
    const body = {
      source: 'db',
      snapshot,
      tree,
      outcome: 'complete',
      time: '2026-01-01T00:00:00Z',
      ...figures,
    } as const;
    await opened.ledger.append('backup.finished', { ...body, log });
    await writeTail(main, segments(at, at + 2), { coveredUntil: `2026-01-${day}T11:00:00Z` });
    await foldTail(workspace, opened, 'db', CLUSTER);
  }
  await writeTail(main, segments(7, 7.5));
  const { sources } = await retain(workspace, [], { dryRun: false });
  const { snapshots } = sources[0]!;
  expect(snapshots.filter(({ reasons }) => reasons.length === 0)).toHaveLength(2);
  const stored = await StoredLog.read(main, OWNER, () => listSnapshots(main));
  expect(stored.ranges(CLUSTER.system)).toEqual([segments(5, 7.5)]);
  expect(await listSnapshots(main)).toHaveLength(2);
  expect((await new LogTail(main, OWNER).list()).entries).toHaveLength(1);
});

it('of a whole repository makes few index files of the many that backups leave, and records which go', async () => {
  const store = new MemoryStore();
  const main = await testRepository(store);
  for (let index = 0; index < 70; index++) await craftSnapshot(main, [dataBlob(`content ${index}`)]);
  const before = await main.documentKeys('index/');
  await retainRepository(mirroredWorkspace({ main: store }, plannedFiles('files', '/none')), 'main');
  expect(await main.documentKeys('index/')).toHaveLength(1);
  const gone = (await ledgerOf(main).read()).flatMap(({ kind, body }) =>
    kind === 'prune.removing' ? body.indexes : [],
  );
  expect(gone.map((id) => `index/${id}`).sort()).toEqual(before);
});

it('of a whole repository sees each time what others recorded since, and reads no more of the ledger than that', async () => {
  const store = new MemoryStore();
  const main = await testRepository(store);
  const others = ledgerOf(main);
  for (let index = 0; index < 20; index++)
    await others.append('incident.opened', { incident: `${index}`, why: 'a fire' });
  for (let index = 0; index < 20; index++) await others.append('incident.closed', { incident: `${index}` });
  const workspace = mirroredWorkspace({ main: store }, plannedFiles('files', '/none'));
  await retainRepository(workspace, 'main');
  const get = vi.spyOn(store, 'get');
  await retainRepository(workspace, 'main');
  expect(get.mock.calls.filter(([key]) => key.startsWith('holdfast/ledger/'))).toEqual([]);
  await others.append('incident.opened', { incident: 'another', why: 'a flood' });
  await expect(retainRepository(workspace, 'main')).rejects.toMatchObject({ code: 'incident-open' });
});
