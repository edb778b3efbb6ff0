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
  /** A step that fails. */
  fails(): StepContext<Kind>;
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

export function describeStep<Kind extends StepKindName>(
  name: Kind,
  open: () => Promise<StepSubject<Kind>>,
  { without = [] }: { without?: readonly ('obstructed' | 'slow')[] } = {},
): void {
  describe(`${name} as a step`, () => {
    let subject: StepSubject<Kind>;
    beforeAll(async () => {
      subject = await open();
    });
    afterAll(() => subject.close?.());

    const expectSound = ({ summary, outputs }: StepResult, told: readonly string[]): void => {
      expect(summary).toMatch(/^\S.*\S$/);
      expect(summary).not.toMatch(/undefined|\[object|\$\{|\n|\.$/);
      for (const [output, value] of Object.entries(outputs)) {
        expect(hasOutput(name, output), `${output} is no output of ${name}`).toBe(true);
        expect(['string', 'number', 'boolean']).toContain(typeof value);
      }
      expectNoSecret(JSON.stringify([summary, outputs, told]));
    };
    const expectNoSecret = (text: string): void => {
      for (const secret of subject.secrets) {
        expect(text).not.toContain(secret);
        expect(text).not.toContain(encodeURIComponent(secret));
      }
    };

    it('looks beforehand without changing anything, and says what it would do and how it is done by hand', async () => {
      const before = await subject.world();
      const foreseen = await subject.kind.foresee(subject.works());
      expect(foreseen.obstacles).toEqual([]);
      expect(foreseen.does).toMatch(/^\S.*\S$/);
      expect(foreseen.does).not.toMatch(/undefined|\[object/);
      expect(foreseen.byHand.length).toBeGreaterThan(0);
      expectNoSecret(JSON.stringify(foreseen));
      expect(await subject.world()).toBe(before);
    });

    const withObstacle = without.includes('obstructed') ? [] : ['what would make it fail'];
    it.each(withObstacle)('says beforehand %s', async () => {
      const before = await subject.world();
      const { context, says } = subject.obstructed!;
      const { obstacles } = await subject.kind.foresee(context());
      expect(obstacles.join('\n')).toMatch(says);
      expectNoSecret(obstacles.join('\n'));
      expect(await subject.world()).toBe(before);
    });

    const withSlowness = without.includes('slow') ? [] : ['the reason of the signal'];
    it.each(withSlowness)('ends promptly with %s', async () => {
      const reason = new Error('enough');
      const controller = new AbortController();
      const running = subject.kind.run(subject.slow!({ signal: controller.signal }));
      const ended = running.then(
        () => 'it ended well',
        (error: unknown) => error,
      );
      setTimeout(() => controller.abort(reason), 50);
      const startedMs = performance.now();
      const error = await ended;
      expect(performance.now() - startedMs).toBeLessThan(PROMPT_MS);
      expect(error === reason || isHoldfastError(error, 'interrupted')).toBe(true);
    });

    it('fails with an error that says what to do, and shows no secret', async () => {
      const error = await subject.kind.run(subject.fails()).then(
        (result) => result,
        (thrown: unknown) => thrown,
      );
      expect(isHoldfastError(error), shownOf(error)).toBe(true);
      if (!isHoldfastError(error)) return;
      expect(error.hint).toMatch(/^.+\.$/s);
      expectNoSecret(shownOf(error));
      expectNoSecret(JSON.stringify(error.context));
    });

    it('does it, and tells what it found out', async () => {
      const told: string[] = [];
      expectSound(await subject.kind.run(subject.works({ told })), told);
      if (subject.isDone) expect(await subject.isDone()).toBe(true);
    });

    it('after a death in the middle is done again without harm, or a person is asked, or it finds what it had done', async () => {
      const before = await subject.world();
      const context = subject.works();
      const found = (await subject.kind.afterDeath?.(context)) ?? 'again';
      if (typeof found === 'object') expectSound(found, []);
      if (found !== 'again') return;
      expectSound(await subject.kind.run(context), []);
      expect(await subject.world()).toBe(before);
      if (subject.isDone) expect(await subject.isDone()).toBe(true);
    });

    it('says in words what it leaves standing', async () => {
      if (subject.kind.undo === undefined) return;
      const left = await subject.kind.undo(subject.works());
      expect(left).toMatch(/^\S.*\S$/);
      expectNoSecret(left);
    });
  });
}
