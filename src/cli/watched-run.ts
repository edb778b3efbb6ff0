import { isHoldfastError } from '../foundation/errors.ts';
import type { Workspace } from '../operations/index.ts';
import type { RunOptions, RunState, RunView } from '../recovery/index.ts';
import type { Invocation, Outcome } from './command.ts';
import { changedLines, incidentText, panelLines, runExit } from './incident-text.ts';

/**
 * Runs the steps of an incident where a person watches, and says how to go on where that ends before they do.
 * @param run is given what it has to tell
 */
export async function watchedRun(
  workspace: Workspace,
  invocation: Pick<Invocation, 'tell' | 'panel'>,
  run: (options: RunOptions & { onOpened(state: RunState): void }) => Promise<RunState>,
): Promise<Outcome> {
  const { tell } = invocation;
  let state: RunState | undefined;
  try {
    return await shownRun(workspace, invocation, ({ onState: show }) => {
      const onState = (changed: RunState): void => {
        state = changed;
        show(changed);
      };
      const onOpened = (opened: RunState): void => {
        tell(openedText(opened));
        onState(opened);
      };
      return run({ tell, onState, onOpened });
    });
  } catch (error) {
    const isOpen = state?.kind === 'incident' && state.ended === undefined;
    if (isOpen && !isHoldfastError(error, 'incident-running')) {
      tell(`incident ${state!.id} stays open: go on with \`holdfast incident resume ${state!.id}\``);
    }
    throw error;
  }
}

function openedText({ kind, id, runbook }: RunState): string {
  if (kind === 'drill') return `drill ${id} of ${runbook} has begun, on copies`;
  return `incident ${id} is open: ${runbook}. Retention and prune rest until it is closed.`;
}

/** Shows a run as it changes: on a terminal all of it anew each moment, elsewhere a line for each change. */
export async function shownRun(
  workspace: Workspace,
  { tell, panel }: Pick<Invocation, 'tell' | 'panel'>,
  run: (options: { onState(state: RunState): void }) => Promise<RunState>,
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
  const view = viewOf(await run({ onState }), clock.nowMs());
  return { exit: runExit(view), json: view, text: incidentText(view) };
}
