/** What a drill works with: the repositories, to be read, and nothing of the living. */
import { HoldfastError } from '../../foundation/errors.ts';
import { type Adapters, Workspace } from '../../operations/index.ts';
import type { Plan, Source as PlanSource, Runbook } from '../../plan/index.ts';
import type { Source } from '../../source/index.ts';

/** A name that is never anybody's: RFC 6761. */
const NOWHERE = 'holdfast-drill.invalid';

/**
 * The same plan without the addresses of what lives, with adapters that know of copies alone: there is no channel, no failover
 * and no secret that could be written, and a source can be restored and looked at, and not captured.
 */
export function drillWorkspace({ plan, planPath, environment }: Workspace, runbook: Runbook): Workspace {
  const path = planPath === undefined ? {} : { path: planPath };
  return new Workspace(
    { plan: drillPlan(plan, runbook), ...path },
    { ...environment, adapters: drillAdapters(environment.adapters) },
  );
}

function drillPlan({ maintenance: _, ...plan }: Plan, runbook: Runbook): Plan {
  return {
    ...plan,
    sources: new Map([...plan.sources].map(([name, source]) => [name, withoutAddress(source)])),
    standbys: new Map(),
    services: new Map(),
    runbooks: new Map([[runbook.name, runbook]]),
  };
}

/** Programs that check a copy run beside the living: a drill does without them, and says so. */
function withoutAddress(source: PlanSource): PlanSource {
  const checked = { ...source, validate: source.validate.filter(({ kind }) => kind !== 'exec') } as PlanSource;
  if (checked.type === 'postgres') {
    const { standby: _, ...postgres } = checked;
    return { ...postgres, url: `postgresql://${NOWHERE}/none` };
  }
  return checked.type === 'redis' ? { ...checked, url: `redis://${NOWHERE}` } : checked;
}

/** Whether the plan has checks of a source that a drill does without. */
export function hasProgramChecks({ plan }: Workspace, source: string): boolean {
  return plan.sources.get(source)?.validate.some(({ kind }) => kind === 'exec') === true;
}

function drillAdapters(adapters: Adapters): Adapters {
  const { cached, readCloudSecret } = adapters;
  return {
    openStore: (...given) => adapters.openStore(...given),
    ...(cached && { cached: (...given) => cached.apply(adapters, given) }),
    createSource: async (planned, { moved: _, ...context }) =>
      copiesOnly(await adapters.createSource(planned, context)),
    ...(readCloudSecret && { readCloudSecret: (...given) => readCloudSecret(...given) }),
    createSandbox: (...given) => adapters.createSandbox(...given),
    startDemoServer: () => refuse('the demo'),
  };
}

function copiesOnly(source: Source): Source {
  const { refuse: refuseTarget, checkPlanned, query, contents } = source;
  return {
    ...{ name: source.name, type: source.type },
    restore: (...given) => source.restore(...given),
    validate: (...given) => source.validate(...given),
    compare: async (reader, other, context) =>
      other === undefined ? refuse(source.name) : source.compare(reader, other, context),
    ...(refuseTarget && { refuse: (...given) => refuseTarget.apply(source, given) }),
    ...(checkPlanned && { checkPlanned: (...given) => checkPlanned.apply(source, given) }),
    ...(query && { query: (...given) => query.apply(source, given) }),
    ...(contents && { contents: (...given) => contents.apply(source, given) }),
    examine: () => refuse(source.name),
    capture: () => refuse(source.name),
  };
}

async function refuse(name: string): Promise<never> {
  throw new HoldfastError('internal', `a drill does not touch ${name}, which lives`);
}
