import { hash } from 'node:crypto';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { mirroredWorkspace } from '../../../test/support/mirrored.ts';
import { errorsOf, movableClock, noise, PASSWORD, testRepository } from '../../../test/support/repository.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import { adapters } from '../../main/adapters.ts';
import type { LockPolicy, Source } from '../../plan/index.ts';
import { isLocked, isRemovedLocked } from '../../repository/index.ts';
import type { ObjectStore, ObjectVersion } from '../../store/index.ts';
import { LockedStore } from '../../store/locked/index.ts';
import { LockingStore } from '../../store/locking/index.ts';
import { MemoryStore } from '../../store/memory/index.ts';
import { backup, check, keepLocked, prune, repair, replicate, restore, retain, status, Workspace } from '../index.ts';

const DAY_MS = 24 * 60 * 60_000;

/** A plan with a files source, a repository `main` locked for 30 days, and a mirror of it, `eu`, locked for 60. */
async function lockedPlan(mode: LockPolicy['mode'] = 'governance') {
  const clock = movableClock();
  const directory = mkdtempSync(join(tmpdir(), 'locked-'));
  const policies: Record<string, LockPolicy> = {
    main: { mode, forMs: 30 * DAY_MS },
    eu: { mode, forMs: 60 * DAY_MS },
  };
  const bare = { main: new LockingStore(new MemoryStore(), clock), eu: new LockingStore(new MemoryStore(), clock) };
  const stores: Record<string, ObjectStore> = {};
  for (const [name, store] of Object.entries(bare)) {
    stores[name] = new LockedStore(store, { ...policies[name]!, clock, isLocked, isRemovedLocked });
  }
  await testRepository(stores['main']!);
  const { plan, environment } = mirroredWorkspace(stores);
  const at = { s3: { pathStyle: false }, password: PASSWORD };
  const source = {
    ...{
      name: 'data',
      type: 'files',
      repository: 'main',
      paths: [directory],
      exclude: [],
      objectives: {},
      validate: [],
    },
    retention: { last: 1 },
  } as unknown as Source;
  const locked = {
    ...plan,
    repositories: new Map([['main', { name: 'main', store: '/main', ...at, lock: policies['main']! }]]),
    mirrors: new Map([['eu', { name: 'eu', store: '/eu', of: 'main', s3: at.s3, lock: policies['eu']! }]]),
    sources: new Map([['data', source]]),
  };
  // As another command would: nothing of the last one is remembered.
  const workspace = () =>
    new Workspace(
      { plan: locked },
      { ...environment, clock, adapters: { ...adapters, openStore: environment.adapters.openStore } },
    );
  const write = (seed: string) => writeFileSync(join(directory, 'file'), noise(50_000, seed));
  /** A backup with what the command line does after it. */
  const backUp = async (seed: string) => {
    write(seed);
    clock.advance(60_000);
    const at = workspace();
    const [done] = await backup(at, []);
    expect(done).toMatchObject({ outcome: 'complete' });
    const [locks] = await keepLocked(at);
    const [mirror] = await replicate(at, []);
    expect([locks?.error, mirror?.outcome]).toEqual([undefined, 'complete']);
    return { snapshot: (done as { snapshot: string }).snapshot, extended: locks!.extended };
  };
  const keep = async () => {
    const at = workspace();
    await at.open('main');
    return (await keepLocked(at))[0]!;
  };
  const checked = async (name: string) =>
    (await check(workspace(), { ...CHECK, repositories: [name] })).repositories[0]!;
  return { clock, directory, policies, bare, workspace, backUp, keep, checked };
}

const CHECK = { readData: false, readHeaders: false, lock: true };

async function versionsOf({ lock }: LockingStore, prefix: string): Promise<ObjectVersion[]> {
  const versions: ObjectVersion[] = [];
  for await (const version of lock.listVersions(prefix)) versions.push(version);
  return versions;
}

