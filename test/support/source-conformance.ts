/**
 * What every source must do. A source's own test is a call of this with what it takes to fill, look at and spoil one:
 * see docs/adding-a-source.md, and test/source/ for those that there are.
 */

import { beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/foundation/clock.ts';
import { HoldfastError } from '../../src/foundation/errors.ts';
import { noProgress, type Progress } from '../../src/foundation/progress.ts';
import type { Target } from '../../src/foundation/target.ts';
import {
  listSnapshots,
  loadIndex,
  Reader,
  type Repository,
  type SnapshotReader,
  type StoredSnapshot,
} from '../../src/repository/index.ts';
import type { Capture, CaptureContext, Check, Manifest, Restored, Source } from '../../src/source/index.ts';
import { MANIFEST_DIRECTORY, MANIFEST_NAME, readManifest } from '../../src/source/index.ts';
import { errorOf, failures, scratch } from './postgres-source.ts';
import { errorsOf, testRepository, withReader, writeFile, writeSnapshot } from './repository.ts';

/** `much` is more than a capture holds in memory at a time, and still fits a test: some megabytes. */
export type Amount = 'nothing' | 'some' | 'much';

/** One kind of source on a real server or a real directory. All of it is made before the tests, and gone after them. */
export interface SourceUnderTest {
  /** Makes the living hold this and no more, and gives it as the plan would have it. */
  source(amount: Amount): Promise<Source>;
  /** The same kind of source where nothing is, or nobody answers; undefined where there can be no such thing. */
  gone: (() => Source) | undefined;
  /** What the manifest's details must say of `some`, as far as it is known without asking the source. */
  details: Record<string, unknown>;
  /** A new place that can take a restore, and has nothing. */
  place(): Promise<Target>;
  /** Places that can take no restore of this source, ever. */
  wrongPlaces: readonly Target[];
  /** Puts something of somebody else into a place. */
  occupy(place: Target): Promise<void>;
  /** All that matters of what is at a place, or in the living, fit to be compared. */
  contents(place: Target | undefined): Promise<unknown>;
  /** Changes one value of `some` after it was restored: as much of it, and other. */
  alter(place: Target): Promise<void>;
  /** Where parts can be captured: patterns that name something in `some`, and what is there when only that came back. */
  part?: { only: readonly string[]; contents(): Promise<unknown> };
}

interface Captured {
  capture: Capture;
  snapshot: StoredSnapshot;
  addedBytes: number;
}

type Changes = Partial<Pick<CaptureContext, 'progress' | 'signal' | 'selection'>> & { previous?: string };

/** The work that an operation does around a source, on one repository. */
class Bench {
  readonly repository: Repository;

  constructor(repository: Repository) {
    this.repository = repository;
  }

  context({ progress = noProgress, signal = new AbortController().signal }: Changes = {}) {
    return { clock: systemClock, progress, signal, scratchDirectory: scratch() };
  }

  async capture(source: Source, { previous, selection, ...changes }: Changes = {}): Promise<Captured> {
    let capture: Capture | undefined;
    const before = (await listSnapshots(this.repository)).find(({ id }) => id === previous);
    const reader = before && new Reader(await loadIndex(this.repository), before);
    const { id, statistics } = await writeSnapshot(this.repository, async (writer) => {
      capture = await source.capture(writer, {
        ...{ ...this.context(changes), previous: reader },
        ...(selection && { selection }),
      });
      const manifest = { ...capture.manifest, ...(selection && { only: selection.only }) };
      const file = await writeFile(writer, MANIFEST_NAME, Buffer.from(JSON.stringify(manifest)));
      const subtree = await writer.saveTree([file]);
      return [
        ...capture.roots,
        { name: MANIFEST_DIRECTORY, type: 'dir', mode: 2 ** 31 + 0o700, content: null, subtree },
      ];
    });
    await reader?.close();
    const snapshot = (await listSnapshots(this.repository)).find((each) => each.id === id)!;
    return { capture: capture!, snapshot, addedBytes: statistics.addedBytes };
  }

  read<T>({ snapshot }: Captured, work: (reader: SnapshotReader) => Promise<T>): Promise<T> {
    return withReader(this.repository, work, snapshot.id);
  }

  restore(source: Source, captured: Captured, place: Target, changes: Changes = {}): Promise<Restored> {
    return this.read(captured, (reader) => source.restore(reader, place, this.context(changes)));
  }

  async validate(source: Source, captured: Captured, place: Target): Promise<Check[]> {
    const context = { ...this.context(), timeMs: captured.capture.timeMs };
    return (await this.read(captured, (reader) => source.validate(reader, place, context))).checks;
  }

  async differences(source: Source, captured: Captured, place?: Target): Promise<string[]> {
    const found = await this.read(captured, (reader) => source.compare(reader, place, this.context()));
    return found.differences.map(({ kind, item }) => `${kind} ${item}`);
  }

  manifest(captured: Captured): Promise<Manifest> {
    return this.read(captured, readManifest);
  }
}

/** Gives up as soon as something was done: in the middle, wherever that is. */
function interruptedWork(): { progress: Progress; signal: AbortSignal; reason: Error } {
  const controller = new AbortController();
  const reason = new Error('somebody pulled the plug');
  const abort = (): void => controller.abort(reason);
  return { progress: { ...noProgress, advance: abort }, signal: controller.signal, reason };
}

/** @param start makes what is to be tested, once; what it needs is ended by `afterAll` of the caller */
// tidy-allow: a suite is a list of short tests
export function describeSource(name: string, start: () => Promise<SourceUnderTest>): void {
  // tidy-allow: a suite is a list of short tests
  describe(`${name} as a source`, () => {
    let tested: SourceUnderTest;
    let bench: Bench;
    let source: Source;
    let some: Captured;

    beforeAll(async () => {
      tested = await start();
      bench = new Bench(await testRepository());
      source = await tested.source('some');
      some = await bench.capture(source);
    });

    it('can be backed up, and says so', async () => {
      const findings = await source.examine({ signal: new AbortController().signal, longestGapMs: 3_600_000 });
      expect(findings.filter(({ level }) => level === 'missing')).toEqual([]);
    });

    it('comes back as it was, and is found equal by itself, by a comparison and in the living', async () => {
      const place = await tested.place();
      const restored = await bench.restore(source, some, place);
      expect(restored.problems).toEqual([]);
      expect(await tested.contents(place)).toEqual(await tested.contents(undefined));
      const checks = await bench.validate(source, some, place);
      expect(checks.length).toBeGreaterThan(0);
      expect(failures(checks)).toEqual([]);
      expect(await bench.differences(source, some, place)).toEqual([]);
      expect(await bench.differences(source, some)).toEqual([]);
    });

    it('says in its manifest what was captured, and when', async () => {
      const manifest = await bench.manifest(some);
      expect(manifest).toMatchObject({ version: 1, source: source.name, type: source.type, problems: [] });
      expect(manifest.details).toMatchObject(tested.details);
      const [began, time, ended] = [manifest.startedAt, manifest.time, manifest.finishedAt].map(Date.parse);
      const aheadMs = Math.abs(manifest.clockOffsetMs ?? 0) + 1;
      expect(began).toBeLessThanOrEqual(time! + aheadMs);
      expect(time).toBeLessThanOrEqual(ended! + aheadMs);
      expect(time).toBe(Math.floor(some.capture.timeMs));
      expect(some.capture.problems).toEqual([]);
    });

    it('has something wrong found in what came back', async () => {
      const place = await tested.place();
      await bench.restore(source, some, place);
      await tested.alter(place);
      const checks = await bench.validate(source, some, place);
      expect(checks.filter(({ result }) => result === 'failed').length).toBeGreaterThan(0);
      expect((await bench.differences(source, some, place)).length).toBeGreaterThan(0);
    });

    it('takes no place that cannot hold it, nor one that holds something', async () => {
      for (const wrong of tested.wrongPlaces)
        expect(await errorOf(bench.restore(source, some, wrong))).toMatchObject({ code: 'target-unsuitable' });
      const place = await tested.place();
      await tested.occupy(place);
      const before = await tested.contents(place);
      expect(await errorOf(bench.restore(source, some, place))).toMatchObject({ code: 'target-not-empty' });
      expect(await tested.contents(place)).toEqual(before);
    });

    it('leaves no snapshot when it is interrupted, and is whole the next time', async () => {
      const before = await listSnapshots(bench.repository);
      const { reason, ...interrupted } = interruptedWork();
      expect(await errorOf(bench.capture(source, interrupted))).toBeDefined();
      expect(interrupted.signal.reason).toBe(reason);
      expect(await listSnapshots(bench.repository)).toEqual(before);
      const again = await bench.capture(source, { previous: some.snapshot.id });
      expect((await bench.manifest(again)).details).toMatchObject(tested.details);
      expect(await errorsOf(bench.repository)).toEqual([]);
    });

    it('goes on with a restore that was interrupted, or refuses to, and never takes a part for the whole', async () => {
      const place = await tested.place();
      const { reason: _, ...interrupted } = interruptedWork();
      expect(await errorOf(bench.restore(source, some, place, interrupted))).toBeDefined();
      expect(interrupted.signal.aborted).toBe(true);
      const second = await bench.restore(source, some, place).catch((error: unknown) => error);
      if (second instanceof HoldfastError) {
        expect(second.code).toBe('target-not-empty');
        return;
      }
      expect(await tested.contents(place)).toEqual(await tested.contents(undefined));
      expect(failures(await bench.validate(source, some, place))).toEqual([]);
    });

    it('fails where the living is not there', async () => {
      if (tested.gone === undefined) return;
      const before = await listSnapshots(bench.repository);
      const error = await errorOf(bench.capture(tested.gone()));
      expect(error).toBeInstanceOf(HoldfastError);
      expect(error).not.toMatchObject({ code: 'internal' });
      expect(await listSnapshots(bench.repository)).toEqual(before);
    });

    it('is captured in part where it says that it can, and then has to find what was named', async () => {
      expect(source.capturesParts === true).toBe(tested.part !== undefined);
      if (tested.part === undefined) return;
      const { only } = tested.part;
      const part = await bench.capture(source, { selection: { only } });
      expect((await bench.manifest(part)).only).toEqual(only);
      const place = await tested.place();
      await bench.restore(source, part, place);
      expect(await tested.contents(place)).toEqual(await tested.part.contents());
      expect(failures(await bench.validate(source, part, place))).toEqual([]);
      const unknown = { only: [...only, 'what-nobody-has'] };
      expect(await errorOf(bench.capture(source, { selection: unknown }))).toMatchObject({ code: 'path-missing' });
    });

    it.each(['nothing', 'much'] as const)('comes back when it holds %s', async (amount) => {
      const filled = await tested.source(amount);
      const captured = await bench.capture(filled);
      const place = await tested.place();
      await bench.restore(filled, captured, place);
      expect(await tested.contents(place)).toEqual(await tested.contents(undefined));
      expect(failures(await bench.validate(filled, captured, place))).toEqual([]);
      // What was captured once costs next to nothing again.
      const again = await bench.capture(filled, { previous: captured.snapshot.id });
      expect(again.addedBytes).toBeLessThan(Math.max(64_000, captured.addedBytes / 2));
    });
  });
}
