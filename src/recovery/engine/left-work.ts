import { settled } from '../../foundation/promises.ts';

/** By the run and the step, of all engines of this process: one that goes on after another has to know. */
const left = new Map<string, Promise<void>>();

/** What was told to end and does not heed that: it is known until it has ended by itself. */
export function leaveRunning(run: string, step: string, work: Promise<unknown>): void {
  const key = `${run}/${step}`;
  const over = settled(work).then(() => {
    if (left.get(key) === over) left.delete(key);
  });
  left.set(key, over);
}

/** Resolves once it has ended; undefined where nothing of this step is left in this process. */
export function leftRunning(run: string, step: string): Promise<void> | undefined {
  return left.get(`${run}/${step}`);
}
