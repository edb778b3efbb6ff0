import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/foundation/clock.ts';
import type { LedgerEvent } from '../../src/ledger/index.ts';
import { adapters } from '../../src/main/adapters.ts';
import { type Environment, Workspace } from '../../src/operations/index.ts';
import { loadPlan } from '../../src/plan/index.ts';
import { listSnapshots, lockRepository, openRepository, type Repository } from '../../src/repository/index.ts';
import { createLocalStore } from '../../src/store/local/index.ts';
import {
  document,
  environment,
  holdfast,
  initialise,
  PASSWORD,
  scratchDirectory,
  startHoldfast,
  writePlan,
} from '../support/cli.ts';
import { noise } from '../support/repository.ts';
import { requires } from '../support/requirements.ts';
import { restic } from '../support/restic.ts';

const TAGS = ['holdfast', 'source:files', 'kind:tree'];

/** A repository with one real backup of `files`, which the plan keeps so. */
async function prepared(retention: string): Promise<{ directory: string; repository: Repository; real: string }> {
  const directory = scratchDirectory();
  mkdirSync(join(directory, 'data'));
  writeFileSync(join(directory, 'data', 'note.txt'), 'remember');
  writePlan(directory, `  files: { type: files, paths: [${directory}/data]${retention} }`);
  await initialise(directory);
  const backup = document(await holdfast(directory, ['backup', '--json']));
  const repository = await openRepository(createLocalStore(join(directory, 'repository')), PASSWORD);
  return { directory, repository, real: backup.sources[0].snapshot };
}

/** Snapshots of the same data as the newest, of other times. */
async function addSnapshots(
  repository: Repository,
  times: string[],
  change: { hostname?: string; tags?: string[] } = {},
): Promise<string[]> {
  const { id: _id, ...newest } = (await listSnapshots(repository)).at(-1)!;
  return Promise.all(
    times.map((time) =>
      repository.putDocument('snapshots/', { ...newest, hostname: 'test', tags: TAGS, ...change, time }),
    ),
  );
}

async function eventsOf(directory: string): Promise<LedgerEvent[]> {
  const surroundings = { clock: systemClock, variables: { HOLDFAST_PASSWORD: PASSWORD }, adapters };
  const workspace = new Workspace(await loadPlan({ cwd: directory, env: {} }), surroundings as unknown as Environment);
  return (await workspace.open('main')).ledger.read();
}

async function ids(repository: Repository): Promise<string[]> {
  return (await listSnapshots(repository)).map(({ id }) => id).sort();
}

const JANUARY = ['2025-01-01T10:00:00Z', '2025-01-02T10:00:00Z', '2025-01-02T20:00:00Z', '2025-01-03T10:00:00Z'];

