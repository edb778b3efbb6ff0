import { describe, expect, it } from 'vitest';
import {
  CLUSTER,
  cloneStore,
  logBytes,
  logWorkspace,
  OWNER,
  segments,
  writeBase,
  writeTail,
} from '../../../test/support/log.ts';
import { PASSWORD, testRepository } from '../../../test/support/repository.ts';
import {
  LogTail,
  listSnapshots,
  lsnText,
  openRepository,
  type Repository,
  removeSnapshot,
} from '../../repository/index.ts';
import { FaultyStore } from '../../store/faulty/index.ts';
import { MemoryStore } from '../../store/memory/index.ts';
import { checkLog } from '../check/check-log.ts';
import { foldTail } from '../log/fold.ts';
import { StoredLog } from '../log/stored-log.ts';
import { findWantedPoint } from '../restore/recovery-point.ts';
import { copy } from './copy.ts';

/** A copy dies before every so many of its changes; before each by hand: HOLDFAST_TEST_KILLS=200. */
const STRIDE = Number(process.env['HOLDFAST_TEST_KILLS'] ?? 5) > 5 ? 1 : 4;
const COVERED = { system: CLUSTER.system, timeline: 2, lsn: lsnText(segments(0, 9.5).end) };
const ALL = segments(3, 7.5);

/**
 * A base backup; behind it a log of which segments are in a snapshot, and objects beside it, the last of them on another
 * timeline; a gap before the backup, which the ledger has.
 */
async function prepare(): Promise<{ main: MemoryStore; archive: MemoryStore }> {
  const memory = { main: new MemoryStore(), archive: new MemoryStore() };
  const main = await testRepository(memory.main);
  const workspace = logWorkspace({ main, archive: await testRepository(memory.archive) });
  await writeTail(main, segments(1, 2), { coveredUntil: '2026-01-31T13:00:00Z' });
  const gap = { source: 'db', system: CLUSTER.system, timeline: 1, start: '0/20000', end: '0/30000', reason: '' };
  await (await workspace.open('main')).ledger.append('log.gap', gap);
  await writeBase(main, { end: 3.5, finishedAt: '2026-01-31T14:00:00Z' });
  await writeTail(main, segments(3, 5), { coveredUntil: '2026-01-31T14:01:00Z' });
  await foldTail(workspace, await workspace.open('main'), 'db', CLUSTER);
  await writeTail(main, segments(5, 6.2), { coveredUntil: '2026-01-31T14:02:00Z' });
  await writeTail(main, segments(6.2, 7.5), { coveredUntil: '2026-01-31T14:03:00Z' });
  const tail = new LogTail(main, OWNER);
  await tail.writeHistory(CLUSTER.system, 2, { name: '00000002.history', bytes: Buffer.from('1\t0/78000\tx\n') });
  await writeTail(main, segments(7, 9.5, 2), { coveredUntil: '2026-01-31T14:04:00Z' });
  await tail.writeCovered({ ...COVERED, coveredUntil: '2026-01-31T14:05:00Z' });
  return memory;
}

let prepared: ReturnType<typeof prepare> | undefined;

/** A place of its own that is as it was prepared. */
async function begin() {
  prepared ??= prepare();
  const memory = { main: cloneStore((await prepared).main), archive: cloneStore((await prepared).archive) };
  const main = await openRepository(memory.main, PASSWORD);
  const store = new FaultyStore(memory.archive);
  const archive = await openRepository(store, PASSWORD);
  return { memory, main, archive, store, workspace: logWorkspace({ main, archive }) };
}

type Begun = Awaited<ReturnType<typeof begin>>;

function copyFrom({ workspace }: Begun, more: { source?: string; snapshots?: string[] } = {}) {
  return copy(workspace, { from: 'main', to: 'archive', snapshots: [], ...more });
}

/** How far a recovery from a repository would reach. */
async function reachIn({ workspace }: Begun, name: string) {
  const planned = workspace.sources(['db'])[0]!;
  const point = await findWantedPoint(workspace, await workspace.open(name), planned, {
    at: 'latest',
    chosen: undefined,
  });
  await point.log.close();
  const { base, baseEnd, reach, coveredUntilMs, segmentBytes } = point;
  return { tree: base.tree, baseEnd, reach, covered: new Date(coveredUntilMs!).toISOString(), segmentBytes };
}

const stored = (repository: Repository) => StoredLog.read(repository, OWNER, () => listSnapshots(repository));

async function findingsIn({ workspace }: Begun, name: string) {
  const { repository, ledger } = await workspace.open(name);
  const inputs = { repository, snapshots: () => listSnapshots(repository), events: () => ledger.read() };
  return (await checkLog(inputs, OWNER)).findings;
}

