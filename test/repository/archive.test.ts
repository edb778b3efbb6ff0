/** Archives: chosen snapshots in a repository with a password, a schedule and a retention of its own. */

import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/foundation/clock.ts';
import { EXIT } from '../../src/foundation/errors.ts';
import { noProgress } from '../../src/foundation/progress.ts';
import { adapters } from '../../src/main/adapters.ts';
import { fromAfar } from '../../src/main/stores.ts';
import { recallContent } from '../../src/operations/archives/recall.ts';
import {
  type Adapters,
  backup,
  check,
  copy,
  diagnose,
  type Environment,
  initRepositories,
  listAll,
  listEntries,
  prune,
  replicateAll,
  replicateAllExit,
  restore,
  retain,
  status,
  verify,
  Workspace,
} from '../../src/operations/index.ts';
import { loadPlan } from '../../src/plan/index.ts';
import { listSnapshots, loadIndex, packKey, Reader } from '../../src/repository/index.ts';
import { createLocalStore } from '../../src/store/local/index.ts';
import { MemoryStore } from '../../src/store/memory/index.ts';
import { OfflineStore } from '../../src/store/offline/index.ts';
import { noise, PASSWORD, testDirectory, testRepository, writeFile, writeSnapshot } from '../support/repository.ts';
import { requires } from '../support/requirements.ts';
import { restic } from '../support/restic.ts';
import { describeTree, restoredAt } from '../support/tree.ts';

const ARCHIVE_PASSWORD = 'another one altogether';
const DAY_MS = 24 * 60 * 60_000;
/** A Saturday, and the first Sunday that the schedule makes due after it. */
const SATURDAY = Date.UTC(2026, 0, 3, 12);
const SUNDAY = '2026-01-04T03:00:00.000Z';

/** A plan on disk, and workspaces that each see it at a moment that tests move. */
class Planned {
  readonly directory = testDirectory();
  nowMs = SATURDAY;
  readonly #adapters: Adapters;

  /** @param place of the archive, as the plan has it */
  constructor(place = 'store: ./archive, capacity: { of: 1TB }', given: Adapters = adapters) {
    this.#adapters = given;
    for (const name of ['data', 'extra', 'beside']) {
      mkdirSync(join(this.directory, name));
      writeFileSync(join(this.directory, name, 'note'), `of ${name}`);
    }
    writeFileSync(
      join(this.directory, 'holdfast.yaml'),
      `version: 1
name: shop
repositories:
  main: { store: ./main, password: { env: PASSWORD } }
  archive:
    ${place.replaceAll(/, (?=[a-z])/g, '\n    ')}
    password: { env: ARCHIVE_PASSWORD }
    copies: { from: main, sources: [files, beside], schedule: weekly on sunday at 03:00 }
    retention: { last: 2 }
sources:
  files: { type: files, paths: [${this.directory}/data, ${this.directory}/extra], retention: { last: 1 } }
  beside: { type: files, paths: [${this.directory}/beside] }
`,
    );
  }

