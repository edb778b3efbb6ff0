import { acknowledgeAlert, recordReview, type Workspace } from '../../src/operations/index.ts';
import type { ReviewKind } from '../../src/plan/index.ts';
import { dueMoments, type WallClock } from './oracle.ts';
import type { Failure, Scenario } from './scenario.ts';
import { HOUR_MS, MINUTE_MS, type World } from './world.ts';

/** A new recovery kit is made so often. */
const KIT_EVERY_MS = 60 * 24 * HOUR_MS;
/** A review is held so long after the hour at which it is due. */
export const REVIEWED_AFTER_MS = 10 * HOUR_MS;

interface Intended {
  atMs: number;
  act(): Promise<unknown> | unknown;
}

/** What people do in a simulated year, and what befalls what they work with. */
export class People {
  readonly #world: World;
  readonly #workspace: () => Workspace;
  readonly #failures: readonly Failure[];
  #intended: Intended[];
  #heard = 0;

  constructor(
    scenario: Scenario,
    world: World,
    options: {
      fromMs: number;
      untilMs: number;
      clock: WallClock;
      workspace: () => Workspace;
      makeKits: () => Promise<unknown>;
    },
  ) {
    this.#world = world;
    this.#workspace = options.workspace;
    this.#failures = scenario.failures;
    const reviews = Object.entries(scenario.reviews).flatMap(([kind, moments]) =>
      dueMoments(moments, options.fromMs + 1, options.untilMs - REVIEWED_AFTER_MS, options.clock)
        .filter((dueMs) => !isForgotten(scenario, kind, dueMs))
        .map((dueMs) => ({
          atMs: dueMs + REVIEWED_AFTER_MS,
          act: () => review(this.#workspace(), kind as ReviewKind),
        })),
    );
    const failing = scenario.failures.flatMap(({ fromMs, untilMs, closelyMs = 0, begin, end }): Intended[] => [
      { atMs: fromMs, act: begin },
      { atMs: untilMs, act: () => end(this.#workspace()) },
      ...[fromMs, untilMs].flatMap((sinceMs) => minutes(closelyMs).map((each) => ({ atMs: sinceMs + each, act() {} }))),
    ]);
    const kits = everyNth(KIT_EVERY_MS, options).map((atMs) => ({ atMs, act: options.makeKits }));
    this.#intended = [...reviews, ...failing, ...kits].filter(
      ({ atMs }) => options.fromMs <= atMs && atMs < options.untilMs,
    );
  }

  /** When something is done next. */
  get nextMs(): number {
    return Math.min(...this.#intended.map(({ atMs }) => atMs));
  }

  /** Does what is to be done by now. */
  async act(nowMs: number): Promise<void> {
    const due = this.#intended.filter(({ atMs }) => atMs <= nowMs);
    this.#intended = this.#intended.filter(({ atMs }) => atMs > nowMs);
    for (const { act } of due) await act();
  }

  /** Looks at what came to the pager since the last time. */
  notice(nowMs: number): void {
    const { told } = this.#world;
    for (const { whom, what, text } of told.slice(this.#heard)) {
      if (whom !== 'pager' || what !== 'trigger') continue;
      const page = JSON.parse(text) as { dedup_key: string; payload: { class: string; component: string } };
      const { class: rule, component: subject } = page.payload;
      const afterMs = this.#failures.find(
        (each) =>
          each.fromMs <= nowMs && nowMs < each.untilMs && each.alert.rule === rule && each.alert.subject === subject,
      )?.acknowledgedAfterMs;
      if (afterMs === undefined) continue;
      const alert = page.dedup_key.split(':').at(-1)!;
      this.#intended.push({
        atMs: nowMs + afterMs,
        act: () => acknowledgeAlert(this.#workspace(), { alert, by: 'the engineer on call' }),
      });
    }
    this.#heard = told.length;
  }
}

function everyNth(everyMs: number, { fromMs, untilMs }: { fromMs: number; untilMs: number }): number[] {
  const count = Math.ceil((untilMs - fromMs) / everyMs);
  return Array.from({ length: Math.max(0, count - 1) }, (_, at) => fromMs + (at + 1) * everyMs);
}

function isForgotten({ failures }: Scenario, review: string, dueMs: number): boolean {
  return failures.some(
    ({ alert, fromMs, untilMs }) =>
      alert.rule === 'review-overdue' && alert.subject === review && fromMs <= dueMs && dueMs < untilMs,
  );
}

export async function review(workspace: Workspace, kind: ReviewKind): Promise<void> {
  await recordReview(workspace, { review: kind, attended: ['Anna', 'Ben'], note: 'held as planned' });
}

/** Every minute of a time. */
function minutes(timeMs: number): number[] {
  return Array.from({ length: Math.floor(timeMs / MINUTE_MS) }, (_, index) => (index + 1) * MINUTE_MS);
}