describe('retain', () => {
  it('says with --dry-run which rule keeps each snapshot, and removes none', async () => {
    const { directory, repository, real } = await prepared(', retention: { last: 1, daily: 3, within: 1d }');
    const [first, second, third, fourth] = await addSnapshots(repository, JANUARY);
    const before = await ids(repository);
    const ran = await holdfast(directory, ['retain', '--dry-run', '--json']);
    expect(ran.exit).toBe(0);
    expect(document(ran)).toMatchObject({
      dryRun: true,
      sources: [
        {
          source: 'files',
          repository: 'main',
          keep: [
            {
              snapshot: real,
              reasons: [{ rule: 'within' }, { rule: 'last' }, { rule: 'daily' }, { rule: 'newest-complete' }],
            },
            { snapshot: fourth, time: JANUARY[3], reasons: [{ rule: 'daily', period: '2025-01-03' }] },
            { snapshot: third, reasons: [{ rule: 'daily', period: '2025-01-02' }] },
          ],
          remove: [{ snapshot: second, time: JANUARY[1] }, { snapshot: first }],
        },
      ],
    });
    const text = (await holdfast(directory, ['retain', 'files', '--dry-run'])).stdout;
    expect(text).toContain('3 snapshots kept, 2 to remove');
    expect(text).toMatch(new RegExp(`keep +${fourth!.slice(0, 8)} +2025-01-03 10:00:00Z +daily 2025-01-03`));
    expect(text).toMatch(new RegExp(`remove +${first!.slice(0, 8)} .*no rule keeps it`));
    expect(await ids(repository)).toEqual(before);
  });

  it('removes what no rule keeps, records it, and has nothing left to do', async () => {
    const { directory, repository, real } = await prepared(', retention: { daily: 2 }');
    const [first, second, third, fourth] = await addSnapshots(repository, JANUARY);
    const ran = await holdfast(directory, ['retain']);
    expect(ran.exit).toBe(0);
    expect(ran.stdout).toContain('2 snapshots kept, 3 removed');
    expect(await ids(repository)).toEqual([real, fourth].sort());
    expect(await repository.documentKeys('locks/')).toEqual([]);
    expect((await eventsOf(directory)).findLast(({ kind }) => kind === 'retention.decided')?.body).toMatchObject({
      source: 'files',
      repository: 'main',
      kept: 2,
      removed: [{ snapshot: first, time: JANUARY[0] }, { snapshot: second }, { snapshot: third }],
    });
    expect(document(await holdfast(directory, ['retain', '--json'])).sources[0].remove).toEqual([]);
    expect((await holdfast(directory, ['check', '--read-data'])).exit).toBe(0);
  });

  it('goes by the time zone of the plan', async () => {
    const { directory, repository } = await prepared(', retention: { daily: forever }');
    // 00:30 and 23:30 of one day in Berlin, of two in UTC.
    const [early, late] = await addSnapshots(repository, ['2025-06-01T22:30:00Z', '2025-06-02T21:30:00Z']);
    const kept = async (timezone: string) => {
      const retention = `  files: { type: files, paths: [${directory}/data], retention: { daily: forever } }`;
      writePlan(directory, retention, `timezone: ${timezone}`);
      const [{ keep }] = document(await holdfast(directory, ['retain', '--dry-run', '--json'])).sources;
      return keep.map(({ snapshot }: { snapshot: string }) => snapshot);
    };
    expect(await kept('UTC')).toEqual(expect.arrayContaining([early, late]));
    const inBerlin = await kept('Europe/Berlin');
    expect(inBerlin).toContain(late);
    // The oldest of all stays under a rule that has counts left, but as that alone.
    const [{ keep }] = document(await holdfast(directory, ['retain', '--dry-run', '--json'])).sources;
    expect(keep.at(-1)).toMatchObject({
      snapshot: early,
      reasons: [{ rule: 'daily', period: '2025-06-02', oldest: true }],
    });
  });

  it("leaves alone what is not the plan's", async () => {
    const { directory, repository, real } = await prepared(', retention: { last: 1 }');
    const others = [
      ...(await addSnapshots(repository, JANUARY, { hostname: 'another' })),
      ...(await addSnapshots(repository, JANUARY, { tags: ['holdfast', 'source:gone', 'kind:tree'] })),
      ...(await addSnapshots(repository, JANUARY, { tags: ['source:files'] })),
      ...(await addSnapshots(repository, JANUARY, { tags: [] })),
    ];
    await addSnapshots(repository, JANUARY);
    expect((await holdfast(directory, ['retain'])).exit).toBe(0);
    expect(await ids(repository)).toEqual([real, ...others].sort());
  });

  it('keeps everything of a source without retention', async () => {
    const { directory, repository } = await prepared('');
    await addSnapshots(repository, JANUARY);
    const ran = document(await holdfast(directory, ['retain', '--json']));
    expect(ran.sources[0].keep).toHaveLength(5);
    expect(await ids(repository)).toHaveLength(5);
  });

  it('thins with age what is continuous and has none', async () => {
    const { directory, repository, real } = await prepared(', schedule: continuous');
    const [first, , third] = await addSnapshots(repository, [
      '2025-01-10T10:00:00Z',
      '2025-01-11T10:00:00Z',
      '2025-01-12T10:00:00Z',
    ]);
    const { retention } = document(await holdfast(directory, ['plan', 'show', '--json'])).sources.files;
    expect(retention).toEqual({
      within: '1h',
      withinMinutely: '12h',
      withinHourly: '7d',
      withinDaily: '1mo',
      withinWeekly: '1y',
      monthly: 'forever',
    });
    expect((await holdfast(directory, ['retain'])).exit).toBe(0);
    // The newest of its month, and the oldest of all.
    expect(await ids(repository)).toEqual([first, third, real].sort());
  });

  it('removes what is older than the plan keeps logs', async () => {
    const { directory, repository, real } = await prepared(', retention: { within: 90d }');
    const daysAgo = (days: number): string => new Date(Date.now() - days * 86_400_000).toISOString();
    const [, kept] = await addSnapshots(repository, [daysAgo(91), daysAgo(89)]);
    expect((await holdfast(directory, ['retain'])).exit).toBe(0);
    expect(await ids(repository)).toEqual([kept, real].sort());
  });

  it('keeps the newest proven recovery point, whatever the rules say', async () => {
    const { directory, repository, real } = await prepared(', retention: { last: 1 }');
    expect((await holdfast(directory, ['verify'])).exit).toBe(0);
    writeFileSync(join(directory, 'data', 'note.txt'), 'changed');
    const newer = document(await holdfast(directory, ['backup', '--json'])).sources[0].snapshot;
    expect((await holdfast(directory, ['retain'])).exit).toBe(0);
    expect(await ids(repository)).toEqual([real, newer].sort());
  });

  it('refuses with 11 beside a lock of somebody else, and with 2 a source that the plan does not have', async () => {
    const { directory, repository } = await prepared(', retention: { last: 1 }');
    await addSnapshots(repository, JANUARY);
    const lock = { time: new Date().toISOString(), exclusive: false, hostname: 'another', username: 'restic', pid: 1 };
    const key = await repository.putDocument('locks/', lock);
    const ran = await holdfast(directory, ['retain', '--json']);
    expect(ran.exit).toBe(11);
    expect(document(ran).error.code).toBe('repository-locked');
    expect(await ids(repository)).toHaveLength(5);
    expect((await holdfast(directory, ['retain', '--dry-run'])).exit).toBe(0);
    await repository.store.delete(`locks/${key}`);
    expect((await holdfast(directory, ['retain', 'nothing'])).exit).toBe(2);
  });

  it('goes on beside a backup of ours', async () => {
    const { directory, repository, real } = await prepared(', retention: { last: 1 }');
    await addSnapshots(repository, JANUARY);
    const lock = await lockRepository(repository, { exclusive: false, clock: systemClock });
    expect((await holdfast(directory, ['retain'])).exit).toBe(0);
    lock.assertHeld();
    await lock.release();
    expect(await ids(repository)).toEqual([real]);
  });

  it.skipIf(!requires('restic'))('leaves what stock restic lists and checks', async () => {
    const { directory, repository, real } = await prepared(', retention: { last: 1, yearly: 1 }');
    await addSnapshots(repository, JANUARY);
    expect((await holdfast(directory, ['retain'])).exit).toBe(0);
    const place = join(directory, 'repository');
    const listed = JSON.parse(restic(place, ['snapshots', '--json']).output) as { id: string }[];
    expect(listed.map(({ id }) => id)).toEqual([real]);
    restic(place, ['check', '--read-data']);
  });
});