  async workspace(): Promise<Workspace> {
    const clock = { nowMs: () => this.nowMs, monotonicMs: systemClock.monotonicMs };
    const variables = { PASSWORD, ARCHIVE_PASSWORD };
    const signal = new AbortController().signal;
    const environment: Environment = {
      ...{ clock, variables, signal, adapters: this.#adapters, version: '0.0.0' },
      progress: () => noProgress,
    };
    return new Workspace(await loadPlan({ cwd: this.directory, env: {} }), environment);
  }

  async initialise(): Promise<void> {
    await testRepository(createLocalStore(join(this.directory, 'main')));
    await testRepository(createLocalStore(join(this.directory, 'archive')), 2, ARCHIVE_PASSWORD);
  }

  change(text: string): void {
    writeFileSync(join(this.directory, 'data', 'note'), text);
  }

  async replicate(...names: string[]) {
    const replicated = await replicateAll(await this.workspace(), names);
    return { exit: replicateAllExit(replicated), ...replicated.archives[0]! };
  }

  async archived(): Promise<string[]> {
    const { snapshots } = await listAll(await this.workspace(), 'files', 'archive');
    return snapshots.map(({ id }) => id);
  }
}

describe('an archive', () => {
  const planned = new Planned();
  beforeAll(() => planned.initialise());

  it('has nothing to copy at first, which is a failure of each source and no success', async () => {
    const { exit, sources } = await planned.replicate();
    expect(exit).toBe(EXIT.failed);
    expect(sources).toMatchObject([
      { source: 'files', outcome: 'failed', error: { code: 'unknown-snapshot' } },
      { source: 'beside', outcome: 'failed', error: { code: 'unknown-snapshot' } },
    ]);
    const [archive] = (await status(await planned.workspace())).archives;
    expect(archive).toMatchObject({
      ...{ archive: 'archive', from: 'main' },
      sources: [{ source: 'files', snapshots: 0, isOverdue: true, failure: { code: 'unknown-snapshot' } }, {}],
    });
  });

  it('takes the newest complete snapshot of each source that has one', async () => {
    await backup(await planned.workspace(), ['files']);
    planned.nowMs += 60_000;
    planned.change('what is partial');
    renameSync(join(planned.directory, 'extra'), join(planned.directory, 'away'));
    const [partial] = await backup(await planned.workspace(), ['files']);
    renameSync(join(planned.directory, 'away'), join(planned.directory, 'extra'));
    expect(partial).toMatchObject({ outcome: 'partial' });

    const { exit, sources, nextDue } = await planned.replicate();
    expect(exit).toBe(EXIT.partial);
    expect(sources).toMatchObject([
      { source: 'files', outcome: 'copied', time: expect.stringMatching(/^2026-01-03T12:00/) },
      { source: 'beside', outcome: 'failed' },
    ]);
    // What failed is due at once.
    expect(nextDue).toBe(new Date(planned.nowMs).toISOString());
    expect(await planned.archived()).toEqual([(sources[0] as { copy: string }).copy]);
  });

  it('copies by its schedule, and when it is named in any case', async () => {
    await backup(await planned.workspace(), ['beside']);
    const first = await planned.replicate('main');
    expect(first).toMatchObject({
      ...{ exit: EXIT.done, nextDue: SUNDAY },
      sources: [{ outcome: 'not-due', due: SUNDAY }, { outcome: 'copied' }],
    });
    planned.change('what came after the partial one');
    await backup(await planned.workspace(), ['files']);
    expect((await planned.replicate()).sources).toMatchObject([{ outcome: 'not-due' }, { outcome: 'not-due' }]);
    const named = await planned.replicate('archive');
    expect(named).toMatchObject({
      exit: EXIT.done,
      sources: [{ outcome: 'copied' }, { outcome: 'existed', bytes: 0 }],
    });
    expect(await planned.archived()).toHaveLength(2);

    planned.nowMs = Date.parse(SUNDAY);
    expect((await planned.replicate()).sources).toMatchObject([{ outcome: 'existed' }, { outcome: 'existed' }]);
    expect((await planned.replicate()).sources).toMatchObject([
      { outcome: 'not-due', due: '2026-01-11T03:00:00.000Z' },
      { outcome: 'not-due' },
    ]);
  });

  it('is overdue once a copy is not there in time', async () => {
    const at = async (time: string): Promise<boolean[]> => {
      const before = planned.nowMs;
      planned.nowMs = Date.parse(time);
      const [archive] = (await status(await planned.workspace())).archives;
      planned.nowMs = before;
      return archive!.sources.map(({ isOverdue }) => isOverdue);
    };
    expect(await at('2026-01-11T02:59:00Z')).toEqual([false, false]);
    // A copy may take a while.
    expect(await at('2026-01-11T04:00:00Z')).toEqual([false, false]);
    expect(await at('2026-01-12T03:00:00Z')).toEqual([true, true]);
    const { archives, capacity } = await status(await planned.workspace());
    const [newest] = (await planned.archived()).slice(-1);
    expect(archives[0]!.sources[0]).toMatchObject({
      ...{ source: 'files', snapshots: 2, due: '2026-01-11T03:00:00.000Z' },
      newest: { snapshot: newest },
    });
    expect(capacity).toMatchObject([{ repository: 'archive', sources: [{ source: 'files' }, { source: 'beside' }] }]);
    expect(capacity[0]!.sources[0]!.usedBytes).toBeGreaterThan(0);
  });

  it('has its own retention, and leaves that of the sources to their repository', async () => {
    planned.nowMs += DAY_MS;
    planned.change('the newest');
    await backup(await planned.workspace(), ['files']);
    await planned.replicate('archive');
    expect(await planned.archived()).toHaveLength(3);
    const { sources: decided } = await retain(await planned.workspace(), ['files'], { dryRun: false });
    const counts = decided.map(({ repository, isArchive, snapshots }) => [
      ...[repository, isArchive, snapshots.length],
      snapshots.filter(({ reasons }) => reasons.length > 0).length,
    ]);
    expect(counts).toEqual([
      ['main', false, 4, 1],
      ['archive', true, 3, 2],
    ]);
    expect(await planned.archived()).toHaveLength(2);
    const {
      repositories: [pruned],
    } = await prune(await planned.workspace(), ['archive'], { dryRun: false });
    expect(pruned!.swept.packs).toBeGreaterThan(0);
    const {
      repositories: [checked],
    } = await check(await planned.workspace(), {
      ...{ repositories: ['archive'], readData: true, readHeaders: false },
    });
    expect(checked).toMatchObject({ clean: true, findings: [] });
  });

  const expectSame = (to: string): void => {
    const data = join(planned.directory, 'data');
    expect(describeTree(restoredAt(to, data))).toEqual(describeTree(data));
  };

  it('is in doubt while a snapshot cannot be read, which may be the newest', async () => {
    const damaged = join(planned.directory, 'main', 'snapshots', 'ab'.repeat(32));
    writeFileSync(damaged, 'no snapshot');
    expect(await planned.replicate('archive')).toMatchObject({
      ...{ exit: EXIT.partial, error: { code: 'repository-damaged' } },
      sources: [{ outcome: 'existed' }, { outcome: 'existed' }],
    });
    rmSync(damaged);
  });

  it('is looked at by the doctor, and restored from when the repository is lost', async () => {
    const { repositories, missing } = await diagnose(await planned.workspace(), []);
    expect([repositories.map(({ repository }) => repository), missing]).toEqual([['main', 'archive'], 0]);
    renameSync(join(planned.directory, 'main'), join(planned.directory, 'lost'));
    const to = join(planned.directory, 'back');
    await restore(await planned.workspace(), { source: 'files', repository: 'archive', to });
    expectSame(to);
    const lost = await planned.replicate('archive');
    expect(lost).toMatchObject({ exit: EXIT.noRepository, sources: [], error: { code: 'no-repository' } });
    renameSync(join(planned.directory, 'lost'), join(planned.directory, 'main'));
    // Nobody asks for the other password.
    expect((await status(await planned.workspace())).archives).toMatchObject([{ failure: { code: 'no-repository' } }]);
  });

  it.skipIf(!requires('restic'))('is a repository that stock restic restores from with its own password', async () => {
    const archive = join(planned.directory, 'archive');
    const to = join(planned.directory, 'by-restic');
    restic(archive, ['check', '--read-data'], { password: ARCHIVE_PASSWORD });
    restic(archive, ['restore', (await planned.archived()).at(-1)!, '--target', to], { password: ARCHIVE_PASSWORD });
    expectSame(to);
    expect(restic(archive, ['snapshots'], { mayFail: true }).status).not.toBe(0);
  });

  it('that cannot be reached is told of, and keeps nobody from the repository', async () => {
    renameSync(join(planned.directory, 'archive'), join(planned.directory, 'elsewhere'));
    const away = await planned.replicate('archive');
    expect(away).toMatchObject({ exit: EXIT.noRepository, sources: [], error: { code: 'no-repository' } });
    const { sources, archives } = await status(await planned.workspace());
    expect(sources).toHaveLength(2);
    expect(archives).toMatchObject([
      { error: { code: 'no-repository' }, failure: { code: 'no-repository' }, sources: [] },
    ]);
    expect((await listAll(await planned.workspace())).snapshots.length).toBeGreaterThan(0);
    // It is made with the others.
    const { repositories } = await initRepositories(await planned.workspace());
    expect(repositories).toMatchObject([
      { name: 'main', created: false },
      { name: 'archive', created: true },
    ]);
    rmSync(planned.directory, { recursive: true });
  });
});

describe('an archive whose content must be asked for', () => {
  const cold = new OfflineStore(new MemoryStore());
  const planned = new Planned('store: s3://bucket/archive, storageClass: GLACIER', {
    ...adapters,
    openStore: (place, context) =>
      place.kind === 's3' ? fromAfar(cold, 'cold', context) : adapters.openStore(place, context),
    cached: (store) => Promise.resolve(store),
  });
  const back = join(planned.directory, 'back');
  const restored = async (more: object = {}) =>
    restore(await planned.workspace(), { source: 'files', repository: 'archive', to: back, ...more });
  const opened = async () => {
    const workspace = await planned.workspace();
    return { workspace, opened: await workspace.open('archive') };
  };

  beforeAll(async () => {
    await testRepository(createLocalStore(join(planned.directory, 'main')));
    await testRepository(cold, 2, ARCHIVE_PASSWORD);
    writeFileSync(join(planned.directory, 'data', 'large'), noise(3 << 20));
    await backup(await planned.workspace(), []);
    expect(await planned.replicate()).toMatchObject({ exit: EXIT.done });
  });

  it('is copied to, listed and checked without any of it being read', async () => {
    expect(cold.offlineKeys.length).toBeGreaterThan(0);
    expect(await planned.replicate('archive')).toMatchObject({
      exit: EXIT.done,
      sources: [{ outcome: 'existed' }, {}],
    });
    const { entries } = await listEntries(await planned.workspace(), {
      ...{ id: (await planned.archived())[0]!, path: '/', repository: 'archive' },
    });
    expect(entries.map(({ path }) => path)).toContain(`${planned.directory}/data/large`);
    const request = { repositories: ['archive'], readData: false, readHeaders: false };
    expect(await check(await planned.workspace(), request)).toMatchObject({
      repositories: [{ clean: true, findings: [] }],
    });
    expect(cold.asked).toEqual([]);
  });

  it.each(['readData', 'readHeaders'])('is not called clean by a check that cannot read it, with %s', async (level) => {
    const request = { repositories: ['archive'], readData: false, readHeaders: false, [level]: true };
    const {
      repositories: [checked],
    } = await check(await planned.workspace(), request);
    expect(checked).toMatchObject({ clean: false, findings: [{ severity: 'error', where: 'data/' }] });
    expect(checked!.findings[0]!.message).toContain(`${cold.offlineKeys.length} packs`);
  });

  it('has its trees at hand also where a backup wrote them', async () => {
    const store = new OfflineStore(new MemoryStore());
    const repository = await testRepository(store);
    const { id } = await writeSnapshot(repository, async (writer) => [
      await writeFile(writer, 'large', noise(1 << 20)),
    ]);
    const reader = new Reader(await loadIndex(repository), (await listSnapshots(repository))[0]!);
    expect([reader.id, (await reader.entries(reader.tree)).map(({ name }) => name)]).toEqual([id, ['large']]);
    expect(store.offlineKeys).toEqual((await reader.contentPacks()).map(packKey));
    expect(await reader.contentPacks({ only: ['/small'] })).toEqual([]);
    await reader.close();
  });

  it('asks for all that a restore needs, and for no more, and says when to come back', async () => {
    await expect(restored({ dryRun: true, replace: true, confirm: 'back' })).resolves.toBeDefined();
    expect(cold.asked).toEqual([]);
    await expect(restored({ recall: { tier: 'bulk', days: 3 } })).rejects.toMatchObject({
      code: 'object-offline',
      message: expect.stringMatching(/^1 pack with 3 MiB of archive was asked for and cannot be read yet$/),
      hint: expect.stringMatching(/up to 12 hours; .* for 3 days/),
    });
    expect(existsSync(back)).toBe(false);
    const asked = [...cold.asked];
    expect(asked[0]).toMatchObject({ tier: 'bulk', days: 3 });
    // What the other source alone needs is not.
    expect(asked.length).toBeLessThan(cold.offlineKeys.length);
    await expect(restored()).rejects.toMatchObject({ code: 'object-offline' });
    expect(cold.asked).toEqual(asked);
    const { ledger } = (await opened()).opened;
    const events = (await ledger.read()).filter(({ kind }) => kind === 'content.recalled');
    expect(events).toMatchObject([{ body: { packs: asked.length, tier: 'bulk', days: 3 } }]);
  });

  it('asks for what each source needs when all are to be proven', async () => {
    await expect(verify(await planned.workspace(), { sources: [], repository: 'archive' })).rejects.toMatchObject({
      code: 'object-offline',
      message: expect.stringMatching(/^1 pack .* yet; 1 pack .* yet$/),
    });
    expect(cold.asked).toHaveLength(cold.offlineKeys.length);
  });

  it('waits where that is wanted, and restores what came', async () => {
    const { workspace, opened: archive } = await opened();
    const { snapshots } = await listAll(workspace, 'files', 'archive');
    const pauses: number[] = [];
    await recallContent(workspace, archive, { snapshots, options: { wait: true } }, async (ms) => {
      if (pauses.push(ms) === 3) cold.arrive();
      if (pauses.length > 3) throw new Error('it waits for what is there');
    });
    expect(pauses).toEqual([60_000, 60_000, 60_000]);
    await restored();
    const data = join(planned.directory, 'data');
    expect(describeTree(restoredAt(back, data))).toEqual(describeTree(data));
  });

  it('gives back by a prune only what nobody needs anything of', async () => {
    for (const text of ['one', 'two', 'three']) {
      planned.nowMs += 60_000;
      writeFileSync(join(planned.directory, 'data', 'large'), noise(1 << 20, text));
      planned.change(text);
      await backup(await planned.workspace(), ['files']);
      await planned.replicate('archive');
    }
    await retain(await planned.workspace(), [], { dryRun: false });
    const {
      repositories: [pruned],
    } = await prune(await planned.workspace(), ['archive'], { dryRun: false });
    expect(pruned!.swept.bytes).toBeGreaterThan(1 << 20);
    // The first has little that is still needed, and would have to be read.
    expect(pruned).toMatchObject({ marked: { copiedBytes: 0 } });
    expect(pruned!.leftUnusedBytes).toBeGreaterThan(3 << 20);
    const request = { repositories: ['archive'], readData: false, readHeaders: false };
    expect(await check(await planned.workspace(), request)).toMatchObject({
      repositories: [{ clean: true, findings: [] }],
    });
  });

  it('is copied back from: what is still there is not asked for, and the rest is', async () => {
    const { snapshots } = await listAll(await planned.workspace(), 'files', 'archive');
    const asked = cold.asked.length;
    const back = { from: 'archive', to: 'main' };
    const [older, newest] = snapshots.map(({ id }) => id);
    const there = await copy(await planned.workspace(), { ...back, snapshots: [newest!] });
    expect([there.snapshots, cold.asked.length]).toMatchObject([[{ existed: true }], asked]);
    await expect(copy(await planned.workspace(), { ...back, snapshots: [older!] })).rejects.toMatchObject({
      code: 'object-offline',
    });
    cold.arrive();
    const copied = await copy(await planned.workspace(), { ...back, snapshots: [older!] });
    expect([copied.snapshots, cold.asked.length]).toMatchObject([[{ existed: false }], asked + 1]);
  });
});
