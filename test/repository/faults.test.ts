/** Every command beside a store that goes wrong at random, judged by stock restic on what it left. */

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/foundation/clock.ts';
import { isHoldfastError } from '../../src/foundation/errors.ts';
import { backup, promote, prune, replicate, restore, retain, type Workspace } from '../../src/operations/index.ts';
import {
  changePassword,
  createRepository,
  listSnapshots,
  openRepository,
  removeLocks,
  removeSnapshot,
} from '../../src/repository/index.ts';
import { EventualStore } from '../../src/store/eventual/index.ts';
import { type Fault, FaultyStore } from '../../src/store/faulty/index.ts';
import type { ObjectStore } from '../../src/store/index.ts';
import { createLocalStore } from '../../src/store/local/index.ts';
import { RetryingStore } from '../../src/store/retrying/index.ts';
import { segments, writeTail } from '../support/log.ts';
import { mirroredWorkspace, plannedFiles } from '../support/mirrored.ts';
import {
  movableClock,
  noise,
  PASSWORD,
  readFiles,
  testDirectory,
  testRepository,
  writeFiles,
} from '../support/repository.ts';
import { requires } from '../support/requirements.ts';
import { resticCheck } from '../support/restic.ts';

/** With more of them the test is longer. */
const SEEDS = Number(process.env['HOLDFAST_TEST_FAULTS'] ?? 2);
const STEPS = 9;
const LASTING: readonly Fault[] = ['permission-denied', 'no-bucket', 'disk-full'];

/** Numbers from 0 up to 1, the same for the same seed. */
function randomNumbers(seed: number): () => number {
  const bytes = noise(1 << 18, `faults ${seed}`);
  let at = 0;
  return () => {
    at = (at + 4) % (bytes.length - 4);
    return bytes.readUInt32LE(at) / 2 ** 32;
  };
}

/** What goes wrong with the stores of one run: now and then what passes, and when it is told to, what lasts. */
class Faults {
  lasting: { fault: Fault; afterCalls: number } | undefined;
  /** Whether a call of the command met what lasts. */
  wasMet = false;
  isOver = false;
  readonly #random: () => number;
  readonly #altered = new Set<string>();

  constructor(random: () => number) {
    this.#random = random;
  }

