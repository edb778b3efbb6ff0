import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DaemonPlace } from '../../../test/support/daemon.ts';
import { noise } from '../../../test/support/repository.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import { noProgress } from '../../foundation/progress.ts';
import { loadPlan } from '../../plan/index.ts';
import type { StoredSnapshot } from '../../repository/index.ts';
import { backup } from '../backup/backup.ts';
import { status } from '../status/status.ts';
import { pickSnapshot } from '../verify/pick-snapshot.ts';
import { newestStretches } from '../verify/random-moment.ts';
import { type Adapters, Workspace } from '../workspace.ts';
import { runVerification, type VerificationOutcome } from './run-verification.ts';
import { outcomeOf } from './verified.ts';

const PLAN = `
verification:
  - { name: daily, sources: "*", pick: latest, level: checked, schedule: daily at 05:00 }
  - { name: weekly, sources: [one], pick: random, from: 7d, schedule: weekly, keep: 24h }
  - { name: both, sources: [one, two], schedule: monthly }
`;
const DAY_MS = 24 * 3600_000;

class Place extends DaemonPlace {
  static async make(): Promise<Place> {
    const place = await Place.with('2026-03-02T00:00:00Z', { one: 'daily', two: 'daily' }, PLAN);
    return Object.setPrototypeOf(place, Place.prototype) as Place;
  }

  async open(): Promise<Workspace> {
    return new Workspace(await loadPlan({ cwd: this.directory, env: {} }), this.environment);
  }

  async backUp(name: string, content: string | Buffer): Promise<void> {
    writeFileSync(join(this.directory, name), content);
    const [outcome] = await backup(await this.open(), [name]);
    expect(outcome).toMatchObject({ outcome: 'complete' });
  }

  async verify(name: string, random = () => 0): Promise<VerificationOutcome> {
    const workspace = await this.open();
    return runVerification(workspace, workspace.plan.verifications.find((each) => each.name === name)!, { random });
  }

  get packs(): string[] {
    const data = join(this.directory, 'repository', 'data');
    return readdirSync(data, { recursive: true, withFileTypes: true })
      .filter((each) => each.isFile())
      .map(({ parentPath, name }) => join(parentPath, name));
  }
}

/** Changes one bit in the middle of what a pack holds first. */
function damage(path: string): void {
  const bytes = readFileSync(path);
  bytes[100]! ^= 1;
  rmSync(path);
  writeFileSync(path, bytes);
}

describe('a verification of the level checked', () => {
  it('takes place though what an earlier proof left cannot be removed', async () => {
    const place = await Place.make();
    await place.backUp('one', 'content');
    await place.backUp('two', 'content');
    const createSandbox = async () => ({
      removeExpired: () => Promise.reject(new HoldfastError('sandbox-failed', 'it stays')),
    });
    const { plan, environment } = await place.open();
    const adapters = { ...environment.adapters, createSandbox } as unknown as Adapters;
    const notes: string[] = [];
    const progress = () => ({ ...noProgress, note: (note: string) => void notes.push(note) });
    const workspace = new Workspace({ plan }, { ...environment, adapters, progress });
    expect(await runVerification(workspace, plan.verifications[0]!)).toMatchObject({ outcome: 'done' });
    expect(notes).toContainEqual(expect.stringContaining('it stays'));
  });

  it('reads every byte of the newest of each source, names the one that is damaged, and over time reads all others', async () => {
    const place = await Place.make();
    await place.backUp('one', noise(50_000, 'old'));
    const ofOld = place.packs;
    place.clock.pass(DAY_MS);
    await place.backUp('one', noise(50_000, 'new'));
    await place.backUp('two', noise(50_000, 'two'));
    place.clock.pass(DAY_MS);
    const first = await place.verify('daily');
    expect(first).toMatchObject({ outcome: 'done', damaged: [] });
    expect(first.sources.map(({ source, state }) => [source, state])).toEqual([
      ['one', 'checked'],
      ['two', 'checked'],
    ]);
    expect(first.sources.every(({ bytes }) => bytes > 50_000)).toBe(true);
    const seen = (await status(await place.open())).sources.map(({ last }) => last?.proof);
    expect(seen).toEqual(['checked', 'checked']);

    // What no newest snapshot needs is read in its turn.
    const old = ofOld.find((path) => readFileSync(path).length > 50_000)!;
    damage(old);
    const outcomes: VerificationOutcome[] = [];
    for (let runs = 0; runs < place.packs.length && outcomes.at(-1)?.outcome !== 'missed'; runs++) {
      outcomes.push(await place.verify('daily'));
    }
    const { sources, damaged } = outcomes.at(-1)!;
    expect(sources.map(({ state }) => state)).toEqual(['checked', 'checked']);
    expect(damaged.join()).toContain(basename(old));

    const own = place.packs.find((path) => path !== old && readFileSync(path).length > 50_000)!;
    damage(own);
    const found = await place.verify('daily');
    expect(found.outcome).toBe('missed');
    expect(found.sources.map(({ state }) => state).sort()).toEqual(['checked', 'failed']);
    const [failed] = found.sources.filter(({ state }) => state === 'failed');
    expect(
      (await status(await place.open())).sources.find(({ source }) => source === failed!.source)?.last?.proof,
    ).toBe('failed');
    expect((await place.bodies('verification.finished')).at(-1)).toMatchObject({
      outcome: 'missed',
      repository: 'main',
    });
  });

  it('is partial where a source has nothing to look at, and failed where none has', async () => {
    const place = await Place.make();
    expect(await place.verify('daily')).toMatchObject({ outcome: 'failed' });
    await place.backUp('one', 'one');
    const { outcome, sources } = await place.verify('daily');
    expect(outcome).toBe('partial');
    expect(sources[1]).toMatchObject({ source: 'two', state: 'not-run', code: 'unknown-snapshot' });
  });
});

