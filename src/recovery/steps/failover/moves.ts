/** Where promotions leave sources. */
import { moveSource, type Place, type Workspace } from '../../../operations/index.ts';
import type { StepDocument } from '../../../plan/index.ts';
import type { FailoverContext } from './servers.ts';

export interface Move {
  source: string;
  to: Place;
}

/**
 * Where a promotion leaves its source. Pure.
 * @param written the step as the plan has it: what is known only while the runbook runs is not where a source is for good
 */
export function moveBy({ plan }: Pick<Workspace, 'plan'>, written: StepDocument): Move | undefined {
  if (written.do !== 'postgres.promote' && written.do !== 'redis.promote') return undefined;
  const standby = written.do === 'postgres.promote' ? plan.standbys.get(written.standby) : undefined;
  const source = written.do === 'postgres.promote' ? standby?.of : written.source;
  if (source === undefined) return undefined;
  const url = written.url ?? standby?.url;
  const planned = plan.sources.get(source);
  const home = planned?.type === 'postgres' || planned?.type === 'redis' ? planned.url : undefined;
  if (isSame(url, home)) return { source, to: 'plan' };
  if (standby !== undefined && isSame(url, standby.url)) return { source, to: { standby: standby.name } };
  return url === undefined || JSON.stringify(url).includes('${') ? undefined : { source, to: { url } };
}

/** Has everybody go where the promotion that is just done left the source; a drill moves nothing that lives. */
export async function recordMove({ workspace, run, step }: FailoverContext): Promise<void> {
  const written = run.steps.find(({ id }) => id === step.id)?.document;
  const move = written && moveBy(workspace, written);
  if (move !== undefined && run.kind === 'incident') await moveSource(workspace, { ...move, run: run.id });
}

function isSame(one: unknown, other: unknown): boolean {
  return one !== undefined && JSON.stringify(one) === JSON.stringify(other);
}