  readonly rule: FaultyStore['rule'] = ({ method, key, range }) => {
    if (this.isOver) return undefined;
    if (this.lasting !== undefined && this.lasting.afterCalls-- <= 0) {
      this.wasMet = true;
      return this.lasting.fault;
    }
    if (this.#random() < 0.08) return this.#random() < 0.5 ? 'before' : 'after';
    const part = `${key} ${range?.offset} ${range?.length}`;
    // A whole object has a tag that a store holds it against.
    if (method !== 'get' || range === undefined || this.#altered.has(part) || this.#random() < 0.7) return undefined;
    this.#altered.add(part);
    return 'flipped';
  };
}

describe.skipIf(!requires('restic'))('a repository and its mirror in stores that go wrong at random', () => {
  it.each(Array.from({ length: SEEDS }, (_, seed) => seed))(
    'lose nothing that was acknowledged, and every failure is one: run %i',
    async (seed) => {
      const random = randomNumbers(seed);
      const faults = new Faults(random);
      const root = testDirectory();
      const clock = movableClock();
      const wait = async (ms: number) => clock.advance(ms);
      const { signal } = new AbortController();
      const places = { main: join(root, 'main'), eu: join(root, 'eu') };
      const [main, eu] = [createLocalStore(places.main), createLocalStore(places.eu)];
      await testRepository(main);
      const through = (store: ObjectStore) =>
        new RetryingStore(new FaultyStore(store, faults.rule), { clock, signal, wait, random });
      const data = join(root, 'data');
      mkdirSync(data);
      const planned = plannedFiles('files', data, { retention: { last: 2 } });
      // Each command is a process of its own.
      const workspace = () => mirroredWorkspace({ main: through(main), eu: through(eu) }, planned, { clock });
      const acknowledged = new Map<string, Map<string, Buffer>>();
      let content = new Map<string, Buffer>();

      const steps: Record<string, (at: Workspace) => Promise<boolean>> = {
        backup: async (at) => {
          content = new Map([
            ['large', noise(1 + Math.floor(random() * 900_000), `${seed} ${random()}`)],
            ['same', noise(200_000, seed)],
          ]);
          for (const [name, bytes] of content) writeFileSync(join(data, name), bytes);
          const [outcome] = await backup(at, []);
          if (outcome!.outcome === 'failed') return false;
          acknowledged.set(outcome!.snapshot, content);
          return outcome!.outcome === 'complete';
        },
        restore: async (at) => {
          const to = join(root, 'restored');
          rmSync(to, { recursive: true, force: true });
          const { outcome, snapshot } = await restore(at, { source: 'files', to });
          const expected = acknowledged.get(snapshot);
          for (const [name, bytes] of expected ?? []) {
            expect(readFileSync(join(to, data, name)).equals(bytes), name).toBe(true);
          }
          return outcome === 'complete';
        },
        retain: async (at) => {
          const { sources, failures } = await retain(at, [], { dryRun: false });
          return failures.length === 0 && sources.every(({ removed }) => removed);
        },
        prune: async (at) => (await prune(at, [], { dryRun: false })).repositories.length === 1,
        replicate: async (at) => (await replicate(at, [])).every(({ outcome }) => outcome === 'complete'),
      };
      const names = ['backup', 'replicate', 'backup', 'retain', 'prune', 'restore'];
      for (let step = 0; step < STEPS; step++) {
        clock.advance(60_000);
        const name = names[step < names.length ? step : Math.floor(random() * names.length)]!;
        faults.wasMet = false;
        faults.lasting =
          step > 0 && random() < 0.5
            ? { fault: LASTING[Math.floor(random() * LASTING.length)], afterCalls: Math.floor(random() * 40) }
            : undefined;
        const isDone = await steps[name]!(workspace()).catch((error: unknown) => {
          if (!isHoldfastError(error)) throw error;
          return false;
        });
        if (faults.wasMet) expect(isDone, `${name} met ${faults.lasting?.fault}`).toBe(false);
        // What a command that died could not remove.
        const repository = await openRepository(main, PASSWORD);
        if (faults.wasMet) await removeLocks(repository, { clock: systemClock, all: true, dryRun: false });
        else expect(isDone, name).toBe(true);
      }

      faults.isOver = true;
      const repository = await openRepository(main, PASSWORD);
      const { ledger } = await mirroredWorkspace({ main }, planned).open('main');
      const decided = (await ledger.read()).flatMap((event) =>
        event.kind === 'retention.decided' ? event.body.removed.map(({ snapshot }) => snapshot) : [],
      );
      const there = (await listSnapshots(repository)).map(({ id }) => id);
      expect(acknowledged.size).toBeGreaterThan(0);
      for (const [id, expected] of acknowledged) {
        if (!there.includes(id)) expect(decided).toContain(id);
        else
          for (const [path, bytes] of await readFiles(repository, id)) {
            const own = expected.get(path.slice(path.lastIndexOf('/') + 1));
            if (own !== undefined) expect(bytes.equals(own), path).toBe(true);
          }
      }
      expect(await replicate(workspace(), [])).toMatchObject([{ outcome: 'complete' }]);
      for (const place of Object.values(places)) resticCheck(place);
    },
  );
});

describe.skipIf(!requires('restic'))('a store whose every write says that it failed, and did succeed', () => {
  it('leaves a repository and a mirror that are whole, whatever kind of object is written', async () => {
    const root = testDirectory();
    const data = join(root, 'data');
    mkdirSync(data);
    writeFileSync(join(data, 'file'), noise(300_000));
    const places = { main: join(root, 'main'), eu: join(root, 'eu') };
    const { signal } = new AbortController();
    const kinds = new Set<string>();
    const lying = (place: string) => {
      const told = new Set<string>();
      const store = new FaultyStore(createLocalStore(place), ({ method, key }) => {
        if (method !== 'put' && method !== 'delete') return undefined;
        if (method === 'put') kinds.add(key.replace(/[^/]*$/, '') || key);
        const call = `${method} ${key}`;
        const isAgain = told.delete(call);
        if (!isAgain) told.add(call);
        return isAgain ? undefined : 'after';
      });
      return new RetryingStore(store, { clock: systemClock, signal, wait: async () => {} });
    };
    const stores = { main: lying(places.main), eu: lying(places.eu) };
    const planned = plannedFiles('files', data, { retention: { last: 1 } });
    const workspace = () => mirroredWorkspace(stores, planned);
    const repository = await createRepository(stores.main, PASSWORD, systemClock);
    // One that opens at once takes its place.
    await changePassword(repository, PASSWORD, systemClock, { kdf: { N: 2, r: 1, p: 1 } });
    for (const round of [1, 2]) {
      writeFileSync(join(data, 'file'), noise(300_000, round));
      expect(await backup(workspace(), [])).toMatchObject([{ outcome: 'complete' }]);
      await writeTail(repository, segments(round, round + 1));
    }
    await retain(workspace(), [], { dryRun: false });
    const {
      repositories: [pruned],
    } = await prune(workspace(), [], { dryRun: false });
    expect(pruned!.swept.packs).toBeGreaterThan(0);
    expect(await replicate(workspace(), [])).toMatchObject([{ outcome: 'complete' }]);
    expect(await promote(workspace(), 'eu')).toMatchObject({ epoch: 1 });
    const written = ['config', 'keys/', 'locks/', 'index/', 'snapshots/', 'holdfast/', 'holdfast/prune/'];
    expect([...kinds]).toEqual(expect.arrayContaining(written));
    expect([...kinds].some((kind) => /^data\/../.test(kind))).toBe(true);
    expect([...kinds].some((kind) => kind.startsWith('holdfast/tail/'))).toBe(true);
    expect([...kinds].some((kind) => kind.startsWith('holdfast/ledger/'))).toBe(true);
    for (const place of Object.values(places)) resticCheck(place);
    const there = createLocalStore(places.eu);
    for await (const { key } of there.list('')) expect(key).not.toMatch(/^locks\/|mirror-lease/);
    expect([...(await readFiles(await openRepository(there, PASSWORD))).values()]).toContainEqual(noise(300_000, 2));
  });
});

describe.skipIf(!requires('restic'))('a repository in a store whose listings lag', () => {
  it('is backed up, restored and mirrored whole, and upkeep that would need more is refused', async () => {
    const root = testDirectory();
    const data = join(root, 'data');
    mkdirSync(data);
    const place = join(root, 'main');
    const lagging = new EventualStore(createLocalStore(place), { lagMs: 150, clock: systemClock });
    lagging.capabilities = async () => ({ conditionalPut: true, consistentListing: false });
    const eu = createLocalStore(join(root, 'eu'));
    await testRepository(lagging);
    // A timer may come a millisecond early.
    const shown = () => setTimeout(lagging.lagMs + 20);
    await shown();
    const planned = plannedFiles('files', data, { retention: { last: 1 } });
    const workspace = () => mirroredWorkspace({ main: lagging, eu }, planned);
    const stored: [snapshot: string, content: Buffer][] = [];
    for (const round of [1, 2]) {
      const content = noise(700_000, round);
      writeFileSync(join(data, 'file'), content);
      const [outcome] = await backup(workspace(), []);
      expect(outcome).toMatchObject({ outcome: 'complete' });
      if (outcome!.outcome !== 'failed') stored.push([outcome!.snapshot, content]);
      // What it lists by then is mirrored, and no more; nothing that it does not list yet is taken for a loss.
      expect(await replicate(workspace(), [])).toMatchObject([{ outcome: 'complete', removedObjects: 0 }]);
      resticCheck(join(root, 'eu'));
    }
    const extra = await writeFiles(await openRepository(lagging, PASSWORD), { extra: noise(90_000, 'extra') });
    await removeSnapshot(await openRepository(lagging, PASSWORD), extra.id);
    await shown();
    for (const upkeep of [retain, prune]) {
      await expect(upkeep(workspace(), [], { dryRun: false })).rejects.toMatchObject({ code: 'store-unsuitable' });
    }
    await shown();
    for (const [snapshot, content] of stored) {
      const to = join(root, snapshot);
      expect(await restore(workspace(), { snapshot, to, repository: 'main' })).toMatchObject({ outcome: 'complete' });
      expect(readFileSync(join(to, data, 'file')).equals(content)).toBe(true);
    }
    expect(await replicate(workspace(), [])).toMatchObject([{ outcome: 'complete', removedObjects: 0 }]);
    const there = await listSnapshots(await openRepository(eu, PASSWORD));
    expect(there.map(({ id }) => id).sort()).toEqual(stored.map(([id]) => id).sort());
    for (const each of [place, join(root, 'eu')]) resticCheck(each);
  });
});
