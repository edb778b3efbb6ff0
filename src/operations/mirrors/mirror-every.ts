import { awaitedLater } from '../../foundation/promises.ts';
import { reportable, type Workspace } from '../workspace.ts';
import { replicateOpened } from './replicate.ts';

/**
 * Brings the mirrors of the repositories that a plan's work has opened up to date now and then, for as long as the work
 * goes on. One that fails is told of and recorded, and tried again the next time.
 * @returns what ends it, once a run that is under way is over
 */
export function mirrorEvery(workspace: Workspace, everyMs: number): () => Promise<void> {
  if (workspace.plan.mirrors.size === 0) return async () => {};
  const { environment } = workspace;
  let running = Promise.resolve();
  let isRunning = false;
  const run = async (): Promise<void> => {
    try {
      for (const each of await replicateOpened(workspace)) {
        if (each.outcome === 'failed') environment.progress(each.mirror).note(each.error.message);
      }
    } catch (error) {
      environment.progress('mirrors').note(reportable(error, environment.signal).message);
    } finally {
      isRunning = false;
    }
  };
  const timer = setInterval(() => {
    if (isRunning || environment.signal.aborted) return;
    isRunning = true;
    running = awaitedLater(run());
  }, everyMs);
  return async () => {
    clearInterval(timer);
    await running;
  };
}
