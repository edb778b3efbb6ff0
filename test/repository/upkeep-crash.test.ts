import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/foundation/clock.ts';
import { HoldfastError } from '../../src/foundation/errors.ts';
import { noProgress } from '../../src/foundation/progress.ts';
import { type Environment, retain, Workspace } from '../../src/operations/index.ts';
import {
  listSnapshots,
  lockRepository,
  openRepository,
  type Repository,
  removeSnapshot,
} from '../../src/repository/index.ts';
import { FaultyStore } from '../../src/store/faulty/index.ts';
import { createLocalStore } from '../../src/store/local/index.ts';
import { MemoryStore } from '../../src/store/memory/index.ts';
import { backUpFiles, restoreFiles } from '../support/files-backup.ts';
import { runKilled } from '../support/killed-process.ts';
import { planWith } from '../support/plan.ts';
import {
  check,
  errorsOf,
  noise,
  PASSWORD,
  prune,
  readFiles,
  testDirectory,
  testRepository,
  writeFiles,
} from '../support/repository.ts';
import { requires } from '../support/requirements.ts';
import { resticCheck } from '../support/restic.ts';
import { describeTree, restoredAt } from '../support/tree.ts';

/** A prune dies before every so many changes, other ones in each run; before each by hand: HOLDFAST_TEST_KILLS=200. */
const STRIDE = Number(process.env['HOLDFAST_TEST_KILLS'] ?? 5) > 5 ? 1 : 8;
/** How often a prune is killed. More by hand: HOLDFAST_TEST_KILLS=200. */
const KILLS = Number(process.env['HOLDFAST_TEST_KILLS'] ?? 3);
/** Stock restic looks at what every so many of these left; ours at each. */
const RESTIC_EVERY = KILLS > 8 ? 1 : 3;
const OPTIONS = { packSizeBytes: 1 << 20 };

/** Lets a store die before its n-th change (from 0): nothing that comes then has an effect. */
function dieBefore(store: FaultyStore, n: number): { readonly died: boolean } {
  const state = { died: false, changes: 0 };
  store.rule = ({ method }) => {
    const isChange = method === 'put' || method === 'delete';
    if (isChange && state.changes++ === n) state.died = true;
    return state.died ? 'before' : undefined;
  };
  return state;
}

/** The locks of a process that is dead bind nobody; that of this test, which played it, is removed by hand. */
async function buryLocks(repository: Repository): Promise<void> {
  for (const key of await repository.documentKeys('locks/')) await repository.store.delete(key);
}

const filesOf = (numbers: number[]): Record<string, Buffer> =>
  Object.fromEntries(numbers.map((number) => [`${number}`, noise(120_000, number)]));
const OLD = filesOf(Array.from({ length: 18 }, (_, number) => number));
/** Whichever thread took what, some packs hold both what is of these and what is not. */
const KEPT = filesOf([0, 1, 5, 6, 10, 11, 99]);

/** A repository in a directory with all that a prune meets: a mark of before, packs to copy, and packs of a dead run. */
async function neglected(directory: string): Promise<{ kept: string }> {
  const repository = await testRepository(createLocalStore(directory));
  const { id: first } = await writeFiles(repository, { first: noise(400_000, 'first') }, OPTIONS);
  await removeSnapshot(repository, first);
  const older = await lockRepository(repository, { exclusive: false, clock: systemClock });
  expect((await prune(repository)).waitingFor).toBeDefined();
  await older.release();
  const { id: old } = await writeFiles(repository, OLD, OPTIONS);
  const { id: kept } = await writeFiles(repository, KEPT, OPTIONS);
  await removeSnapshot(repository, old);
  const store = new FaultyStore(repository.store);
  store.rule = ({ method, key }) => (method === 'put' && key.startsWith('index/') ? 'before' : undefined);
  await expect(writeFiles(await openRepository(store, PASSWORD), { lost: noise(9000) }, OPTIONS)).rejects.toThrow();
  return { kept };
}

async function expectKept(repository: Repository, id: string): Promise<void> {
  const read = await readFiles(repository, id);
  for (const [name, content] of Object.entries(KEPT)) expect(read.get(name)!.equals(content), name).toBe(true);
}

