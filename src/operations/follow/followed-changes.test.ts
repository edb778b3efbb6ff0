import { randomBytes } from 'node:crypto';
import { appendFileSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { mirroredWorkspace, plannedFiles } from '../../../test/support/mirrored.ts';
import { check, testDirectory, testRepository, withReader } from '../../../test/support/repository.ts';
import type { TreeNode } from '../../format/index.ts';
import { EXIT, HoldfastError } from '../../foundation/errors.ts';
import { Ledger } from '../../ledger/index.ts';
import type { FilesSource } from '../../plan/index.ts';
import { listSnapshots, type Repository, type SnapshotReader } from '../../repository/index.ts';
import { type Content, DecoratedStore, type PutOptions } from '../../store/index.ts';
import { MemoryStore } from '../../store/memory/index.ts';
import { backup } from '../backup/backup.ts';
import { followExit } from '../exits.ts';
import { ledgerStorage } from '../workspace.ts';
import { follow } from './follow.ts';
import type { FollowSettings } from './settings.ts';

const HOUR_MS = 3_600_000;
const MIB = 1024 * 1024;
const SETTINGS = { everyMs: 200, scanEveryMs: HOUR_MS, foldAfterMs: HOUR_MS };
const LONG = { timeout: 20_000, interval: 50 };
const VERY_LONG = { timeout: 45_000, interval: 200 };

/** A store that can be away. */
class DoorStore extends DecoratedStore {
  #refusal: HoldfastError | undefined;
  /** How often somebody came since it was shut. */
  tries = 0;

  shut(refusal = new HoldfastError('store-unreachable', 'nobody is at home', { retryable: true })): void {
    this.#refusal = refusal;
    this.tries = 0;
  }

  open(): void {
    this.#refusal = undefined;
  }

  override async put(key: string, content: Content, options?: PutOptions): Promise<void> {
    if (this.#refusal !== undefined) {
      this.tries++;
      throw this.#refusal;
    }
    return super.put(key, content, options);
  }
}

/** A directory that is followed into a repository, from when its first snapshot is there. */
async function followed(
  settings: Partial<FollowSettings> = {},
  more: Partial<FilesSource> = {},
  prepare: (repository: Repository) => Promise<void> = async () => {},
) {
  const tree = join(testDirectory(), 'tree');
  mkdirSync(join(tree, 'inner'), { recursive: true });
  writeFileSync(join(tree, 'inner', 'first'), 'one');
  const store = new DoorStore(new MemoryStore());
  const repository = await testRepository(store);
  await prepare(repository);
  const ending = new AbortController();
  const schedule = { kind: 'continuous', text: 'continuous' } as const;
  const plan = plannedFiles('files', tree, { schedule, ...more });
  const workspace = mirroredWorkspace({ main: store }, plan, { signal: ending.signal });
  vi.spyOn(workspace, 'open').mockResolvedValue(workspace.attach('main', repository));
  const following = follow(workspace, [], { ...SETTINGS, ...settings });
  const ended = async () => (await following).sources;
  const stop = async () => {
    ending.abort(new HoldfastError('interrupted', 'interrupted'));
    return ended();
  };
  onTestFinished(() => void stop());
  let newest: { id: string | undefined; files: Record<string, string> } = { id: undefined, files: {} };
  /** Of the newest snapshot, read when there is a newer one. */
  const files = async () => {
    const id = (await listSnapshots(repository)).at(-1)?.id;
    if (id === undefined || id === newest.id) return newest.files;
    const texts = await withReader(repository, (reader) => textsBelow(reader, tree), id);
    newest = { id, files: Object.fromEntries(texts) };
    return newest.files;
  };
  /** Waits until the newest snapshot holds exactly these files. */
  const holds = (expected: Record<string, string>) =>
    vi.waitFor(async () => {
      expect(await files()).toEqual(expected);
    }, LONG);
  await holds({ 'inner/first': 'one' });
  const events = async () => (await (await workspace.open('main')).ledger.read()).map(({ kind }) => kind);
  return { tree, repository, workspace, store, stop, ended, holds, events };
}

/** The contents of small files by their paths below a directory. */
async function textsBelow(reader: SnapshotReader, directory: string): Promise<[string, string][]> {
  const found: [string, string][] = [];
  const visit = async (node: TreeNode, path: string): Promise<void> => {
    if (node.type === 'file') found.push([path, (await reader.readWhole(node, MIB)).toString()]);
    for (const inside of node.subtree === undefined ? [] : await reader.entries(node.subtree)) {
      await visit(inside, path === '' ? inside.name : `${path}/${inside.name}`);
    }
  };
  await visit((await reader.find(directory))!, '');
  return found;
}

describe.skipIf(process.platform !== 'linux')('files that are followed', () => {
  it('are in the repository as they change, come, go and rotate, with few events', async () => {
    const { tree, repository, stop, holds, events } = await followed();
    writeFileSync(join(tree, 'log'), 'line 1\n');
    await holds({ 'inner/first': 'one', log: 'line 1\n' });
    renameSync(join(tree, 'inner'), join(tree, 'outer'));
    renameSync(join(tree, 'log'), join(tree, 'log.1'));
    writeFileSync(join(tree, 'log'), 'line 2\n');
    await holds({ 'outer/first': 'one', log: 'line 2\n', 'log.1': 'line 1\n' });
    appendFileSync(join(tree, 'log'), 'line 3\n');
    rmSync(join(tree, 'outer'), { recursive: true });
    await holds({ log: 'line 2\nline 3\n', 'log.1': 'line 1\n' });
    const [ended] = await stop();
    const snapshots = await listSnapshots(repository);
    expect(ended).toMatchObject({ snapshots: snapshots.length, snapshot: snapshots.at(-1)!.id });
    expect(followExit([ended!])).toBe(EXIT.interrupted);
    expect(await events()).toEqual(['follow.started', 'backup.finished', 'backup.finished', 'follow.stopped']);
    expect((await check(repository)).findings).toEqual([]);
  });

  it('are marked as suspect where a day is like none before it', async () => {
    const ledgerBefore = (repository: Repository, days: number) => {
      const nowMs = () => Date.now() - days * 24 * HOUR_MS;
      return new Ledger(ledgerStorage(repository), { nowMs, monotonicMs: () => 0 });
    };
    const { tree, workspace } = await followed({ foldAfterMs: 0 }, {}, async (repository) => {
      for (let days = 9; days > 0; days--) {
        const size = { bytesProcessed: 3, bytesAdded: 100, bytesStored: 50, durationMs: 1, problems: 0 };
        const snapshot = { snapshot: `${days}`, tree: `${days}`, time: new Date().toISOString() };
        const finished = { source: 'files', outcome: 'complete' as const, ...snapshot, ...size };
        await ledgerBefore(repository, days).append('backup.finished', finished);
      }
    });
    writeFileSync(join(tree, 'encrypted'), randomBytes(MIB));
    const suspected = async () =>
      (await (await workspace.open('main')).ledger.read()).flatMap(({ kind, body }) =>
        kind === 'snapshot.suspected' ? [body.why] : [],
      );
    await vi.waitFor(async () => {
      expect(await suspected()).toEqual([expect.stringMatching(/^within 24 hours: 1 MiB of new data/)]);
    }, VERY_LONG);
  });

  it('are looked at whole after another backup, which may have been of anything', async () => {
    const { tree, store, repository, holds } = await followed();
    const elsewhere = mirroredWorkspace({ main: store }, plannedFiles('files', tree, { exclude: ['inner'] }));
    vi.spyOn(elsewhere, 'open').mockResolvedValue(elsewhere.attach('main', repository));
    const [other] = await backup(elsewhere, ['files']);
    expect(other).toMatchObject({ outcome: 'complete', files: { new: 0, unmodified: 0 } });
    writeFileSync(join(tree, 'second'), 'two');
    await holds({ 'inner/first': 'one', second: 'two' });
    const [first, between, last] = await listSnapshots(repository);
    expect([between!.parent, last!.parent]).toEqual([first!.id, between!.id]);
    expect(last!.summary).toMatchObject({ total_files_processed: 2, files_new: 2 });
  });

  it('wait for a repository that is away, say so, and end with the failure where it stays away', async () => {
    const { tree, store, stop, holds, events } = await followed();
    store.shut();
    writeFileSync(join(tree, 'second'), 'two');
    // It was tried, and what was to be captured is not given up.
    await vi.waitFor(() => expect(store.tries).toBeGreaterThan(0), LONG);
    store.open();
    await holds({ 'inner/first': 'one', second: 'two' });
    store.shut();
    writeFileSync(join(tree, 'second'), 'three');
    await vi.waitFor(() => expect(store.tries).toBeGreaterThan(0), LONG);
    const ended = await stop();
    expect(ended[0]!.error).toMatchObject({ code: 'store-unreachable' });
    expect(followExit(ended)).toBe(EXIT.failed);
    store.open();
    expect(await events()).toEqual(['follow.started', 'backup.finished', 'backup.finished']);
  });

  it('end with what trying again does not mend, whatever has failed before', async () => {
    const { tree, store, ended } = await followed();
    store.shut();
    writeFileSync(join(tree, 'second'), 'two');
    await vi.waitFor(() => expect(store.tries).toBeGreaterThan(0), LONG);
    store.shut(new HoldfastError('repository-unsupported', 'of a newer version'));
    expect(await ended()).toMatchObject([{ error: { code: 'repository-unsupported' } }]);
  });

  it('leave no more snapshots than the plan keeps', async () => {
    const { tree, repository, stop, holds, events } = await followed({ foldAfterMs: 1 }, { retention: { last: 1 } });
    // A snapshot that is taken while older ones are being removed leaves the rest to the next.
    for (let content = 1; !(await events()).includes('retention.decided'); content++) {
      writeFileSync(join(tree, 'second'), `${content}`);
      await holds({ 'inner/first': 'one', second: `${content}` });
    }
    const [ended] = await stop();
    expect((await listSnapshots(repository)).length).toBeLessThan(ended!.snapshots!);
    expect((await check(repository)).findings).toEqual([]);
  });
});
