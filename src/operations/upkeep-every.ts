import { awaitedLater } from '../foundation/promises.ts';
import { replicateOpened } from './mirrors/replicate.ts';
import { keepLocked } from './object-lock/keep-locked.ts';
import { reportable, type Workspace } from './workspace.ts';

/**
 * Extends locks in the repositories that a plan's work has opened, and brings their mirrors up to date, now and then, for as long as the work
 * goes on. One that fails is told of and recorded, and tried again the next time.
 * @returns what ends it, once a run that is under way is over
 */
export function upkeepEvery(workspace: Workspace, everyMs: number): () => Promise<void> {
  const { mirrors, repositories } = workspace.plan;
  const isAnythingLocked = [...repositories.values()].some(({ lock }) => lock !== undefined);
  if (mirrors.size === 0 && !isAnythingLocked) return async () => {};
  const { environment } = workspace;
  let running = Promise.resolve();
  let isRunning = false;
  const run = async (): Promise<void> => {
    try {
      for (const { repository, error } of await keepLocked(workspace)) {
        if (error !== undefined) environment.progress(repository).note(error.message);
      }
      for (const each of await replicateOpened(workspace)) {
        if (each.outcome === 'failed') environment.progress(each.mirror).note(each.error.message);
      }
    } catch (error) {
      environment.progress('upkeep').note(reportable(error, environment.signal).message);
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