describe('a prune that dies', () => {
  it('leaves all that is needed, and the next one ends its work, whichever change is its last', {
    timeout: 300_000,
  }, async () => {
    const original = join(testDirectory(), 'original');
    const { kept } = await neglected(original);
    const steps = new Set<string>();
    for (let n = Math.floor(Math.random() * STRIDE); ; n += STRIDE) {
      const directory = join(testDirectory(), 'copy');
      cpSync(original, directory, { recursive: true });
      const store = new FaultyStore(createLocalStore(directory));
      const state = dieBefore(store, n);
      const attempt = await prune(await openRepository(store, PASSWORD)).catch((error: unknown) => error);
      for (const { method, key } of store.calls) steps.add(`${method} ${key.split('/')[0]}`);
      if (!state.died) break;
      expect(attempt, `change ${n}`).toBeInstanceOf(HoldfastError);
      const repository = await openRepository(createLocalStore(directory), PASSWORD);
      await buryLocks(repository);
      expect(await errorsOf(repository), `change ${n}`).toEqual([]);
      if (Math.floor(n / STRIDE) % RESTIC_EVERY === 0 && requires('restic')) resticCheck(directory);
      await expectKept(repository, kept);
      expect((await prune(repository)).waitingFor).toBeUndefined();
      expect((await check(repository)).findings, `change ${n}`).toEqual([]);
      expect(await repository.documentKeys('holdfast/prune/')).toEqual([]);
      await expectKept(repository, kept);
      rmSync(directory, { recursive: true });
    }
    // The last run lived: it took every kind of step there is, and it was cut off before each.
    const kinds = [
      'put data',
      'put index',
      'put holdfast',
      'delete index',
      'delete data',
      'delete holdfast',
      'delete locks',
    ];
    expect([...steps]).toEqual(expect.arrayContaining(kinds));
  });

  it(`loses nothing beside backups that are at work, at ${KILLS} instants`, {
    timeout: 60_000 + KILLS * 20_000,
  }, async () => {
    const directory = join(testDirectory(), 'repository');
    const source = join(testDirectory(), 'source');
    const repository = await testRepository(createLocalStore(directory));
    fill(source, 0);
    await backUpFiles(repository, [source]);
    let killed = 0;
    // A prune that is quick may end before it is killed: then there are more rounds.
    for (let round = 1; round <= KILLS || (killed === 0 && round <= 10 * KILLS); round++) {
      // Every snapshot but the newest goes; the next backup shares some of what that frees.
      const all = await listSnapshots(repository);
      for (const { id } of all.slice(0, -1)) await removeSnapshot(repository, id);
      fill(source, round);
      const pruning = runKilled(new URL('../support/prune-process.ts', import.meta.url), [directory], {
        lastWord: 'pruned',
        afterMs: Math.random() ** 2 * 700,
      });
      const backup = await backUpFiles(repository, [source]);
      if (!(await pruning).ended) killed++;
      const fresh = await openRepository(createLocalStore(directory), PASSWORD);
      expect(await errorsOf(fresh)).toEqual([]);
      const target = join(testDirectory(), 'target');
      await restoreFiles(fresh, target, backup.id);
      expect(describeTree(restoredAt(target, source))).toEqual(describeTree(source));
      rmSync(target, { recursive: true });
    }
    expect(killed).toBeGreaterThan(0);
    expect((await prune(repository)).waitingFor).toBeUndefined();
    expect((await check(repository)).findings).toEqual([]);
    if (requires('restic')) resticCheck(directory);
  });
});

/** Files of which half are those of two rounds before: what was freed in between is needed again. */
function fill(directory: string, round: number): void {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory);
  for (let index = 0; index < 30; index++) {
    const seed = index % 2 === 0 ? `${round % 2} ${index}` : `${round} ${index}`;
    writeFileSync(join(directory, `${index}`), noise(400_000, seed));
  }
}

describe('a retain that dies', () => {
  it('removes nothing but what it named, and the next one ends its work, whichever change is its last', async () => {
    const original = new MemoryStore();
    const ids = await history(await testRepository(original));
    const kept = ids.slice(-2);
    let changes = 0;
    for (let n = 0; ; n++) {
      const inner = new MemoryStore();
      for (const [key, object] of original.objects) inner.objects.set(key, object);
      const store = new FaultyStore(inner);
      const state = dieBefore(store, n);
      const attempt = await retainOnce(store).catch((error: unknown) => error);
      if (!state.died) break;
      changes = n;
      expect(attempt).toMatchObject({ code: 'store-unreachable' });
      const repository = await openRepository(inner, PASSWORD);
      await buryLocks(repository);
      const named = await namedAsRemoved(inner);
      const left = (await listSnapshots(repository)).map(({ id }) => id);
      expect(left).toEqual(expect.arrayContaining(kept));
      for (const id of ids) if (!left.includes(id)) expect(named).toContain(id);
      await retainOnce(inner);
      expect((await listSnapshots(repository)).map(({ id }) => id)).toEqual(kept);
      expect(await namedAsRemoved(inner)).toEqual(expect.arrayContaining(ids.slice(0, -2)));
      expect(await errorsOf(repository, false)).toEqual([]);
    }
    // Lock, event, four snapshots, lock.
    expect(changes).toBe(6);
  });
});

/** Six snapshots of `db` on six days, of one tree. Resolves to their ids, oldest first. */
async function history(repository: Repository): Promise<string[]> {
  const { tree } = await writeFiles(repository, { f: Buffer.from('x') });
  for (const { id } of await listSnapshots(repository)) await removeSnapshot(repository, id);
  const tags = ['holdfast', 'source:db', 'kind:tree'];
  const ids: string[] = [];
  for (let day = 1; day <= 6; day++) {
    const time = `2026-01-0${day}T00:00:00Z`;
    ids.push(await repository.putDocument('snapshots/', { time, tree, paths: ['/db'], hostname: 'test', tags }));
  }
  return ids;
}

function workspaceOf(store: FaultyStore | MemoryStore): Workspace {
  const plan = planWith({
    repositories: new Map([
      ['main', { name: 'main', store: '/nowhere', password: PASSWORD, s3: { pathStyle: false } }],
    ]),
    sources: new Map([
      [
        'db',
        {
          name: 'db',
          type: 'files',
          repository: 'main',
          objectives: {},
          validate: [],
          paths: ['/db'],
          exclude: [],
          retention: { last: 2 },
        },
      ],
    ]),
  });
  const environment = {
    clock: systemClock,
    variables: {},
    version: '0.0.0',
    signal: new AbortController().signal,
    progress: () => noProgress,
    adapters: { openStore: async () => store },
  } as unknown as Environment;
  return new Workspace({ plan }, environment);
}

async function retainOnce(store: FaultyStore | MemoryStore): Promise<void> {
  await retain(workspaceOf(store), [], { dryRun: false });
}

async function namedAsRemoved(store: MemoryStore): Promise<string[]> {
  const events = await (await workspaceOf(store).open('main')).ledger.read();
  return events.flatMap((event) =>
    event.kind === 'retention.decided' ? event.body.removed.map(({ snapshot }) => snapshot) : [],
  );
}
