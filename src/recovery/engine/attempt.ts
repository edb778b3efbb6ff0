import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import type { Pause } from '../../foundation/pause.ts';
import { awaitedLater, settled } from '../../foundation/promises.ts';
import type { PlannedStep } from '../../plan/index.ts';

/** What was told to end gets so long to do so: then nobody waits for it any more. */
const GRACE_MS = 5000;

export interface AttemptOptions {
  plan: Pick<PlannedStep, 'id' | 'withinMs' | 'timeoutMs'>;
  /** What of its times is over already: it began in an engine that died. */
  spentMs: number;
  /** The engine's own. */
  signal: AbortSignal;
  pauseFor(signal: AbortSignal): Pause;
  /** Its share of the budget is used up, and it goes on. */
  onLate(withinMs: number): Promise<unknown>;
  /** It was told to end, does not, and nobody waits for it any more. */
  onLeft(work: Promise<unknown>): void;
}

/**
 * Runs an attempt at a step, and ends it when its time is over.
 * @throws timed-out, also where the work does not heed its signal; the reason of the engine's signal; what the work throws
 */
export async function runAttempt<Result>(
  work: (signal: AbortSignal) => Promise<Result>,
  { plan, spentMs, signal, pauseFor, onLate, onLeft }: AttemptOptions,
): Promise<Result> {
  const ending = new AbortController();
  const timers = new AbortController();
  const both = AbortSignal.any([signal, ending.signal]);
  const after = async (limitMs: number | undefined, act: () => unknown): Promise<void> => {
    if (limitMs === undefined) return;
    try {
      await pauseFor(timers.signal)(Math.max(0, limitMs - spentMs));
    } catch (error) {
      if (timers.signal.aborted) return;
      throw error;
    }
    await act();
  };
  const late = awaitedLater(after(plan.withinMs, () => onLate(plan.withinMs!)));
  const timeout = awaitedLater(after(plan.timeoutMs, () => ending.abort(timedOut(plan))));
  try {
    const result = await untilGivenUp(awaitedLater(work(both)), both, { pauseFor, onLeft });
    timers.abort();
    await Promise.all([late, timeout]);
    return result;
  } finally {
    timers.abort();
    await settled(Promise.all([late, timeout]));
  }
}

/** What was done all the same, when it was told to end, is done. */
async function untilGivenUp<Result>(
  work: Promise<Result>,
  signal: AbortSignal,
  { pauseFor, onLeft }: Pick<AttemptOptions, 'pauseFor' | 'onLeft'>,
): Promise<Result> {
  const over = new AbortController();
  const givenUp = async (): Promise<never> => {
    await aborted(signal, over.signal);
    await pauseFor(over.signal)(GRACE_MS);
    onLeft(work);
    throw signal.reason;
  };
  try {
    return await Promise.race([work, givenUp()]);
  } catch (error) {
    // Whatever it says of how it ended: its time was over.
    if (signal.aborted && isHoldfastError(signal.reason)) throw signal.reason;
    throw error;
  } finally {
    over.abort(new HoldfastError('interrupted', 'nobody waits any more'));
  }
}

function aborted(signal: AbortSignal, over: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener('abort', () => resolve(), { once: true, signal: over });
  });
}

function timedOut({ id, timeoutMs }: AttemptOptions['plan']): HoldfastError {
  return new HoldfastError('timed-out', `${id} was not over in time`, {
    hint: 'What it has done so far is as it is. Give it a longer `timeout`, or do it by hand.',
    context: { step: id, timeoutMs },
  });
}