describe('prune', () => {
  /** Two backups of different data, of which the first is not kept. */
  async function outgrown(): Promise<{ directory: string; repository: Repository }> {
    const { directory, repository } = await prepared(', retention: { last: 1 }');
    writeFileSync(join(directory, 'data', 'large'), noise(3_000_000));
    expect((await holdfast(directory, ['backup'])).exit).toBe(0);
    rmSync(join(directory, 'data', 'large'));
    expect((await holdfast(directory, ['backup'])).exit).toBe(0);
    expect((await holdfast(directory, ['retain'])).exit).toBe(0);
    return { directory, repository };
  }

  it('gives back what retain let go, and records it', async () => {
    const { directory, repository } = await outgrown();
    const planned = document(await holdfast(directory, ['prune', '--dry-run', '--json']));
    expect(planned).toMatchObject({ dryRun: true, repositories: [{ repository: 'main', swept: { packs: 0 } }] });
    expect(planned.repositories[0].marked.bytes).toBeGreaterThan(3_000_000);
    const ran = document(await holdfast(directory, ['prune', 'main', '--json']));
    expect(ran.repositories[0].marked).toEqual(planned.repositories[0].marked);
    expect(ran.repositories[0].swept.bytes).toBe(ran.repositories[0].marked.bytes);
    expect((await holdfast(directory, ['prune'])).stdout).toContain('marked: 0 packs');
    expect((await holdfast(directory, ['check', '--read-data'])).exit).toBe(0);
    expect((await holdfast(directory, ['verify'])).exit).toBe(0);
    if (requires('restic')) restic(join(directory, 'repository'), ['check', '--read-data']);
    const events = await eventsOf(directory);
    const removing = events.find(({ kind }) => kind === 'prune.removing')?.body as { packs: string[] };
    expect(removing.packs).toHaveLength(ran.repositories[0].swept.packs);
    expect(events.find(({ kind }) => kind === 'prune.finished')?.body).toMatchObject({
      repository: 'main',
      removedBytes: ran.repositories[0].swept.bytes,
      waiting: false,
    });
    expect(await repository.documentKeys('locks/')).toEqual([]);
  });

  it('says that it waits for a backup of ours, and is not in its way', async () => {
    const { directory, repository } = await outgrown();
    const lock = await lockRepository(repository, { exclusive: false, clock: systemClock });
    const waiting = await holdfast(directory, ['prune']);
    expect(waiting.exit).toBe(0);
    expect(waiting.stdout).toMatch(new RegExp(`waiting: .*process ${process.pid}.*; the next prune removes`));
    expect((await holdfast(directory, ['backup'])).exit).toBe(0);
    lock.assertHeld();
    await lock.release();
    const later = document(await holdfast(directory, ['prune', '--json'])).repositories[0];
    expect(later.waitingFor).toBeUndefined();
    expect(later.swept.bytes).toBeGreaterThan(3_000_000);
  });

  it('goes on beside backups that are run at the same time, one after the other', async () => {
    const { directory } = await outgrown();
    const pruning = Promise.all([1, 2, 3].map(() => startHoldfast(directory, ['prune', '--json']).done));
    for (let round = 0; round < 3; round++) {
      writeFileSync(join(directory, 'data', 'large'), noise(3_000_000));
      expect((await holdfast(directory, ['backup'])).exit).toBe(0);
      rmSync(join(directory, 'data', 'large'));
      expect((await holdfast(directory, ['backup'])).exit).toBe(0);
    }
    for (const { exit, stderr } of await pruning) expect(exit, stderr).toBe(0);
    expect((await holdfast(directory, ['check', '--read-data'])).exit).toBe(0);
    expect((await holdfast(directory, ['verify'])).exit).toBe(0);
  });

  it('refuses with 11 where somebody has the repository for themselves, 2 and 12 as every command', async () => {
    const { directory, repository } = await prepared('');
    const lock = await lockRepository(repository, { exclusive: true, clock: systemClock });
    expect((await holdfast(directory, ['prune'])).exit).toBe(11);
    await lock.release();
    expect((await holdfast(directory, ['prune', 'nothing'])).exit).toBe(2);
    expect((await holdfast(directory, ['prune'], environment({ HOLDFAST_PASSWORD: 'wrong' }))).exit).toBe(12);
  });
});
