import { pauseUntilAborted } from '../../foundation/pause.ts';
import type { Workspace } from '../../operations/index.ts';
import { RunRecord } from '../engine/run-record.ts';
import { runnerOf } from '../engine/sole.ts';

/**
 * Which process runs the steps of an incident or a drill just now.
 * @param id whole
 * @returns `unknown` where no store in reach can tell; no `holder` where it is one that cannot be read
 * @throws what keeps the store from being read
 */
export async function processOf(workspace: Workspace, id: string): ReturnType<typeof runnerOf> {
  const { clock, signal } = workspace.environment;
  return runnerOf({ run: id, record: new RunRecord(workspace), clock, pause: pauseUntilAborted(signal) });
}
