import { awaitedLater } from '../../foundation/promises.ts';
import { reportable, type Workspace } from '../workspace.ts';
import { keepLocked } from './keep-locked.ts';

/**
 * Extends locks in the repositories that a plan's work has opened, now and then, for as long as the work goes on. What goes
 * wrong is told of, and tried again the next time.
 * @returns what ends it, once a run that is under way is over
 */
export function keepLockedEvery(workspace: Workspace, everyMs: number): () => Promise<void> {
  const { environment, plan } = workspace;
  if (![...plan.repositories.values()].some(({ lock }) => lock !== undefined)) return async () => {};
  let running: Promise<void> | undefined;
  const run = async (): Promise<void> => {
    try {
      for (const { repository, error } of await keepLocked(workspace)) {
        if (error !== undefined) environment.progress(repository).note(error.message);
      }
    } catch (error) {
      environment.progress('locks').note(reportable(error, environment.signal).message);
    }
  };
  const timer = setInterval(() => {
    if (environment.signal.aborted) return;
    running ??= awaitedLater(
      run().finally(() => {
        running = undefined;
      }),
    );
  }, everyMs);
  return async () => {
    clearInterval(timer);
    await running;
  };
}