describe('locks', () => {
  it('are extended for as long as the plan keeps a snapshot, and hold what it does not keep until they run out', async () => {
    const { clock, bare, workspace, backUp, keep, checked } = await lockedPlan();
    const first = await backUp('one');
    expect(first.extended).toBeGreaterThan(4);
    expect((await keep()).extended).toBe(0);
    clock.advance(16 * DAY_MS);
    expect((await keep()).extended).toBeGreaterThan(4);
    expect(await checked('main')).toMatchObject({ findings: [], lock: { needed: expect.any(Number) } });
    const second = await backUp('two');
    const {
      sources: [held],
    } = await retain(workspace(), [], { dryRun: false });
    expect(held?.held).toEqual([{ snapshot: first.snapshot, until: expect.any(String) }]);
    expect((await bare.main.stat(`snapshots/${first.snapshot}`))?.key).toBeDefined();

    clock.advance(16 * DAY_MS);
    const lapsing = async () => (await versionsOf(bare.main, `snapshots/${first.snapshot}`))[0]!;
    const before = await bare.main.lock.lockOf(await lapsing());
    expect((await keep()).extended).toBeGreaterThan(4);
    expect(await bare.main.lock.lockOf(await lapsing())).toEqual(before);
    // What nothing needed any more is needed again, and was stored once.
    const third = await backUp('one');
    expect(third.extended).toBeGreaterThan(0);
    expect((await checked('main')).findings).toEqual([]);

    clock.advance(15 * DAY_MS);
    await keep();
    expect((await checked('main')).findings).toEqual([]);
    const {
      repositories: [stillHeld],
    } = await prune(workspace(), [], { dryRun: false });
    expect(stillHeld).toMatchObject({ swept: { packs: 0 } });
    clock.advance(16 * DAY_MS);
    await keep();
    const {
      sources: [going],
    } = await retain(workspace(), [], { dryRun: false });
    expect(going?.held).toEqual([]);
    const untilMs = clock.nowMs() + DAY_MS;
    for (const pack of await versionsOf(bare.main, 'data/')) {
      await bare.main.lock.extend(pack, { mode: 'governance', untilMs });
    }
    const {
      repositories: [locked],
    } = await prune(workspace(), [], { dryRun: false });
    expect(locked).toMatchObject({ marked: { packs: 0 }, swept: { packs: 0 } });
    expect(locked?.held.packs).toBeGreaterThan(1);
    clock.advance(2 * DAY_MS);
    const {
      repositories: [pruned],
    } = await prune(workspace(), [], { dryRun: false });
    expect(pruned?.swept.packs).toBe(locked?.held.packs);
    expect(await versionsOf(bare.main, `snapshots/${second.snapshot}`)).toEqual([]);
    expect((await checked('main')).findings).toEqual([]);

    const [mirrored] = await replicate(workspace(), []);
    expect(mirrored).toMatchObject({ outcome: 'complete', heldObjects: expect.any(Number) });
    expect((mirrored as { heldObjects: number }).heldObjects).toBeGreaterThan(2);
    expect(await bare.eu.stat(`snapshots/${first.snapshot}`)).toBeUndefined();
    expect(await bare.eu.stat(`snapshots/${second.snapshot}`)).toBeDefined();
    expect(await errorsOf((await workspace().openToRead('eu')).repository)).toEqual([]);

    const [last] = await versionsOf(bare.eu, `snapshots/${second.snapshot}`);
    await bare.eu.lock.extend(last!, { mode: 'governance', untilMs: clock.nowMs() + 90 * DAY_MS });

    const markers = async () => (await versionsOf(bare.main, '')).filter(({ isMarker }) => isMarker);
    expect(await markers()).not.toEqual([]);
    clock.advance(31 * DAY_MS);
    const {
      repositories: [cleared],
    } = await prune(workspace(), [], { dryRun: false });
    expect(cleared?.clearedVersions).toBeGreaterThan(1);
    expect(await markers()).toEqual([]);
    // A snapshot that is held takes what it needs with it, whose locks ran out.
    const removedObjects = cleared!.foldedObjects;
    expect(removedObjects).toBeGreaterThan(0);
    expect(await replicate(workspace(), [])).toMatchObject([{ outcome: 'complete', removedObjects }]);
    const [main, eu] = await Promise.all(['main', 'eu'].map((name) => workspace().openToRead(name)));
    expect(await eu!.ledger.read()).toEqual(await main!.ledger.read());
    expect(await errorsOf((await workspace().openToRead('eu')).repository)).toEqual([]);
  });

  it('that are missing, too weak or running out are told, each with its object', async () => {
    const { clock, bare, keep, backUp, checked } = await lockedPlan('compliance');
    const { snapshot } = await backUp('one');
    const [pack] = await versionsOf(bare.main, 'data/');
    const key = `snapshots/${snapshot}`;
    const told = async () => (await checked('main')).findings.map(({ where, message }) => `${where}: ${message}`);
    expect(await told()).toEqual([]);
    await bare.main.put(key, await bare.main.get(key));
    expect((await keep()).extended).toBe(0);
    expect(await told()).toEqual([`${key}: it is not locked`]);
    // What the check found makes the next pass go over everything.
    expect((await keep()).extended).toBeGreaterThan(4);
    expect(await told()).toEqual([]);
    const retention = { mode: 'governance', untilMs: clock.nowMs() + 30 * DAY_MS } as const;
    await bare.main.put(pack!.key, await bare.main.get(pack!.key), { retention });
    expect(await told()).toEqual([`${pack!.key}: it is locked in mode governance, and the plan says compliance`]);
    expect((await keep()).extended).toBeGreaterThan(4);
    expect(await told()).toEqual([]);
    clock.advance(24 * DAY_MS);
    expect(await told()).toContainEqual(expect.stringMatching(`${key}: its lock runs out .*, and was not made longer`));
    clock.advance(7 * DAY_MS);
    expect(await told()).toContainEqual(expect.stringMatching(`${key}: its lock ran out`));
    // What was damaged and put right hides nothing.
    const id = hash('sha256', 'right');
    const mended = `data/${id.slice(0, 2)}/${id}`;
    for (const content of ['wrong', 'right']) await bare.main.put(mended, Buffer.from(content));
    const now = await told();
    expect(now.filter((each) => each.startsWith(mended))).toEqual([
      expect.stringContaining('no index knows this pack'),
    ]);
    expect(now.filter((each) => each.includes('could not be told'))).toEqual([]);
  });

  it('are all looked at anew once the plan locks in another way', async () => {
    const { policies, keep, backUp, checked } = await lockedPlan();
    await backUp('one');
    expect((await keep()).extended).toBe(0);
    Object.assign(policies['main']!, { mode: 'compliance' });
    expect((await keep()).extended).toBeGreaterThan(4);
    expect((await checked('main')).findings).toEqual([]);
  });

  it('stay on every pack as long as nobody can tell which are needed', async () => {
    const { clock, bare, keep, backUp } = await lockedPlan();
    await backUp('one');
    const untilMs = async () => {
      const packs = await versionsOf(bare.main, 'data/');
      return Promise.all(packs.map(async (pack) => (await bare.main.lock.lockOf(pack))!.untilMs));
    };
    clock.advance(16 * DAY_MS);
    for (const store of Object.values(bare)) {
      const { lock } = store;
      const get = store.get.bind(store);
      const damaged = (key: string, bytes: Uint8Array) =>
        key.startsWith('index/') ? bytes.map((each) => ~each) : bytes;
      store.get = async (key, ...rest) => damaged(key, await get(key, ...rest));
      const getVersion: typeof lock.getVersion = async (version) =>
        damaged(version.key, await lock.getVersion(version));
      vi.spyOn(store, 'lock', 'get').mockReturnValue({ ...lock, getVersion });
    }
    expect((await keep()).error).toBeUndefined();
    for (const each of await untilMs()) expect(each).toBe(clock.nowMs() + 30 * DAY_MS);
  });

  it('are looked at to the end where a read has uncovered in the meantime what was hidden', async () => {
    const { clock, bare, keep, backUp } = await lockedPlan();
    await backUp('one');
    clock.advance(16 * DAY_MS);
    for (const { key } of await versionsOf(bare.main, 'index/')) await bare.main.put(key, Buffer.from('nothing'));
    const { error, extended } = await keep();
    expect([error, extended]).toEqual([undefined, expect.toSatisfy((count: number) => count > 4)]);
  });

  it('are told to be none where the bucket has stopped to keep versions, or to lock', async () => {
    const { bare, backUp, checked } = await lockedPlan();
    await backUp('one');
    for (const [state, says] of [
      [{ keepsVersions: false, locks: false }, /keeps no versions/],
      [{ keepsVersions: true, locks: false }, /cannot lock objects/],
    ] as const) {
      const stopped = { ...bare.main.lock, state: async () => state };
      const changed = vi.spyOn(bare.main, 'lock', 'get').mockReturnValue(stopped);
      const { findings, clean } = await checked('main');
      changed.mockRestore();
      expect(findings).toMatchObject([{ severity: 'error', message: expect.stringMatching(says) }]);
      expect(clean).toBe(false);
    }
  });

  it('take what was written first for right, also where what lies before it is sealed as well', async () => {
    const { clock, bare, keep, backUp } = await lockedPlan();
    await backUp('one');
    const [one, other] = await versionsOf(bare.main, 'holdfast/ledger/');
    await bare.main.put(other!.key, await bare.main.get(one!.key));
    clock.advance(62 * 60_000);
    expect((await keep()).hidden).toEqual([other!.key]);
  });

  it('are looked behind by whatever writes, once an hour, until what is hidden is back', async () => {
    const { clock, bare, workspace, keep, backUp } = await lockedPlan();
    const key = `snapshots/${(await backUp('one')).snapshot}`;
    await bare.main.delete(key);
    // What somebody left who wanted to make the repository at the same time was never of it.
    const rival = `keys/${hash('sha256', 'rival')}`;
    await bare.main.put(rival, Buffer.from('rival'));
    await bare.main.delete(rival);
    expect((await keep()).hidden).toEqual([]);
    // Whatever the clock said at the last look.
    clock.advance(-60_000);
    expect((await keep()).hidden).toEqual([key]);
    clock.advance(62 * 60_000);
    // Who cannot look keeps nobody from it who can, and does not say that all is well.
    const listVersions = (): never => {
      throw new HoldfastError('permission-denied', 'not with these credentials');
    };
    const refused = vi.spyOn(bare.main, 'lock', 'get').mockReturnValue({ ...bare.main.lock, listVersions });
    expect(await keep()).toMatchObject({ hidden: [] });
    expect(await status(workspace())).toMatchObject({ hidden: [], unseen: ['main'] });
    refused.mockRestore();
    for (let time = 0; time < 2; time++) {
      expect(await keep()).toMatchObject({ hidden: [key], error: { code: 'repository-damaged' } });
    }
    const [repaired] = await repair(workspace(), { readData: false, dryRun: false });
    expect(repaired?.healed).toMatchObject([{ object: key, note: expect.stringContaining('it was uncovered') }]);
    expect(await keep()).toMatchObject({ hidden: [] });
    const events = await (await workspace().open('main')).ledger.read();
    expect(events.filter(({ kind }) => kind === 'lock.hidden')).toHaveLength(3);
  });

  it('let a read go past what somebody put before a pack, and put it right', async () => {
    const { clock, directory, bare, workspace, backUp } = await lockedPlan();
    const { snapshot } = await backUp('one');
    const packs = (await versionsOf(bare.main, 'data/')).map(({ key }) => key);
    // What is put before them may be locked itself.
    const retention = { mode: 'governance', untilMs: clock.nowMs() + DAY_MS } as const;
    for (const [index, pack] of packs.entries()) {
      await (index % 2 === 0 ? bare.main.delete(pack) : bare.main.put(pack, Buffer.from('nothing'), { retention }));
    }
    const target = join(mkdtempSync(join(tmpdir(), 'restored-')), 'to');
    const at = workspace();
    expect(await restore(at, { source: 'data', snapshot, to: target })).toMatchObject({ outcome: 'complete' });
    expect(readFileSync(join(target, directory, 'file')).equals(noise(50_000, 'one'))).toBe(true);
    const events = await (await at.open('main')).ledger.read();
    const healed = events.flatMap(({ kind, body }) => (kind === 'object.healed' ? [body] : []));
    expect(healed.length).toBeGreaterThan(0);
    for (const { object, from } of healed) expect([packs.includes(object), from]).toEqual([true, 'an older version']);
    const [repaired] = await repair(workspace(), { readData: false, dryRun: false });
    expect((repaired?.healed.length ?? 0) + healed.length).toBe(packs.length);
    expect(await errorsOf((await at.open('main')).repository)).toEqual([]);
  });
});
