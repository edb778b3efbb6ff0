import { type Pause, pauseUntilAborted } from '../../foundation/pause.ts';
import type { Workspace } from '../../operations/index.ts';
import { nextOf } from '../engine/next.ts';
import { RunRecord } from '../engine/run-record.ts';
import type { RunState } from '../engine/state.ts';
import { lookupOf } from '../engine/values.ts';
import { findRun } from './list.ts';

const LOOK_EVERY_MS = 1000;

/**
 * Follows an incident or a drill, wherever its steps are run, by what is recorded of it.
 * @param id may be shortened; `latest` is the newest incident
 * @param onState is told of it at first, and of each change
 * @returns it as it ended, or as it stopped at a failure that waits for a person
 * @throws unknown-incident; the reason of the workspace's signal; what keeps all copies of the ledger from being read
 */
export async function followRun(
  workspace: Workspace,
  id: string,
  onState: (state: RunState) => void,
  pause: Pause = pauseUntilAborted(workspace.environment.signal),
): Promise<RunState> {
  const record = new RunRecord(workspace);
  const { clock } = workspace.environment;
  let state = await findRun(record, id);
  for (;;) {
    onState(state);
    if (state.ended !== undefined || nextOf(state, clock.nowMs(), lookupOf(state)).end === 'stopped') return state;
    await pause(LOOK_EVERY_MS);
    state = await findRun(record, state.id);
  }
}
