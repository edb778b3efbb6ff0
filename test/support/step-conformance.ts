/** What every kind of step must do. A kind's own test is a call of this with something real that it works on. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isHoldfastError } from '../../src/foundation/errors.ts';
import type { StepKindName } from '../../src/plan/index.ts';
import { hasOutput } from '../../src/plan/runbooks/steps/outputs.ts';
import type { StepContext, StepKind, StepResult } from '../../src/recovery/index.ts';
import { shownOf } from './channel-conformance.ts';

/** A kind of step, and what it works on. */
export interface StepSubject<Kind extends StepKindName> {
  kind: StepKind<Kind>;
  /** A step that succeeds, as often as it is run. */
  works(more?: ContextOptions): StepContext<Kind>;
  /** All that the step might change, as text. */
  world(): Promise<string>;
  /** Whether what the step is for has happened. */
  isDone?(): Promise<boolean>;
  /** A step that cannot succeed, and what a look beforehand says of it. */
  obstructed?: { context(): StepContext<Kind>; says: RegExp };
  /** A step that fails; undefined of a kind that cannot. */
  fails?(): StepContext<Kind>;
  /** A step that takes longer than anybody waits, with the signal that ends it. */
  slow?(more: ContextOptions): StepContext<Kind>;
  /** What must be seen nowhere. */
  secrets: readonly string[];
  close?(): Promise<void>;
}

export interface ContextOptions {
  signal?: AbortSignal;
  /** Gets the lines that the step tells. */
  told?: string[];
}

/** How long a step may take to end once it was told to. */
const PROMPT_MS = 5_000;

/** @param without what a kind cannot have: a step that is seen beforehand to fail, one that fails, or one that takes long */
export function describeStep<Kind extends StepKindName>(
  name: Kind,
  open: () => Promise<StepSubject<Kind>>,
  { without = [] }: { without?: readonly ('obstructed' | 'fails' | 'slow')[] } = {},
): void {
  describe(`${name} as a step`, () => {
    let subject: StepSubject<Kind>;
    const get = () => subject;
    beforeAll(async () => {
      subject = await open();
    });
    afterAll(() => subject.close?.());
    looksBeforehand(get);
    if (!without.includes('obstructed')) tellsObstacles(get);
    if (!without.includes('slow')) endsWithSignal(get);
    if (!without.includes('fails')) failsWell(get);
    works(name, get);
    outlivesDeath(name, get);
  });
}

type Get<Kind extends StepKindName> = () => StepSubject<Kind>;

function looksBeforehand<Kind extends StepKindName>(get: Get<Kind>): void {
  it('looks beforehand without changing anything, and says what it would do and how it is done by hand', async () => {
    const { kind, works, world, secrets } = get();
    const before = await world();
    const foreseen = await kind.foresee(works());
    expect(foreseen.obstacles).toEqual([]);
    expect(foreseen.does).toMatch(/^\S.*\S$/);
    expect(foreseen.does).not.toMatch(/undefined|\[object/);
    expect(foreseen.byHand.length).toBeGreaterThan(0);
    expect(kind.describe(works()).byHand).toEqual(foreseen.byHand);
    expectNoSecret(JSON.stringify(foreseen), secrets);
    expect(await world()).toBe(before);
  });
}

function tellsObstacles<Kind extends StepKindName>(get: Get<Kind>): void {
  it('says beforehand what would make it fail', async () => {
    const { kind, world, obstructed, secrets } = get();
    const before = await world();
    const { obstacles } = await kind.foresee(obstructed!.context());
    expect(obstacles.join('\n')).toMatch(obstructed!.says);
    expectNoSecret(obstacles.join('\n'), secrets);
    expect(await world()).toBe(before);
  });
}

function endsWithSignal<Kind extends StepKindName>(get: Get<Kind>): void {
  it('ends promptly with the reason of the signal', async () => {
    const { kind, slow } = get();
    const reason = new Error('enough');
    const controller = new AbortController();
    const ended = kind.run(slow!({ signal: controller.signal })).then(
      () => 'it ended well',
      (error: unknown) => error,
    );
    setTimeout(() => controller.abort(reason), 50);
    const startedMs = performance.now();
    const error = await ended;
    expect(performance.now() - startedMs).toBeLessThan(PROMPT_MS);
    expect(error === reason || isHoldfastError(error, 'interrupted')).toBe(true);
  });
}

function failsWell<Kind extends StepKindName>(get: Get<Kind>): void {
  it('fails with an error that says what to do, and shows no secret', async () => {
    const { kind, fails, secrets } = get();
    const error = await kind.run(fails!()).then(
      (result) => result,
      (thrown: unknown) => thrown,
    );
    expect(isHoldfastError(error), shownOf(error)).toBe(true);
    if (!isHoldfastError(error)) return;
    expect(error.hint).toMatch(/^.+\.$/s);
    expectNoSecret(shownOf(error), secrets);
    expectNoSecret(JSON.stringify(error.context), secrets);
  });
}

function works<Kind extends StepKindName>(name: Kind, get: Get<Kind>): void {
  it('does it, and tells what it found out', async () => {
    const subject = get();
    const told: string[] = [];
    expectSound(name, await subject.kind.run(subject.works({ told })), subject.secrets);
    expectNoSecret(told.join('\n'), subject.secrets);
    if (subject.isDone) expect(await subject.isDone()).toBe(true);
  });
}

function outlivesDeath<Kind extends StepKindName>(name: Kind, get: Get<Kind>): void {
  it('after a death in the middle is done again without harm, or a person is asked, or it finds what it had done', async () => {
    const subject = get();
    const before = await subject.world();
    const context = subject.works();
    const found = (await subject.kind.afterDeath?.(context)) ?? 'again';
    if (typeof found === 'object') expectSound(name, found, subject.secrets);
    if (found !== 'again') return;
    expectSound(name, await subject.kind.run(context), subject.secrets);
    expect(await subject.world()).toBe(before);
    if (subject.isDone) expect(await subject.isDone()).toBe(true);
  });

  it('says in words what it leaves standing', async () => {
    const { kind, works, secrets } = get();
    const left = kind.undo === undefined ? kind.leaves?.(works()) : await kind.undo(works());
    if (left === undefined) return;
    expect(left).toMatch(/^\S.*\S$/);
    expectNoSecret(left, secrets);
  });
}

function expectSound(name: StepKindName, { summary, outputs }: StepResult, secrets: readonly string[]): void {
  expect(summary).toMatch(/^\S.*\S$/);
  expect(summary).not.toMatch(/undefined|\[object|\$\{|\n|\.$/);
  for (const [output, value] of Object.entries(outputs)) {
    expect(hasOutput(name, output), `${output} is no output of ${name}`).toBe(true);
    expect(['string', 'number', 'boolean']).toContain(typeof value);
  }
  expectNoSecret(JSON.stringify([summary, outputs]), secrets);
}

function expectNoSecret(text: string, secrets: readonly string[]): void {
  for (const secret of secrets) {
    expect(text).not.toContain(secret);
    expect(text).not.toContain(encodeURIComponent(secret));
  }
}
