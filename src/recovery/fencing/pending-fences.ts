/** Which servers are still to be fenced. Pure. */
import type { TextOrReference } from '../../plan/index.ts';
import { type RunEvent, runOf } from '../engine/run-events.ts';
import { promotionsFor, type SourceOf } from './promotions.ts';

interface PendingStep {
  run: string;
  step: string;
  source: string;
}

export interface PendingPostgresFence extends PendingStep {
  of: 'postgres';
  /** As the step has it; the source's own where it has none. */
  url?: TextOrReference;
  /** What was promoted instead, if anything was yet: from this timeline on it is another server that answers there. */
  promoted?: { timeline: number; position?: string };
}

/** Of a Redis server, which the promotion itself could not fence. */
export interface PendingRedisFence extends PendingStep {
  of: 'redis';
  /** The server that was promoted instead. */
  successor: TextOrReference;
}

export type PendingFence = PendingPostgresFence | PendingRedisFence;

/** @param events of incidents and drills, oldest first */
export function pendingFences(events: readonly RunEvent[], sourceOf: SourceOf): PendingFence[] {
  const runs = [...Map.groupBy(events, runOf).values()];
  return runs.flatMap((own) => pendingOf(own, sourceOf));
}

/**
 * Until it is done, the source's server is made a standby, or the incident is given up, or over without what was to take the
 * place of that server: nobody is kept from the only primary that there is. A drill touches nothing that lives.
 */
function pendingOf(events: readonly RunEvent[], sourceOf: SourceOf): PendingFence[] {
  const opened = events.find(({ kind }) => kind === 'incident.opened');
  if (opened?.kind !== 'incident.opened') return [];
  const closed = events.find(({ kind }) => kind === 'incident.closed');
  if (closed?.kind === 'incident.closed' && closed.body.outcome === 'aborted') return [];
  const steps = opened.body.steps ?? [];
  return steps.flatMap((step): PendingFence[] => {
    if (step['do'] !== 'postgres.fence' && step['do'] !== 'redis.promote') return [];
    const last = events.findLast((event) => event.kind === 'step.finished' && event.body.step === step['id']);
    const isPending = last?.kind === 'step.finished' && last.body.outputs?.['pending'] === true;
    if (!isPending || isSettled(events, step, steps)) return [];
    const url = step['url'] as TextOrReference | undefined;
    const known = { run: opened.body.incident, step: String(step['id']), source: String(step['source']) };
    // What was known only while the runbook ran cannot be asked any more.
    if (step['do'] === 'redis.promote')
      return url === undefined || JSON.stringify(url).includes('${') ? [] : [{ of: 'redis', ...known, successor: url }];
    const promotions = promotionsFor(known.source, steps, sourceOf);
    if (closed !== undefined && promotions.length > 0 && !events.some((event) => isDone(event, promotions))) return [];
    const promoted = promotionIn(events, promotions);
    return [
      { of: 'postgres', ...known, ...(url !== undefined && { url }), ...(promoted !== undefined && { promoted }) },
    ];
  });
}

/** Whether it says that one of these steps is done, by itself or by a person. */
function isDone(event: RunEvent, steps: readonly string[]): boolean {
  if (event.kind === 'step.answered') return event.body.answer === 'done' && steps.includes(event.body.step);
  return event.kind === 'step.finished' && event.body.outcome === 'done' && steps.includes(event.body.step);
}

type Step = Record<string, unknown>;

const RESEEDS: ReadonlyMap<unknown, string> = new Map([
  ['postgres.fence', 'postgres.reseed'],
  ['redis.promote', 'redis.reseed'],
]);

function isSettled(events: readonly RunEvent[], step: Step, steps: readonly Step[]): boolean {
  const reseeds = steps.filter((each) => each['do'] === RESEEDS.get(step['do']) && each['source'] === step['source']);
  return events.some((event) => {
    if (event.kind === 'fence.completed') return event.body.step === step['id'];
    return (
      event.kind === 'step.finished' &&
      isDone(
        event,
        reseeds.map(({ id }) => String(id)),
      )
    );
  });
}

function promotionIn(events: readonly RunEvent[], steps: readonly string[]): PendingPostgresFence['promoted'] {
  const done = events.findLast((event) => event.kind === 'step.finished' && isDone(event, steps));
  const outputs = done?.kind === 'step.finished' ? done.body.outputs : undefined;
  const { timeline, position } = outputs ?? {};
  if (typeof timeline !== 'number') return undefined;
  return { timeline, ...(typeof position === 'string' && { position }) };
}
