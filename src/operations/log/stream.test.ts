import { beforeEach, describe, expect, it } from 'vitest';
import { CLUSTER, logWorkspace, OWNER, writeBase, writeTail } from '../../../test/support/log.ts';
import { readFiles, testRepository } from '../../../test/support/repository.ts';
import { systemClock } from '../../foundation/clock.ts';
import { type LogRange, LogTail, listSnapshots, type Repository, type Stamp } from '../../repository/index.ts';
import { checkLog } from '../check/check-log.ts';
import { findWantedPoint } from '../restore/recovery-point.ts';
import { foldTail } from './fold.ts';
import { foldSnapshots } from './fold-snapshots.ts';
import { StoredLog } from './stored-log.ts';

const { system } = CLUSTER;
const TEXT = 'set a 1;multi;incr a;exec;set b 2;set c 3;set d 4;del a;set e';
/** Behind each `;` but those of the transaction; nothing of the last command's end is there. */
const ENDS = [8, 26, 34, 42, 50, 56];

function at(second: number): string {
  return new Date(Date.UTC(2026, 0, 31, 14) + second * 1000).toISOString();
}

/** The second of each end is its place in the list; that of the fifth one is known only to lie behind the fourth. */
const STAMPS: Stamp[] = ENDS.map((end, index) => ({
  ...{ lsn: BigInt(100 + end), ms: Date.parse(at(index)) },
  ...(index === 4 && { isLate: true }),
}));

function part(start: number, end: number): LogRange {
  return { timeline: 1, start: BigInt(100 + start), end: BigInt(100 + end) };
}

function storedIn(repository: Repository): Promise<StoredLog> {
  return StoredLog.read(repository, OWNER, () => listSnapshots(repository));
}

