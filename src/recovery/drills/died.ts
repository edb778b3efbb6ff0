/** Drills whose process is gone: nobody goes on with them. */
import { pauseUntilAborted } from '../../foundation/pause.ts';
import type { Workspace } from '../../operations/index.ts';
import { RunRecord } from '../engine/run-record.ts';
import { whoRuns } from '../engine/sole.ts';
import { statesIn } from '../incidents/list.ts';

/**
 * Ends the record of every drill whose process died in the middle. What it had made is gone by then, or goes by itself.
 * @returns their ids. @throws what keeps the ledger from being read
 */
export async function closeDiedDrills(workspace: Workspace, record = new RunRecord(workspace)): Promise<string[]> {
  const { clock, signal } = workspace.environment;
  const openDrills = async (): Promise<string[]> =>
    statesIn(await record.read()).flatMap(({ id, kind, ended }) =>
      kind === 'incident' || ended !== undefined ? [] : [id],
    );
  const left: string[] = [];
  for (const id of await openDrills()) {
    // A drill holds its lease from before it is recorded that it has begun until it is recorded how it ended.
    if ((await whoRuns({ run: id, record, clock, pause: pauseUntilAborted(signal) })) === 'nobody') left.push(id);
  }
  if (left.length === 0) return [];
  // One that ended since it was read as open gave its lease back as well: how it ended is recorded by now.
  const open = new Set(await openDrills());
  const died = left.filter((id) => open.has(id));
  const why = 'its process ended in the middle, and its copies with it';
  for (const id of died) await record.append('drill.finished', { drill: id, outcome: 'died', why });
  return died;
}
