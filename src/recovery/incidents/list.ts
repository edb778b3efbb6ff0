import { HoldfastError } from '../../foundation/errors.ts';
import type { Workspace } from '../../operations/index.ts';
import { type RunEvent, runOf } from '../engine/run-events.ts';
import { RunRecord } from '../engine/run-record.ts';
import { type RunState, stateOf } from '../engine/state.ts';

/** What has become of each incident and drill, the newest first. Pure. */
export function statesIn(events: readonly RunEvent[]): RunState[] {
  const runs = Map.groupBy(events, runOf);
  const states = [...runs].flatMap(([id, own]) => stateOf(id, own) ?? []);
  return states.sort((a, b) => b.startedMs - a.startedMs);
}

/** All incidents that the ledger knows, the newest first. */
export async function listIncidents(workspace: Workspace): Promise<RunState[]> {
  return statesIn(await new RunRecord(workspace).read()).filter(({ kind }) => kind === 'incident');
}

/**
 * An incident or a drill.
 * @param id may be shortened; `latest` is the newest incident
 * @throws unknown-incident
 */
export async function findRun(record: RunRecord, id: string): Promise<RunState> {
  const states = statesIn(await record.read());
  const matching =
    id === 'latest'
      ? states.filter(({ kind }) => kind === 'incident').slice(0, 1)
      : states.filter((each) => each.id.startsWith(id));
  if (matching.length === 1 && id !== '') return matching[0]!;
  if (id === 'latest') {
    throw new HoldfastError('unknown-incident', 'there has been no incident yet', {
      hint: '`holdfast recover RUNBOOK` opens one; of a drill, name its id.',
    });
  }
  const what = matching.length > 1 && id !== '' ? `${matching.length} incidents have an id` : 'no incident has an id';
  throw new HoldfastError('unknown-incident', `${what} that begins with ${JSON.stringify(id)}`, {
    hint: 'See `holdfast incident list`.',
  });
}

/** See `findRun`. */
export async function showRun(workspace: Workspace, id: string): Promise<RunState> {
  return findRun(new RunRecord(workspace), id);
}