describe('a stream', () => {
  let repository: Repository;
  beforeEach(async () => {
    repository = await testRepository();
    for (const [start, end] of [
      [0, 20],
      [20, 45],
      [42, 61],
    ] as const) {
      const range = part(start, end);
      const stamps = STAMPS.filter(({ lsn }) => lsn > range.start && lsn <= range.end);
      const bytes = Buffer.from(TEXT.slice(start, end));
      await writeTail(repository, range, { bytes, stamps, segmentBytes: undefined, coveredUntil: at(6) });
    }
  });

  async function fold(nowMs = Date.now()): Promise<string[]> {
    const workspace = logWorkspace({ main: repository }, { clock: { ...systemClock, nowMs: () => nowMs } });
    const opened = await workspace.open('main');
    const made = await foldTail(workspace, opened, OWNER.source, { system });
    return [...made, ...(await foldSnapshots(workspace, opened, OWNER.source)).made];
  }

  async function expectAll(end = 61): Promise<void> {
    const stored = await storedIn(repository);
    expect((await stored.read(system, part(0, end))).toString()).toBe(TEXT.slice(0, end));
    const stamps: Stamp[] = [];
    for await (const { timeline: _, ...stamp } of stored.stampsFrom(system, { timeline: 1, lsn: 100n }))
      stamps.push(stamp);
    expect(stamps).toEqual(STAMPS);
    expect(await stored.lastStamp(system)).toEqual({ timeline: 1, lsn: 156n });
    const inputs = { repository, snapshots: () => listSnapshots(repository), events: async () => [] };
    expect((await checkLog(inputs, OWNER)).findings).toEqual([]);
    await stored.close();
  }

  it('has what came, and when, from the last place where it may be cut on', async () => {
    await expectAll();
    expect(await (await storedIn(repository)).segmentBytes(system)).toBeUndefined();
  });

  it('is gone on with where it begins, while it has come to no place where it may be cut', async () => {
    const fresh = await testRepository();
    expect(await (await storedIn(fresh)).lastStamp(system)).toBeUndefined();
    await writeTail(fresh, part(0, 20), { bytes: Buffer.alloc(20), segmentBytes: undefined });
    expect(await (await storedIn(fresh)).lastStamp(system)).toEqual({ timeline: 1, lsn: 100n });
  });

  it('becomes a snapshot up to there, as files of commands with one of times beside each', async () => {
    expect(await fold()).toHaveLength(1);
    await expectAll();
    const [snapshot] = await listSnapshots(repository);
    const files = await readFiles(repository, snapshot!.id);
    const name = 'wal/00000001-0000000000000064-000000000000009C';
    expect([...files.keys()]).toEqual([`${name}.aof`, `${name}.times`]);
    expect(files.get(`${name}.aof`)?.toString()).toBe(TEXT.slice(0, 56));
    expect(files.get(`${name}.times`)?.toString()).toContain(`\n150 ${at(4)} late\n`);
    expect((await storedIn(repository)).entries.map(({ start }) => start)).toEqual([142n]);
  });

  it('goes on in the next snapshot, and becomes one with it as they age', async () => {
    await fold();
    const bytes = Buffer.from(`${TEXT.slice(56)} 5;`);
    const more = { lsn: 164n, ms: Date.parse(at(9)) };
    await writeTail(repository, part(56, 64), { bytes, stamps: [more], segmentBytes: undefined, coveredUntil: at(9) });
    const nextDay = Date.parse('2026-02-02T01:00:00Z');
    expect(await fold(nextDay)).toHaveLength(2);
    const stored = await storedIn(repository);
    expect(stored.folded.map(({ start, end }) => [start, end])).toEqual([[100n, 164n]]);
    expect(stored.entries).toEqual([]);
    expect((await stored.read(system, part(0, 64))).toString()).toBe(`${TEXT} 5;`);
    expect(await stored.stampsIn(system, part(0, 64))).toEqual([...STAMPS, more]);
    await stored.close();
  });

  describe('that is restored', () => {
    async function cutAt(target: string): Promise<bigint> {
      const workspace = logWorkspace({ main: repository });
      const planned = workspace.sources([OWNER.source])[0]!;
      const opened = await workspace.open('main');
      const point = await findWantedPoint(workspace, opened, planned, { at: target, chosen: undefined });
      await point.log.close();
      return point.cut.lsn - 100n;
    }

    it.each(['in the tail', 'in a snapshot'])('%s ends behind what had happened by then', async (place) => {
      await writeBase(repository, { lsn: 104n, finishedAt: at(-1) });
      if (place === 'in a snapshot') await fold();
      expect(await cutAt(at(-0.5))).toBe(4n);
      expect(await cutAt(at(0))).toBe(8n);
      expect(await cutAt(at(1.9))).toBe(26n);
      expect(await cutAt(at(2))).toBe(34n);
      expect(await cutAt(at(4))).toBe(50n);
      expect(await cutAt(at(6))).toBe(56n);
      expect(await cutAt('latest')).toBe(56n);
      expect(await cutAt('0/87')).toBe(34n);
    });

    it('is refused where nobody was there to see when it happened, and where it is not known yet', async () => {
      await writeBase(repository, { lsn: 104n, finishedAt: at(-1) });
      await expect(cutAt(at(3.5))).rejects.toMatchObject({
        code: 'log-missing',
        context: { before: at(3), after: at(4) },
      });
      await expect(cutAt(at(7))).rejects.toMatchObject({ code: 'log-missing' });
    });

    it('goes over to another timeline, also from a backup that knows nothing of the first', async () => {
      const tail = new LogTail(repository, OWNER);
      const named = { alias: '99', begin: 156n };
      await tail.writeHistory(system, 2, { name: '00000002.history', bytes: Buffer.from('2'), named });
      const range = { timeline: 2, start: 156n, end: 162n };
      const stamps = [{ lsn: 162n, ms: Date.parse(at(8)) }];
      const bytes = Buffer.from('set e;');
      await writeTail(repository, range, { bytes, stamps, segmentBytes: undefined, coveredUntil: at(9) });
      await writeBase(repository, { lsn: 104n, finishedAt: at(-1) });
      expect(await cutAt(at(8))).toBe(62n);
      await writeBase(repository, { lsn: 158n, finishedAt: at(7), system: '99' });
      expect(await cutAt(at(8))).toBe(62n);
      expect(await cutAt(at(7.5))).toBe(58n);
      expect(await cutAt(at(6))).toBe(56n);
    });
  });

  it('whose times cannot be read is damaged', async () => {
    const stamps = [
      { lsn: 170n, ms: 1 },
      { lsn: 165n, ms: 2 },
    ];
    const range = part(61, 80);
    await writeTail(repository, range, { bytes: Buffer.alloc(19), stamps, segmentBytes: undefined });
    const inputs = { repository, snapshots: () => listSnapshots(repository), events: async () => [] };
    expect((await checkLog(inputs, OWNER)).findings).toMatchObject([{ severity: 'error', log: { start: '0/A1' } }]);
  });
});