describe('a verification of the level proven', () => {
  it('keeps what came back for as long as it is asked to, and removes it then', async () => {
    const place = await Place.make();
    await place.backUp('one', 'as it was');
    const outcome = await place.verify('weekly');
    expect(outcome).toMatchObject({ outcome: 'done', sources: [{ source: 'one', state: 'proven' }] });
    const [proof] = await place.bodies('proof.recorded');
    const { place: kept, until } = proof!.kept!;
    expect(until).toBe('2026-03-03T00:00:00.000Z');
    const files = readdirSync(kept, { recursive: true, withFileTypes: true }).filter((each) => each.isFile());
    const contents = files.map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'utf8'));
    expect(contents).toContain('as it was');
    place.clock.pass(DAY_MS - 1000);
    await place.verify('both');
    expect(existsSync(kept)).toBe(true);
    place.clock.pass(1000);
    await place.verify('both');
    expect(existsSync(kept)).toBe(false);
    expect(await place.bodies('sandbox.removed')).toMatchObject([{ place: kept }]);
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith('holdfast-kept-'))).toEqual([]);
  });

  it('goes on with the others when one source cannot be looked at', async () => {
    const place = await Place.make();
    await place.backUp('two', 'two');
    expect(await place.verify('both')).toMatchObject({
      outcome: 'partial',
      sources: [
        { source: 'one', state: 'not-run', code: 'unknown-snapshot' },
        { source: 'two', state: 'proven' },
      ],
      errors: [{ code: 'unknown-snapshot' }],
    });
  });
});

describe('what is picked', () => {
  const at = (day: number): StoredSnapshot => ({
    ...{ id: String(day), tree: String(day), time: new Date(day * DAY_MS).toISOString() },
    ...{ paths: ['/one'], hostname: 'test', tags: ['holdfast', 'source:one'] },
  });
  const plan = { plan: { name: 'test' } } as Workspace;

  it('is each recovery point of the time equally, and none before it', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 0, max: 30 }), (count, fromDays) => {
        const all = Array.from({ length: count }, (_, day) => at(day));
        const wanted = all.slice(Math.max(0, count - 1 - fromDays));
        const picked = wanted.map((_, index) => {
          const random = () => (index + 0.5) / wanted.length;
          return pickSnapshot(plan, all, 'one', { pick: 'random', fromMs: fromDays * DAY_MS, random });
        });
        expect(picked).toEqual(wanted);
      }),
    );
    expect(pickSnapshot(plan, [at(1), at(2)], 'one', {})?.id).toBe('2');
    expect(pickSnapshot(plan, [], 'one', { pick: 'random' })).toBeUndefined();
  });

  it('is of a log no moment before the time', () => {
    const stretches = [
      { fromMs: 50, untilMs: 90 },
      { fromMs: 10, untilMs: 30 },
    ];
    expect(newestStretches(stretches, 20)).toEqual([{ fromMs: 70, untilMs: 90 }]);
    expect(newestStretches(stretches, 65)).toEqual([
      { fromMs: 50, untilMs: 90 },
      { fromMs: 25, untilMs: 30 },
    ]);
    expect(newestStretches(stretches, Number.POSITIVE_INFINITY)).toEqual(stretches);
    expect(newestStretches([], 10)).toEqual([]);
  });
});

it('tells what failed from what could not be looked at', () => {
  const of = (...states: VerificationOutcome['sources'][number]['state'][]) =>
    outcomeOf({ sources: states.map((state) => ({ source: state, state, bytes: 0 })), damaged: [] });
  expect(of('checked', 'proven')).toBe('done');
  expect(of('proven', 'not-run')).toBe('partial');
  expect(of('not-run', 'not-run')).toBe('failed');
  expect(of('not-run', 'failed', 'proven')).toBe('missed');
  expect(of('not-provable')).toBe('missed');
  expect(outcomeOf({ sources: [], damaged: ['data/aa'] })).toBe('missed');
});
