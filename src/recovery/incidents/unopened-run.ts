import type { Runbook } from '../../plan/index.ts';
import type { RunState } from '../engine/state.ts';

/** A run that nobody has begun: what its steps are described with. */
export function unopenedRun(runbook: Runbook, params: Record<string, string>, nowMs: number): RunState {
  const since = new Date(nowMs).toISOString();
  const { name, scenario, severity } = runbook;
  return {
    ...{
      id: 'dry-run',
      kind: 'incident',
      runbook: name,
      by: '',
      sinceMs: nowMs,
      startedMs: nowMs,
      notes: [],
      steps: [],
    },
    started: { runbook: name, scenario, severity, since, sinceFrom: 'start', params, objectives: {}, steps: [] },
  };
}

/** The same where nobody is about to begin it: what is known of an incident by then stays as it is written. */
export function runOnPaper(runbook: Runbook): RunState {
  const run = unopenedRun(runbook, {}, 0);
  return { ...run, id: '${incident.id}', started: { ...run.started, since: '${incident.since}' } };
}
