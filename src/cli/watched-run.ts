import { isHoldfastError } from '../foundation/errors.ts';
import type { Workspace } from '../operations/index.ts';
import type { RunOptions, RunState, RunView } from '../recovery/index.ts';
import type { Invocation, Outcome } from './command.ts';
import { changedLines, incidentText, panelLines, runExit } from './incident-text.ts';

/**
 * Runs the steps of an incident where a person watches: on a terminal all of it anew each moment, elsewhere a line for each
 * change.
 * @param run is given what it has to tell
 */
export async function watchedRun(
  workspace: Workspace,
  { tell, panel }: Pick<Invocation, 'tell' | 'panel'>,
  run: (options: RunOptions & { onOpened(state: RunState): void }) => Promise<RunState>,
): Promise<Outcome> {
  const { viewOf } = await import('../recovery/index.ts');
  const { clock } = workspace.environment;
  let state: RunState | undefined;
  let shown: RunView | undefined;
  const isTerminal = process.stderr.isTTY === true;
  panel(() => (state === undefined ? [] : panelLines(viewOf(state, clock.nowMs()))));
  const onState = (changed: RunState): void => {
    state = changed;
    if (isTerminal) return;
    const view = viewOf(changed, clock.nowMs());
    for (const line of changedLines(shown, view)) tell(line);
    shown = view;
  };
  const onOpened = (opened: RunState): void => {
    tell(
      opened.kind === 'drill'
        ? `drill ${opened.id} of ${opened.runbook} has begun, on copies`
        : `incident ${opened.id} is open: ${opened.runbook}. Retention and prune rest until it is closed.`,
    );
    onState(opened);
  };
  try {
    const ended = await run({ tell, onState, onOpened });
    const view = viewOf(ended, clock.nowMs());
    return { exit: runExit(view), json: view, text: incidentText(view) };
  } catch (error) {
    const isOpen = state?.kind === 'incident' && state.ended === undefined;
    if (isOpen && !isHoldfastError(error, 'incident-running')) {
      tell(`incident ${state!.id} stays open: go on with \`holdfast incident resume ${state!.id}\``);
    }
    throw error;
  }
}