describe('a copy of a followed source', () => {
  it.each<[string, { source?: string }]>([
    ['of everything', {}],
    ['of one source', { source: 'db' }],
  ])('%s reaches as far as what it is a copy of, with the same log', async (_, more) => {
    const place = await begin();
    const { outcome, tail } = await copyFrom(place, more);
    expect([outcome, tail.objects]).toEqual(['complete', 5]);
    const reach = await reachIn(place, 'archive');
    expect(reach).toEqual(await reachIn(place, 'main'));
    expect(reach).toMatchObject({
      reach: { timeline: 2, lsn: segments(0, 9.5).end },
      covered: '2026-01-31T14:05:00.000Z',
    });
    const log = await stored(place.archive);
    expect((await log.read(CLUSTER.system, ALL)).equals(logBytes(ALL))).toBe(true);
    expect(Buffer.from((await log.readHistory(CLUSTER.system, 2))!).toString()).toContain('0/78000');
    await log.close();
    expect(await findingsIn(place, 'archive')).toEqual([]);
    const sealed = [...place.memory.archive.objects].filter(([key]) => key.startsWith('holdfast/tail/'));
    for (const [key, { bytes }] of sealed) expect(place.memory.main.objects.get(key)!.bytes).not.toEqual(bytes);
  });

  it('goes on with what came since, and leaves nothing beside the snapshots that is in them', async () => {
    const place = await begin();
    await copyFrom(place);
    await writeTail(place.main, segments(9.5, 11, 2), { coveredUntil: '2026-01-31T14:06:00Z' });
    await foldTail(place.workspace, await place.workspace.open('main'), 'db', CLUSTER);
    await copyFrom(place);
    expect(await reachIn(place, 'archive')).toEqual(await reachIn(place, 'main'));
    const keysOf = async (repository: Repository) => (await stored(repository)).entries.map(({ key }) => key);
    expect(await keysOf(place.archive)).toEqual(await keysOf(place.main));
    expect(
      (await (await place.workspace.open('archive')).ledger.read()).filter(({ kind }) => kind === 'log.gap'),
    ).toHaveLength(1);
  });

  it('has what becomes a snapshot while it is copied', async () => {
    const place = await begin();
    // What a fold does last: a part of the tail is gone, and is in a snapshot that was not there before.
    let folding: Promise<unknown> | undefined;
    const fold = async () => foldTail(place.workspace, await place.workspace.open('main'), 'db', CLUSTER);
    const { store } = place.archive;
    const put = store.put.bind(store);
    store.put = async (key, ...rest) => {
      if (key.startsWith('snapshots/')) folding ??= fold();
      await folding;
      await put(key, ...rest);
    };
    const { snapshots } = await copyFrom(place);
    expect(snapshots).toHaveLength(5);
    expect(await reachIn(place, 'archive')).toEqual(await reachIn(place, 'main'));
    expect(await findingsIn(place, 'archive')).toEqual([]);
  });

  it('has no hole that it did not have before, wherever it is cut off', async () => {
    let isCutOff = true;
    // How many changes there are depends on how the threads share out the blobs.
    for (let cut = 0; isCutOff; cut += STRIDE) {
      const place = await begin();
      let done = 0;
      place.store.rule = ({ method }) =>
        (method === 'put' || method === 'delete') && done++ >= cut ? 'before' : undefined;
      isCutOff = await copyFrom(place).then(
        () => false,
        () => true,
      );
      place.store.rule = () => undefined;
      const holes = (await findingsIn(place, 'archive')).filter(({ severity }) => severity === 'error');
      expect(holes, `after ${cut} changes`).toEqual([]);
      if (!isCutOff) expect(cut).toBeGreaterThan(8);
    }
  }, 60_000);

  it('has a gap where the original removed what nobody copied in time, and a hole where it lost it', async () => {
    const place = await begin();
    await copyFrom(place);
    for (const { id } of await listSnapshots(place.main)) await removeSnapshot(place.main, id);
    for (const { key } of (await stored(place.main)).entries) await place.main.store.delete(key);
    await writeTail(place.main, segments(12, 13, 2));
    await writeTail(place.main, segments(14, 15, 2));
    await copyFrom(place);
    const ends = { start: '0/98000', end: '0/C0000', timeline: 2 };
    const events = await (await place.workspace.open('archive')).ledger.read();
    expect(events.filter(({ kind }) => kind === 'log.gap').at(-1)!.body).toMatchObject(ends);
    expect((await findingsIn(place, 'archive')).map(({ log }) => log?.start)).toEqual(['0/D0000']);
  });

  it('is partial where a part of the log is damaged, and has the others', async () => {
    const place = await begin();
    const [first] = (await stored(place.main)).entries.filter(({ start }) => start === segments(5, 6).start);
    place.memory.main.objects.get(first!.key)!.bytes[40]! ^= 1;
    const { outcome, notes } = await copyFrom(place);
    expect([outcome, notes]).toEqual(['partial', [expect.stringContaining(first!.key)]]);
    expect((await stored(place.archive)).entries).toHaveLength(2);
  });

  it('is of snapshots alone where they are named, and says what is left behind', async () => {
    const place = await begin();
    const { id } = (await listSnapshots(place.main)).at(-1)!;
    const { tail, notes } = await copyFrom(place, { snapshots: [id] });
    expect([tail.objects, notes]).toEqual([0, [expect.stringContaining('newest part of the log of db')]]);
    expect((await stored(place.archive)).entries).toEqual([]);
  });
});
