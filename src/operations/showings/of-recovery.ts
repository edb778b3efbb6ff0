import type { EventBodies } from '../../ledger/index.ts';
import type { Known, Showing, ShowsByKind } from './showing.ts';

const RECOVERED: Readonly<Record<string, Showing['result']>> = { done: 'done', partial: 'partial', missed: 'missed' };
const STEPPED: Readonly<Record<string, Showing['result']>> = { done: 'done', partial: 'partial' };

/** Drills, incidents and their steps. */
export const OF_RECOVERY: ShowsByKind = {
  'drill.finished': (body, known) => ended('drill', body.drill, body, known),
  'incident.closed': (body, known) => ended('incident', body.incident, body, known),
  'step.finished': ({ run, step, outcome, durationMs }, { runbooks }) => {
    const runbook = runbooks.get(run);
    if (runbook === undefined || outcome === 'skipped') return undefined;
    return { what: 'step', subject: `${runbook}.${step}`, result: STEPPED[outcome] ?? 'failed', durationMs };
  },
  'rescue.finished': ({ outcome, durationMs }) => ({
    ...{ what: 'drill', subject: 'rescue', result: outcome },
    ...{ durationMs, words: outcome },
  }),
  'kit.checked': ({ outcome, problems = [] }) => {
    const words = problems.join('; ');
    const result = outcome === 'current' ? 'done' : 'failed';
    return { what: 'kit', subject: '', result, ...(words !== '' && { words }) };
  },
  'breach.reported': ({ incident, to }, { at, breaches }) => {
    const since = breaches.get(incident);
    if (since === undefined) return undefined;
    const durationMs = Date.parse(at) - Date.parse(since);
    return { what: 'breach', subject: incident, result: 'done', durationMs, words: to };
  },
};

function ended(
  what: 'drill' | 'incident',
  id: string,
  { outcome = 'done', rtoMs, why }: EventBodies['drill.finished'] | EventBodies['incident.closed'],
  { runbooks }: Known,
) {
  return {
    ...{ what, subject: runbooks.get(id) ?? '', result: RECOVERED[outcome] ?? ('failed' as const) },
    ...(rtoMs !== undefined && { durationMs: rtoMs }),
    words: why === undefined || outcome === 'done' ? outcome : `${outcome}: ${why}`,
  };
}
